"""The Delta jars: resolved once by Spark's own resolver, checked against pinned hashes, then used offline.

They are kept beside the Python packages whose version they must match (`<environment>/share/outreach-uplift`), so
every state folder shares them; where that is read-only, in the state folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from contracts.errors import EngineError
from jobs.engine.java import find_java
from jobs.engine.paths import EnginePaths
from jobs.engine.trust import trust_options

log = logging.getLogger(__name__)

DELTA_VERSION = "4.4.0"
COORDINATE = f"io.delta:delta-spark_4.1_2.13:{DELTA_VERSION}"
_RESOLVE_SECONDS = 600
_FOREIGN_PREFIXES = ("SPARK_", "PYSPARK_", "HADOOP_", "HIVE_", "YARN_")

# Spark ships these itself, mostly newer; the logging ones also break resolution beside a half-filled ~/.m2.
EXCLUDED = (
    "org.slf4j:slf4j-api",
    "org.apache.logging.log4j:log4j-api",
    "org.apache.logging.log4j:log4j-core",
    "org.apache.logging.log4j:log4j-slf4j2-impl",
    "org.apache.hadoop:hadoop-client-api",
    "org.apache.hadoop:hadoop-client-runtime",
    "org.apache.parquet:parquet-column",
    "org.apache.parquet:parquet-common",
    "org.apache.parquet:parquet-encoding",
    "org.apache.parquet:parquet-format-structures",
    "org.apache.parquet:parquet-hadoop",
    "org.apache.parquet:parquet-jackson",
    "com.fasterxml.jackson.core:jackson-annotations",
    "com.fasterxml.jackson.core:jackson-core",
    "com.fasterxml.jackson.core:jackson-databind",
    "com.github.luben:zstd-jni",
    "com.google.code.findbugs:jsr305",
    "commons-pool:commons-pool",
    "io.airlift:aircompressor",
    "org.locationtech.jts:jts-core",
    "org.roaringbitmap:RoaringBitmap",
    "org.xerial.snappy:snappy-java",
    "commons-logging:commons-logging",
    "com.fasterxml.jackson.datatype:jackson-datatype-jdk8",
    "javax.annotation:javax.annotation-api",
    "org.roaringbitmap:shims",
)

# Ivy names a jar <organisation>_<artifact>-<version>.
SHA256: dict[str, str] = {
    "io.delta_delta-kernel-api-4.4.0.jar": "ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11",
    "io.delta_delta-kernel-defaults-4.4.0.jar": "225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b",
    "io.delta_delta-kernel-unitycatalog-4.4.0.jar": "cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa",
    "io.delta_delta-spark_4.1_2.13-4.4.0.jar": "75a9400986853c061f5109f012547de2545a5759e5e752e5ef633dabe16a4f10",
    "io.delta_delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
    "io.unitycatalog_unitycatalog-client-0.6.0.jar": "48257499a86b801a3e2372cec55ac226ca1c1c7eabe5c118e7302f29a1fdbc19",
    "io.unitycatalog_unitycatalog-hadoop-0.6.0.jar": "c47b63c961c87102b9e1d63809a0915ba4c86b7652f57c8d39ca3a05b441a150",
}


def pyspark_home() -> Path:
    """The installed `pyspark` package, which is a whole Spark distribution."""
    import pyspark

    return Path(pyspark.__file__).parent


def own_env(base: dict[str, str]) -> dict[str, str]:
    """The environment less what a shell says about another Spark, which must not reach this one."""
    return {key: value for key, value in base.items() if not key.startswith(_FOREIGN_PREFIXES)}


def check_versions() -> None:
    """Refuse a Delta wheel that does not match the jar: a newer wheel exists for which no jar was published."""
    installed = version("delta-spark")
    if installed != DELTA_VERSION:
        raise EngineError(
            "The delta-spark wheel does not match the pinned Delta jar.",
            expected=f"delta-spark {DELTA_VERSION}",
            actual=f"delta-spark {installed}",
            todo="run `make setup`, which installs the locked versions.",
        )


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def stores(paths: EnginePaths) -> list[Path]:
    """Folders that may hold the jars, in the order in which they are tried."""
    shared = Path(sys.prefix) / "share" / "outreach-uplift" / f"delta-{DELTA_VERSION}"
    return [shared, paths.root / f"delta-{DELTA_VERSION}"]


@cache
def is_complete(store: Path) -> bool:
    """True when every pinned jar is there and unaltered."""
    return all((store / name).is_file() and sha256(store / name) == digest for name, digest in SHA256.items())


def delta_jars(paths: EnginePaths) -> list[Path]:
    """The verified jars, downloading them on first use.

    Raises:
        EngineError: they are not there and cannot be downloaded, or what came differs from the pinned hashes.
    """
    check_versions()
    for store in stores(paths):
        if is_complete(store):
            return [store / name for name in SHA256]
    store = next(candidate for candidate in stores(paths) if _writable(candidate))
    log.info("downloading the Delta jars (%s), once for this environment", COORDINATE)
    _install(_resolve(paths), store)
    is_complete.cache_clear()
    return [store / name for name in SHA256]


def _writable(store: Path) -> bool:
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(store, os.W_OK)


def resolve_command(java: Path, ivy: Path, trust: list[str]) -> list[str]:
    """Spark's resolver followed by a program of Derby's that merely prints versions.

    Resolution thus is a step of its own: its failure is not mistaken for a server that does not start.
    """
    spark = ["org.apache.spark.deploy.SparkSubmit", "--packages", COORDINATE]
    excludes = ["--exclude-packages", ",".join(EXCLUDED), "--conf", f"spark.jars.ivy={ivy}"]
    classpath = str(pyspark_home() / "jars" / "*")
    nothing = ["--class", "org.apache.derby.tools.sysinfo", "spark-internal"]
    return [str(java), "-Xmx256m", *trust, "-cp", classpath, *spark, *excludes, *nothing]


def _resolve(paths: EnginePaths) -> Path:
    """Run the resolver; its jar folder."""
    java, _ = find_java()
    env = {**own_env(dict(os.environ)), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_CONF_DIR": str(paths.conf)}
    with tempfile.TemporaryDirectory(dir=paths.scratch) as folder:
        command = resolve_command(java, paths.ivy, trust_options(Path(folder)))
        try:
            done = subprocess.run(
                command, env=env, cwd=folder, capture_output=True, text=True, timeout=_RESOLVE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _no_download(f"no answer within {_RESOLVE_SECONDS} s") from error
    if done.returncode != 0:
        paths.console.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise _no_download(_reason(done.stderr))
    return paths.ivy / "jars"


def _reason(output: str) -> str:
    """The line of the resolver's output that says why, for a message that fits on a screen."""
    lines = [line.strip() for line in output.splitlines()]
    telling = [line for line in lines if "Exception" in line or "access error" in line or "not found" in line]
    return (telling or lines or ["no output"])[0][:300]


def _no_download(reason: str) -> EngineError:
    return EngineError(
        f"The Delta jars ({COORDINATE}) could not be downloaded.",
        expected="the Maven repository to be reachable, on the first start only",
        actual=reason,
        todo="check network and proxy and try again; `outreach engine logs` has the resolver's whole output.",
    )


def _install(resolved: Path, store: Path) -> None:
    """Copy each pinned jar in one step, so that an interrupted copy is not taken for a jar."""
    for name, digest in SHA256.items():
        source = resolved / name
        if not source.is_file() or sha256(source) != digest:
            raise EngineError(
                f"The downloaded jar {name} is not the one this project was built with.",
                expected=f"SHA-256 {digest}",
                actual=sha256(source) if source.is_file() else "no such file",
                todo="remove the ivy folder of the engine's state folder and try again; tell us if it stays.",
            )
        scratch = store / f".{name}.{os.getpid()}"
        shutil.copyfile(source, scratch)
        scratch.replace(store / name)
