"""The process that the engine forks its Python workers from, with the slow imports done before the fork.

Spark's own daemon imports only itself, so each new worker spends seconds on pandas and pyarrow; Spark ends idle workers
after a minute, so a night would pay that many times. Set by `spark.python.daemon.module`.
"""

from __future__ import annotations

import pandas  # noqa: F401
import pyarrow  # noqa: F401
import pyspark.sql.pandas.serializers
import pyspark.worker  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()  # type: ignore[no-untyped-call]
