"""A folder that the Spark server can read, for what this process hands to it.

Embedded engine: a folder in the state folder. Other endpoint: a folder beside the warehouse's tables: the same path on a
shared file system, or, for a warehouse URL, uploaded through the session.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession

from contracts.errors import ConfigError
from contracts.settings import settings


@dataclass(frozen=True)
class Stage:
    """A place to write files and the way the server names them.

    Attributes:
        folder: local; emptied when landing ends, whatever happens.
        upload_to: URL of the folder to upload to; None where the server sees `folder` itself.
        is_shared: the server may see only `folder`, not the delivered files' own place.
    """

    folder: Path
    upload_to: str | None
    is_shared: bool

    def visible(self, spark: SparkSession, path: Path, name: str) -> str:
        """How the server names `path`, after making it visible as `name` where it is not in `folder`.

        Not under its own name: to Spark names are patterns, and `claims[1].parquet` or one with a colon is no file.

        Raises:
            ConfigError: the endpoint takes no upload.
        """
        if self.upload_to is None:
            return str(path if path.parent == self.folder else self._put(path, self.folder / name))
        target = f"{self.upload_to}/{name}"
        try:
            spark.copyFromLocalToFs(str(path), target)
        except PySparkException as error:
            raise ConfigError(
                "The Spark endpoint cannot be given files.",
                expected="an object store or HDFS as OUTREACH_WAREHOUSE that the server may write",
                actual=type(error).__name__,
                todo="set OUTREACH_WAREHOUSE to storage that this process and the server share.",
            ) from error
        return target

    def _put(self, path: Path, target: Path) -> Path:
        if self.is_shared:
            shutil.copyfile(path, target)
        else:
            target.symlink_to(path)
        return target


@contextmanager
def staging(source: str, run_id: str) -> Iterator[Stage]:
    """A fresh stage for one landing of `source`; what killed ones left behind is removed first.

    The caller holds the source's lock, so that no other landing of it is at work. What was uploaded to a warehouse URL
    stays there: a Connect session has no means to delete files.
    """
    config = settings()
    is_remote, is_url = config.spark_remote is not None, "://" in config.warehouse_url
    shared = is_remote and not is_url
    parent = (Path(config.warehouse_url) if shared else config.home) / "_ingest"
    for stale in parent.glob(f"{source}-*"):
        shutil.rmtree(stale)
    folder = parent / f"{source}-{run_id}"
    folder.mkdir(mode=0o700, parents=True)
    if shared:
        folder.chmod(0o755)  # the server runs as another user
    try:
        yield Stage(folder, f"{config.warehouse_url}/_ingest/{folder.name}" if is_remote and is_url else None, shared)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
