"""The embedded engine's metastore is a cache, so that a state folder can be moved, copied and restored from a backup.

Hive's metastore holds the tables' absolute locations: in a copied state folder the copy's engine would go on writing the
original's tables. Each metastore therefore notes for which warehouse it was made. One made for another is thrown away, and the
tables found in the warehouse are registered anew. Their schema, comments and partitions stand in Delta's own log and the views
in `contracts/views.py`: what is lost are names and locations, and those are what has changed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contracts.compile.literals import sql_string
from contracts.settings import Settings
from jobs.engine.paths import EnginePaths
from jobs.engine.state import write_private

log = logging.getLogger(__name__)

_AT_ONCE = 4


def _note(paths: EnginePaths) -> Path:
    return paths.metastore / "warehouse"


def is_known(config: Settings, paths: EnginePaths) -> bool:
    """Whether the metastore holds the tables of the warehouse that the settings name."""
    note = _note(paths)
    return note.exists() and note.read_text(encoding="utf-8") == config.warehouse_url


def forget_others(config: Settings, paths: EnginePaths) -> None:
    """Throw a metastore away that was made for another warehouse, or not made to the end. No server may run."""
    if not is_known(config, paths):
        shutil.rmtree(paths.metastore, ignore_errors=True)
        paths.prepare()


def register_tables(url: str, config: Settings, paths: EnginePaths) -> None:
    """Register every table of the warehouse and its views with a server whose metastore does not know them.

    Args:
        url: connect string of the server, which nobody else uses yet.
        config: names the warehouse.
        paths: of the engine; a note in its metastore says that it is done.
    """
    if is_known(config, paths):
        return
    is_folder = "://" not in config.warehouse_url
    if is_folder:
        _clear_seeds(config)
    tables = dict(_folders(Path(config.warehouse_url)) if is_folder else _locations(config.warehouse_url))
    if tables:
        registered = _register(url, tables, are_tables=is_folder)
        if registered:
            log.warning("registered %d tables found in %s", registered, config.warehouse_url)
    write_private(_note(paths), config.warehouse_url)


def _folders(warehouse: Path) -> Iterator[tuple[str, str]]:
    for table in sorted(warehouse.glob("*.db/*")):
        if (table / "_delta_log").is_dir():
            yield f"{table.parent.name.removesuffix('.db')}.{table.name}", str(table)


def _clear_seeds(config: Settings) -> None:
    """Remove the tables of dbt's seeds, which the next build loads again: dbt drops them first, and of a table that was registered
    at a place only the name would go."""
    from jobs.dbt import PROJECT, seeds_marker

    for seed in (PROJECT / "seeds").glob("*.csv"):
        shutil.rmtree(Path(config.warehouse_url) / "core.db" / seed.stem, ignore_errors=True)
    seeds_marker(config).unlink(missing_ok=True)


def _locations(warehouse: str) -> Iterator[tuple[str, str]]:
    """Where the tables that have a contract would be in a store whose folders cannot be listed from here."""
    from contracts.catalog import catalog

    for name in catalog():
        schema, table = name.split(".")
        yield name, f"{warehouse.rstrip('/')}/{schema}.db/{table}"


def _register(url: str, tables: dict[str, str], *, are_tables: bool) -> int:
    """How many tables were registered; `are_tables` False: not every location holds one."""
    from pyspark.errors import AnalysisException
    from pyspark.sql.connect.session import SparkSession

    from contracts.views import VIEWS

    spark = SparkSession.builder.remote(url).appName("registration").create()

    def add(item: tuple[str, str]) -> str | None:
        name, location = item
        if not are_tables:
            try:
                spark.sql(f"DESCRIBE DETAIL delta.`{location}`")
            except AnalysisException:  # no table there
                return None
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING delta LOCATION {sql_string(location)}")
        return name

    try:
        for schema in sorted({name.split(".")[0] for name in tables}):
            spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            there = {name for name in pool.map(add, tables.items()) if name is not None}
        for view in VIEWS.values():
            if there.issuperset(view.reads):
                spark.sql(view.statement)
                there.add(view.name)
        return len(there - VIEWS.keys())
    finally:
        spark.stop()
