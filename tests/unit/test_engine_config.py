"""What the engine is configured with: loopback only, no secrets in files, no rows in logs, one meaning for one SQL."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from contracts.errors import EngineError
from contracts.settings import Settings
from jobs.engine import jars, java
from jobs.engine.config import SESSION_CONF, java_options, log4j_text, properties_text, spark_conf
from jobs.engine.jars import own_env
from jobs.engine.launch import free_port, server_command, server_env, write_config
from jobs.engine.paths import EnginePaths, engine_paths


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "state with space", engine_memory="2g")


@pytest.fixture
def paths(config: Settings) -> EnginePaths:
    paths = engine_paths(config)
    paths.prepare()
    return paths


def test_every_address_is_loopback(config: Settings, paths: EnginePaths) -> None:
    conf = spark_conf(config, paths, 4711)
    assert conf["spark.connect.grpc.binding.address"] == "127.0.0.1"
    assert conf["spark.driver.bindAddress"] == "127.0.0.1"
    assert conf["spark.connect.grpc.binding.port"] == "4711"
    assert conf["spark.ui.enabled"] == "false"
    assert server_env({}, paths, "t")["SPARK_LOCAL_IP"] == "127.0.0.1"


def test_session_settings_are_also_the_servers(config: Settings, paths: EnginePaths) -> None:
    assert SESSION_CONF.items() <= spark_conf(config, paths, 1).items()


def test_state_stays_in_the_state_folder(config: Settings, paths: EnginePaths) -> None:
    options = " ".join(java_options(config, paths))
    assert f"-Dderby.system.home={paths.root}" in options
    assert f"-Djava.io.tmpdir={paths.root}" in options
    assert spark_conf(config, paths, 1)["spark.local.dir"].startswith(str(paths.root))


def test_token_is_in_its_private_file_only(config: Settings, paths: EnginePaths) -> None:
    write_config(config, paths, 4711, "s3cret")
    assert stat.S_IMODE(paths.token.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.root.stat().st_mode) == 0o700
    command = " ".join(server_command(config, paths, Path("/java"), []))
    assert "s3cret" not in command
    assert all("s3cret" not in file.read_text() for file in paths.conf.iterdir())


def test_backslashes_survive_the_properties_file() -> None:
    assert properties_text({"b": "x", "a": r"C:\tmp"}) == "a=C:\\\\tmp\nb=x\n"


def test_log_holds_no_rows(paths: EnginePaths) -> None:
    text = log4j_text(paths)
    assert "rootLogger.level = warn" in text
    assert "level = debug" not in text
    # "Change in the table id" prints the statistics of files, least and greatest values of columns among them.
    assert "logger.delta.name = org.apache.spark.sql.delta\nlogger.delta.level = error" in text
    assert text.count("level = info") == 1  # the server's own two lines: starting, started


def test_another_sparks_environment_does_not_reach_ours() -> None:
    shell = {"SPARK_REMOTE": "sc://x", "PYSPARK_SUBMIT_ARGS": "--x", "HADOOP_CONF_DIR": "/x", "PATH": "/bin"}
    assert own_env(shell) == {"PATH": "/bin"}


def test_free_ports_can_be_bound() -> None:
    assert 1024 < free_port() < 65536


def _fake_java(folder: Path, version: str, status: int = 0) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {status}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("version", "major"), [("17.0.15", 17), ("21.0.8", 21), ("1.8.0_402", 1), ("11.0.2", 11), ("21", 21)]
)
def test_java_version_is_read(tmp_path: Path, version: str, major: int) -> None:
    assert java.java_major(_fake_java(tmp_path, version)) == major


def test_broken_java_has_no_version(tmp_path: Path) -> None:
    assert java.java_major(_fake_java(tmp_path, "17.0.1", status=1)) is None
    assert java.java_major(tmp_path / "missing") is None


@pytest.mark.parametrize(("home_version", "expected"), [("17.0.15", "home"), ("11.0.2", "wheel"), ("25.0.1", "wheel")])
def test_java_home_is_used_if_spark_supports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home_version: str, expected: str
) -> None:
    found = {"home": _fake_java(tmp_path / "home", home_version), "wheel": _fake_java(tmp_path / "wheel", "21.0.8")}
    monkeypatch.setattr(java, "system_candidates", lambda: [found["home"]])
    monkeypatch.setattr(java, "wheel_java", lambda: found["wheel"])
    assert java.find_java.__wrapped__()[0] == found[expected]


def test_no_java_at_all_is_an_engine_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "system_candidates", lambda: [_fake_java(tmp_path, "11.0.2")])
    monkeypatch.setattr(java, "wheel_java", lambda: None)
    with pytest.raises(EngineError, match=r"Java 17 or 21.*version 11"):
        java.find_java.__wrapped__()


def test_wheel_brings_a_java_that_spark_supports() -> None:
    bundled = java.wheel_java()
    assert bundled is not None
    assert java.java_major(bundled) in java.SUPPORTED_MAJORS


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: EnginePaths) -> EnginePaths:
    """No jar anywhere, and a resolver that cannot reach its repository."""
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho 'Server access error at url (UnknownHostException)' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(jars, "find_java", lambda: (program, 17))
    monkeypatch.setattr(jars, "stores", lambda paths: [paths.root / "jars"])
    jars.is_complete.cache_clear()
    return paths


def test_offline_first_start_says_what_to_do(offline: EnginePaths) -> None:
    with pytest.raises(EngineError, match=r"could not be downloaded.*UnknownHostException.*Next: check network"):
        jars.delta_jars(offline)
    assert "UnknownHostException" in offline.console.read_text()


def test_altered_jar_is_refused(offline: EnginePaths) -> None:
    resolved = offline.ivy / "jars"
    resolved.mkdir(parents=True)
    for name in jars.SHA256:
        (resolved / name).write_bytes(b"not what was pinned")
    (offline.root / "jars").mkdir()
    with pytest.raises(EngineError, match="not the one this project was built with"):
        jars._install(resolved, offline.root / "jars")
    assert list((offline.root / "jars").iterdir()) == []


def test_another_delta_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "version", lambda name: "9.9.9")
    with pytest.raises(EngineError, match=r"delta-spark 9\.9\.9"):
        jars.check_versions()
