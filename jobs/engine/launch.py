"""Start the server process: command, environment, port, token. Whether it answers is `lifecycle`'s to find out."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

from contracts.settings import Settings
from jobs.engine.config import java_options, log4j_text, properties_text, spark_conf
from jobs.engine.jars import DELTA_VERSION, delta_jars, own_env, pyspark_home
from jobs.engine.java import find_java
from jobs.engine.paths import EnginePaths
from jobs.engine.state import EngineState, write_private, write_state

log = logging.getLogger(__name__)

MAIN_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"


def free_port() -> int:
    """A loopback port that is free now; one that is taken in the meantime makes the server die and be restarted."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_command(config: Settings, paths: EnginePaths, java: Path, jars: list[Path]) -> list[str]:
    """Spark's own jars stand first: where a Delta dependency is shipped by both, Spark's newer one is used."""
    classpath = ":".join([str(pyspark_home() / "jars" / "*"), *map(str, jars)])
    submit = ["org.apache.spark.deploy.SparkSubmit", "--properties-file", str(paths.conf / "engine.conf")]
    options = java_options(config, paths)
    return [str(java), *options, "-cp", classpath, *submit, "--class", MAIN_CLASS, "spark-internal"]


def server_env(base: dict[str, str], paths: EnginePaths, token: str) -> dict[str, str]:
    """The server's environment, and so that of its Python workers."""
    return {
        **own_env(base),
        "SPARK_HOME": str(pyspark_home()),
        "SPARK_CONF_DIR": str(paths.conf),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        # Else workers start the system's Python, which has no pyarrow.
        "PYSPARK_PYTHON": sys.executable,
        # One worker runs per core already; a threaded BLAS in each would only make them wait for one another.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def write_config(config: Settings, paths: EnginePaths, port: int, token: str) -> None:
    """Write what the server reads when it starts, and the token that its clients read."""
    write_private(paths.conf / "engine.conf", properties_text(spark_conf(config, paths, port)))
    write_private(paths.conf / "log4j2.properties", log4j_text(paths))
    write_private(paths.token, token)


def clear_scratch(paths: EnginePaths) -> None:
    """Remove what a killed server left; a stopped one removes its own."""
    shutil.rmtree(paths.scratch, ignore_errors=True)
    paths.scratch.mkdir(mode=0o700)


def start_detached(
    command: list[str], env: dict[str, str], output: Path, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that it outlives this one and its terminal; `output` is written anew."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(written)


def launch(config: Settings, paths: EnginePaths) -> tuple[EngineState, subprocess.Popen[bytes]]:
    """Start the JVM.

    Its pid is on disk before anything waits for it: a starter that is killed meanwhile leaves a server that the next
    one finds.
    """
    java, major = find_java()
    jars = delta_jars(paths)
    clear_scratch(paths)
    if paths.log.exists():
        paths.log.replace(paths.previous_log)
    port, token = free_port(), secrets.token_urlsafe(32)
    write_config(config, paths, port, token)
    command, env = server_command(config, paths, java, jars), server_env(dict(os.environ), paths, token)
    child = start_detached(command, env, paths.console, cwd=paths.root)
    state = EngineState(
        pid=child.pid,
        create_time=psutil.Process(child.pid).create_time(),
        port=port,
        memory=config.engine_memory,
        warehouse=config.warehouse_url,
        java=f"{java} ({major})",
        versions={"spark": version("pyspark"), "delta": DELTA_VERSION, "python": sys.version.split()[0]},
    )
    write_state(paths.launching, state)
    log.info("starting the engine (pid %d, port %d, heap %s)", state.pid, port, config.engine_memory)
    return state, child
