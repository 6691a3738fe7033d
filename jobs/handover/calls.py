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
        """How to make the offer; a night published before channels were has the program's first."""
        return str(self.row.get("channel") or self.program.first_channel)

    @property
    def team(self) -> str:
        """Who makes it."""
        return self.program.channels[self.channel].team


def calls_of_night(data_source: str, night: dt.date | None, config: Settings) -> list[Call]:
    """The calls of a published night (None: the last), in the order of the list. Put on the access record.

    Raises:
        UserError: the role may not read members' numbers, or the night was not published.
    """
    connection = _opened(config, door="export")
    sql = f"""select * from {_TABLE} where data_source = $source and decision in ('outreach', 'explore')
        and run_date = coalesce(cast($night as date), (select max(run_date) from {_TABLE} where data_source = $source))
        order by program, priority_rank, member_id"""
    rows = connection.sql(sql, params={"source": data_source, "night": night}).to_arrow_table().to_pylist()
    if not rows:
        nights = published_nights(data_source, config)
        if night is None and nights:
            raise UserError(f"The last list of {data_source}, of {nights[0]}, calls nobody.")
        if night not in nights:
            raise no_such_night(night, data_source, nights)
    return [_call(row) for row in rows]


def calls_by_contact(data_source: str, config: Settings) -> dict[str, Call]:
    """Every call that was ever published, by its contact number: a few hundred a night."""
    connection = _opened(config, door="dispositions")
    sql = f"select * from {_TABLE} where data_source = $source and decision in ('outreach', 'explore')"
    rows = connection.sql(sql, params={"source": data_source}).to_arrow_table().to_pylist()
    return {call.contact_id: call for call in map(_call, rows)}


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
    return Call(contact_id(row), row, programs().programs[row["program"]])


def contact_id(row: dict[str, Any]) -> str:
    """Keyed, so that it cannot be guessed back to the member, and the same for every export of the night."""
    named = "|".join(("contact", row["data_source"], row["run_date"].isoformat(), row["program"], row["member_id"]))
    return hmac.new(pseudonym_secret(), named.encode(), hashlib.sha256).hexdigest()[:32]
