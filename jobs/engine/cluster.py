"""`python -m jobs.engine.cluster master|worker|connect`: one process of a Spark standalone cluster, in the foreground.

For containers and for trying a cluster on one machine; a managed Spark needs none of it, only `SPARK_REMOTE`. The
cluster's connect server has the catalog and session settings of the embedded engine, so one SQL has one meaning on both.
Set `SPARK_AUTH_SECRET` alike for all three: the processes then refuse strangers.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from contracts.settings import Settings, settings
from jobs.engine.config import JAVA_MODULE_OPTIONS, log4j_text, properties_text, spark_conf
from jobs.engine.jars import delta_jars, own_env, pyspark_home
from jobs.engine.java import find_java
from jobs.engine.launch import MAIN_CLASS
from jobs.engine.paths import EnginePaths
from jobs.engine.state import write_private

_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
_LOCAL_ONLY = ("spark.default.parallelism", "spark.local.dir")


def shared_conf(secret: str | None) -> dict[str, str]:
    """What every process of the cluster must agree on."""
    return {"spark.authenticate": "true", "spark.authenticate.secret": secret} if secret else {}


def connect_conf(config: Settings, paths: EnginePaths, options: argparse.Namespace) -> dict[str, str]:
    """The embedded engine's properties, less what holds for one machine only."""
    conf = {key: value for key, value in spark_conf(config, paths, options.port).items() if key not in _LOCAL_ONLY}
    jars = ":".join(map(str, delta_jars(paths)))
    return {
        **conf,
        "spark.master": options.master,
        "spark.driver.host": options.host,
        "spark.driver.bindAddress": options.host,
        "spark.connect.grpc.binding.address": options.host,
        "spark.executor.memory": options.memory,
        "spark.executor.extraClassPath": jars,
        # A partition per core and some more; the embedded engine's 4 would leave a cluster idle.
        "spark.sql.shuffle.partitions": str(options.partitions),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(options.partitions),
    }


def role_command(role: str, config: Settings, paths: EnginePaths, options: argparse.Namespace) -> list[str]:
    """The JVM's command line; properties (with the secret) are in a private file that it names."""
    conf = connect_conf(config, paths, options) if role == "connect" else {}
    properties = paths.conf / f"{role}.conf"
    write_private(properties, properties_text({**conf, **shared_conf(os.environ.get("SPARK_AUTH_SECRET"))}))
    write_private(paths.conf / "log4j2.properties", log4j_text(paths, console=True))
    java, _ = find_java()
    jars = [str(pyspark_home() / "jars" / "*"), *map(str, delta_jars(paths) if role == "connect" else [])]
    heap = config.engine_memory if role == "connect" else "512m"
    common = [str(java), f"-Xmx{heap}", *JAVA_MODULE_OPTIONS, "-XX:+ExitOnOutOfMemoryError"]
    common += [f"-Dlog4j2.configurationFile={paths.conf / 'log4j2.properties'}", "-Duser.timezone=UTC"]
    common += [f"-Dderby.system.home={paths.metastore}", f"-Djava.io.tmpdir={paths.scratch}", "-cp", ":".join(jars)]
    file = ["--properties-file", str(properties)]
    if role == "master":
        return [*common, _MASTER, *file, "--host", options.host, "--port", str(options.port), "--webui-port", "8080"]
    if role == "worker":
        size = ["--cores", str(options.cores), "--memory", options.memory, "--work-dir", str(paths.scratch / "work")]
        return [*common, _WORKER, *file, "--host", options.host, *size, options.master]
    return [*common, "org.apache.spark.deploy.SparkSubmit", *file, "--class", MAIN_CLASS, "spark-internal"]


def role_env(base: dict[str, str], paths: EnginePaths, java: Path) -> dict[str, str]:
    """Environment of the process and of the executors and Python workers it starts."""
    own = {key: base[key] for key in ("SPARK_CONNECT_AUTHENTICATE_TOKEN", "SPARK_LOCAL_IP") if key in base}
    return {
        **own_env(base),
        **own,
        "SPARK_HOME": str(pyspark_home()),
        # Else a worker looks for the build folders of a source checkout when it starts an executor.
        "SPARK_SCALA_VERSION": "2.13",
        "SPARK_CONF_DIR": str(paths.conf),
        "SPARK_LOCAL_DIRS": str(paths.scratch),
        "JAVA_HOME": str(java.resolve().parents[1]),
        "PYSPARK_PYTHON": sys.executable,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    found = argparse.ArgumentParser(prog="python -m jobs.engine.cluster", description=__doc__)
    found.add_argument("role", choices=("master", "worker", "connect"))
    found.add_argument("--host", default="127.0.0.1", help="address to bind and to be reached at")
    found.add_argument("--port", type=int, default=None, help="default 7077 for the master, 15002 for connect")
    found.add_argument("--master", default="spark://127.0.0.1:7077", help="for worker and connect")
    found.add_argument("--cores", type=int, default=1, help="of a worker")
    found.add_argument("--memory", default="2g", help="of a worker, or of each executor (connect)")
    found.add_argument("--partitions", type=int, default=8, help="shuffle partitions (connect)")
    return found


def main(argv: list[str] | None = None) -> None:
    """Become the asked-for process; returns only by its end."""
    options = parser().parse_args(argv)
    options.port = options.port or (15002 if options.role == "connect" else 7077)
    config = settings()
    paths = EnginePaths(config.home / "cluster" / options.role)
    paths.root.parent.mkdir(parents=True, exist_ok=True)
    paths.prepare()
    java, _ = find_java()
    command = role_command(options.role, config, paths, options)
    os.umask(0o077)
    os.chdir(paths.root)
    os.execve(command[0], command, role_env(dict(os.environ), paths, java))


if __name__ == "__main__":
    main()
