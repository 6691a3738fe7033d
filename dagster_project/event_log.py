"""Dagster's event log in SQLite with its connections kept open, and with what every check asks for kept in memory.

A night reports more than a thousand checks. For each, Dagster's own storage opens, syncs and closes a connection several
times, looks whether the table of checks exists, and reads the newest materialization of the checked table twice, up to
250 kB of column lineage; measured in `tests/bench/bench_event_log.py`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as db
from dagster import AssetKey, AssetRecordsFilter, EventLogEntry, EventRecordsResult
from dagster._core.events import ASSET_CHECK_EVENTS
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import StaticPool

# The index and the shards of a few runs; a web server that lists many runs must not keep them all open.
OPEN_SHARDS = 8
_BUSY_SECONDS = 60
# Materializations kept in memory; a web server that is only looked at would otherwise keep those of every night.
_MOST_NEWEST = 100


@dataclass(frozen=True)
class _Newest:
    """The newest materialization of what was asked for, as long as nobody has written one.

    `version` is SQLite's number of the file's content, another one whenever another connection has written.
    """

    version: int = -1
    found: dict[Hashable, EventRecordsResult] = field(default_factory=dict)


class KeptOpenEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` with one connection per open shard, in the same files.

    With a write-ahead log `synchronous = NORMAL` keeps the file whole whatever happens; a power cut may lose the last
    events of a run, which `close_orphans` then marks failed.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, db.Engine] = OrderedDict()
        self._found: set[str] = set()
        self._newest = _Newest()
        self._this_thread = threading.local()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> KeptOpenEventLogStorage:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                before = _changes(connection)
                yield connection
                if _changes(connection) != before and shard == INDEX_SHARD_NAME and not self._stores_a_check:
                    self._newest = _Newest()  # before the commit: who reads again waits for the lock

    def _engine(self, shard: str) -> db.Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        engine = db.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,  # one connection, guarded by the storage's own lock
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        )
        db.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = NORMAL"))
        self._engines[shard] = engine
        if shard == INDEX_SHARD_NAME:
            self._newest = _Newest()
        while len(self._engines) > OPEN_SHARDS:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    @property
    def _stores_a_check(self) -> bool:
        return getattr(self._this_thread, "stores_a_check", False)

    def store_event(self, event: EventLogEntry) -> None:
        """As Dagster's own."""
        self._this_thread.stores_a_check = event.dagster_event_type in ASSET_CHECK_EVENTS
        try:
            super().store_event(event)
        finally:
            self._this_thread.stores_a_check = False

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; one that was found is not looked for again, since none is ever dropped."""
        if table_name not in self._found and super().has_table(table_name):
            self._found.add(table_name)
        return table_name in self._found

    def fetch_materializations(
        self,
        records_filter: AssetKey | AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecordsResult:
        """As Dagster's own; the newest of an asset's partitions is kept until anything but a check is written here, or
        anything at all by another process."""
        asked = _newest_of(records_filter) if (limit, cursor, ascending) == (1, None, False) else None
        if asked is None:
            return super().fetch_materializations(records_filter, limit, cursor, ascending)
        with self.index_connection() as connection:
            version: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        kept = self._newest
        if version != kept.version or len(kept.found) >= _MOST_NEWEST:
            kept = self._newest = _Newest(version)
        if asked not in kept.found:
            kept.found[asked] = super().fetch_materializations(records_filter, limit)
        return kept.found[asked]

    @property
    def open_shards(self) -> tuple[str, ...]:
        """Shards with an open connection, oldest use first."""
        return tuple(self._engines)

    def dispose(self) -> None:
        """Close every connection."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()


def _changes(connection: db.Connection) -> int:
    """Rows that were inserted, changed or deleted through this connection since it was opened."""
    return int(connection.connection.driver_connection.total_changes)  # type: ignore[union-attr]


def _newest_of(records_filter: AssetKey | AssetRecordsFilter) -> Hashable | None:
    """The asset and its partitions, where a filter asks for nothing else."""
    if isinstance(records_filter, AssetKey):
        return records_filter, None
    key, partitions = records_filter.asset_key, records_filter.asset_partitions
    if records_filter != AssetRecordsFilter(asset_key=key, asset_partitions=partitions):
        return None
    return key, None if partitions is None else tuple(partitions)
