"""The calls of a night, each under the number by which a care system gives its outcome back."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.errors import UserError
from contracts.programs import Program, programs
from contracts.roles import Role
from contracts.settings import Settings
from jobs.access_audit import local_reader, record_access
from jobs.query import duck
from jobs.query.access import readable
from jobs.query.nights import no_such_night, published_nights
from jobs.row_key import pseudonym_secret

if TYPE_CHECKING:
    import duckdb

_TABLE = "outreach.priority"


@dataclass(frozen=True)
class Call:
    """One member to be called: a row of `outreach.priority` and what its program adds.

    Attributes:
        contact_id: 32 hex digits; the same whenever the night is exported, and telling nothing of the member.
        row: as published.
        program: its configuration.
    """

    contact_id: str
    row: dict[str, Any]
    program: Program

    @property
    def channel(self) -> str:
        """How to make the offer."""
        return str(offer_of(self.row)[0])

    @property
    def team(self) -> str:
        """Who makes it."""
        return str(offer_of(self.row)[1])


def calls_of_night(data_source: str, night: dt.date | None, config: Settings) -> tuple[dt.date, list[Call]]:
    """A published night (None: the last) and its calls in the order of the list; it may call nobody. Put on the access record.

    Raises:
        UserError: the role may not read members' numbers, the night was not published, or a program of its calls is no
            longer configured.
    """
    connection = _opened(config, door="export")
    nights = published_nights(data_source, config)
    night = night or next(iter(nights), None)
    if night is None or night not in nights:
        raise no_such_night(night, data_source, nights)
    sql = f"""select * from {_TABLE} where data_source = $source and decision in ('outreach', 'explore')
        and run_date = $night order by program, priority_rank, member_id"""
    rows = connection.sql(sql, params={"source": data_source, "night": night}).to_arrow_table().to_pylist()
    return night, [_call(row) for row in rows]


def calls_by_contact(data_source: str, config: Settings) -> dict[str, dict[str, Any]]:
    """Rows of every call that was ever published, by contact number: a few hundred a night.

    Their programs need not be configured any more: outcomes come back for weeks after a program has ended.
    """
    connection = _opened(config, door="dispositions")
    sql = f"select * from {_TABLE} where data_source = $source and decision in ('outreach', 'explore')"
    rows = connection.sql(sql, params={"source": data_source}).to_arrow_table().to_pylist()
    return {contact_id(row): row for row in rows}


def offer_of(row: dict[str, Any]) -> tuple[str | None, str | None]:
    """Channel and team of a call; None what neither the row nor today's programs tell.

    A night published before rows had a channel has the program's first.
    """
    program = programs().programs.get(row["program"])
    channel = row.get("channel") or (program.first_channel if program else None)
    how = program.channels.get(channel) if program and channel else None
    return channel, how.team if how else None


def _opened(config: Settings, *, door: str) -> duckdb.DuckDBPyConnection:
    if "outreach" not in config.role.identified_layers:
        raise UserError(
            f"The role {config.role.value} does not see members' numbers, which care systems need.",
            expected=f"OUTREACH_ROLE={Role.CARE_MANAGER.value} or {Role.STEWARD.value}",
            todo="set it for this command, if you are entitled to it (docs/sql.md).",
        )
    names = readable([_TABLE], config.role)
    if (why := duck.elsewhere(config)) is not None:
        raise UserError(f"The list cannot be read: {why}.", todo="export where it is.")
    duck.require(names, config)
    record_access(local_reader(door, config), engine="duckdb", tables=(_TABLE,), is_identified=True)
    return duck.connect(names, config)


def _call(row: dict[str, Any]) -> Call:
    if offer_of(row)[1] is None:
        raise UserError(
            f"The list of {row['run_date']} calls for {row['program']} through {row.get('channel') or 'a channel'}, which the"
            " programs file no longer has, so that its offer and its team are not known.",
            todo="hand over a later night, or put the program and its channel back into the programs file.",
        )
    return Call(contact_id(row), row, programs().programs[row["program"]])


def contact_id(row: dict[str, Any]) -> str:
    """Keyed, so that it cannot be guessed back to the member, and the same for every export of the night."""
    named = "|".join(("contact", row["data_source"], row["run_date"].isoformat(), row["program"], row["member_id"]))
    return hmac.new(pseudonym_secret(), named.encode(), hashlib.sha256).hexdigest()[:32]
