"""Which nights are published, from the Delta files: no engine is started to say that there is no such night."""

from __future__ import annotations

import datetime as dt

from contracts.errors import UserError
from contracts.settings import Settings
from jobs.query import duck
from jobs.query.access import readable

_TABLE = "outreach.program_summary"
_NAMED = 3


def published_nights(data_source: str, config: Settings) -> list[dt.date]:
    """The published nights of a source, the last first; the warehouse must be a folder of this machine."""
    if not duck.is_there(_TABLE, config):
        return []
    connection = duck.connect(readable([_TABLE], config.role), config)
    sql = f"select distinct run_date from {_TABLE} where data_source = $source order by run_date desc"
    return [row["run_date"] for row in duck.fetch(connection, sql, {"source": data_source}).to_pylist()]


def no_such_night(night: dt.date | None, data_source: str, nights: list[dt.date]) -> UserError:
    """The words for a night that is not published (None: for none being), with the last ones that are."""
    what = f"No list of {data_source} is published for {night or 'any night'}."
    if not nights:
        return UserError(what, todo=f"`outreach nightly --source {data_source}` publishes one.")
    last = ", ".join(str(each) for each in nights[:_NAMED])
    verb = "is" if len(nights) == 1 else "are"
    return UserError(what, expected=f"a published night; the last {verb} {last}")
