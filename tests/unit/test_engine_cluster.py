"""The cluster's roles and the compose file: no secret has a default, nothing but the UI is published, and that on loopback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.settings import Settings
from jobs.engine import cluster
from jobs.engine.config import SESSION_CONF
from jobs.engine.paths import EnginePaths

DOCKER = Path(__file__).resolve().parents[2] / "docker"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_every_service_has_a_health_check(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "healthcheck" not in service] == []


def test_two_workers_and_one_owner_of_the_metastore(compose: dict[str, Any]) -> None:
    roles = [service["command"][3] for service in compose["services"].values() if "jobs.engine.cluster" in str(service)]
    assert sorted(roles) == ["connect", "master", "worker", "worker"]


def test_commands_are_ones_the_roles_accept(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if "jobs.engine.cluster" in str(service.get("command")):
            words = [re.sub(r"\$\{\w+:-(\w+)}", r"\1", word) for word in service["command"][3:]]
            assert cluster.parser().parse_args(words).host == service["hostname"]


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"webserver", "marquez"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert compose["networks"]["inner"]["internal"] is True


def test_no_secret_has_a_value_or_a_default(compose: dict[str, Any]) -> None:
    pairs = [pair for service in compose["services"].values() for pair in service.get("environment", {}).items()]
    secrets = {name: value for name, value in pairs if re.search("SECRET|PASSWORD|TOKEN", name)}
    assert set(secrets) == {"SPARK_AUTH_SECRET", "POSTGRES_PASSWORD"}
    assert all(value.startswith(f"${{{name}:?") for name, value in secrets.items()), "demand a secret, never default it"


def test_image_runs_as_a_user_without_privileges() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["outreach"]
    assert all("--require-hashes" in line for line in lines if "install" in line and "lock" in line)


def test_services_depend_on_services_that_exist(compose: dict[str, Any]) -> None:
    needed = {name for service in compose["services"].values() for name in service.get("depends_on", {})}
    assert needed <= set(compose["services"])
    used = {
        volume.split(":")[0] for s in compose["services"].values() for volume in s.get("volumes", []) if ":" in volume
    }
    assert used == set(compose["volumes"])


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnginePaths:
    monkeypatch.setattr(cluster, "delta_jars", lambda paths: [Path("/jars/delta.jar")])
    monkeypatch.setenv("SPARK_AUTH_SECRET", "s3cret")
    paths = EnginePaths(tmp_path / "role")
    paths.prepare()
    return paths


@pytest.mark.parametrize("role", ["master", "worker", "connect"])
def test_secret_is_in_no_command_line(paths: EnginePaths, role: str) -> None:
    options = cluster.parser().parse_args([role, "--port", "7077"])
    command = cluster.role_command(role, Settings(home=paths.root), paths, options)
    assert "s3cret" not in " ".join(command)
    assert "spark.authenticate.secret=s3cret" in (paths.conf / f"{role}.conf").read_text()
    assert (paths.conf / f"{role}.conf").stat().st_mode & 0o077 == 0


def test_cluster_and_embedded_engine_mean_the_same_by_one_sql(paths: EnginePaths) -> None:
    options = cluster.parser().parse_args(["connect", "--port", "15002", "--master", "spark://m:7077"])
    conf = cluster.connect_conf(Settings(home=paths.root), paths, options)
    assert SESSION_CONF.items() <= conf.items()
    assert conf["spark.master"] == "spark://m:7077"
    assert conf["spark.sql.catalog.spark_catalog"] == "org.apache.spark.sql.delta.catalog.DeltaCatalog"
    assert "spark.local.dir" not in conf
