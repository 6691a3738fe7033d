"""Everything that `outreach explain` tells of one member, program and night."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from contracts.deidentify import shown_columns, shown_value
from contracts.dictionary import dictionary
from contracts.errors import ModelUnavailableError, UserError
from contracts.roles import Role
from contracts.settings import Settings
from jobs.access_audit import local_reader, record_access
from jobs.explain.contributions import Contributions, contributions
from jobs.explain.similar import READS, Similar, similar
from jobs.query import duck
from jobs.query.access import readable
from jobs.query.nights import no_such_night, published_nights
from jobs.row_key import pseudonym_secret

if TYPE_CHECKING:
    import duckdb

_FEATURES = "features.member_feature"


@dataclass(frozen=True)
class Explanation:
    """One row of a list and what stands behind it; it names the member nowhere.

    Attributes:
        row: of `outreach.priority`, without the member.
        contributions: what moved the score; None with `unexplained` saying why.
        similar: past members whom the model saw alike.
        fresh: per kind of delivered file: the last delivery that the night could know, and its age in days.
    """

    row: dict[str, Any]
    contributions: Contributions | None
    unexplained: str | None
    similar: Similar | None
    fresh: list[dict[str, Any]]


def explain(member: str, program: str, night: dt.date | None, data_source: str, config: Settings) -> Explanation:
    """Gather it; put on record first that somebody did.

    Args:
        member: the member's identifier, or for an analyst the pseudonym that `outreach sql` shows.
        program: its key.
        night: a published one; None: the last.
        data_source: of the member.
        config: settings; the role is one of them.

    Raises:
        UserError: nothing was published for that member, program and night.
    """
    wanted = ["outreach.priority", _FEATURES, *READS, "ops.input_file"]
    there = [name for name in wanted if (duck.delta_folder(name, config) / "_delta_log").is_dir()]
    if "outreach.priority" not in there:
        raise UserError("No night has been published yet.", todo="run `outreach nightly` first.")
    nights = published_nights(data_source, config)
    night = night or next(iter(nights), None)
    if night not in nights:
        raise no_such_night(night, data_source, nights)
    is_identified = "outreach" in config.role.identified_layers
    record_access(local_reader("explain", config), engine="duckdb", tables=tuple(there), is_identified=is_identified)
    connection = duck.connect(readable(there, Role.STEWARD), config)
    parameters = {"member": member, "program": program, "night": night, "source": data_source}
    row = _one(
        connection,
        f"""select * from outreach.priority where data_source = $source and run_date = $night and program = $program
        and {_identifier("outreach.priority", is_identified)} = $member""",
        parameters,
    )
    if row is None:
        raise UserError(
            f"Nothing was published for this member, {program}, {data_source} and {night}.",
            expected="an identifier as `outreach sql` shows it to this role",
        )
    found, why = _contributions(connection, row) if _FEATURES in there else (None, "its features are not here")
    alike = similar(connection, row) if set(READS) <= set(there) else None
    fresh = _fresh(connection, data_source, night) if "ops.input_file" in there else []
    shown = {
        name: value if is_identified else shown_value(name, value) for name, value in row.items() if name != "member_id"
    }
    return Explanation(shown, _shown(found, is_identified), why, alike, fresh)


def _identifier(table: str, is_identified: bool) -> str:
    """SQL of the member as the role names them."""
    if is_identified:
        return "member_id"
    columns = shown_columns(dictionary()[table], pseudonym_secret(), "duckdb")
    return next(column.sql for column in columns if column.name == "member_id")


def _one(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    rows = duck.fetch(connection, sql, parameters).to_pylist()
    return rows[0] if rows else None


def _contributions(
    connection: duckdb.DuckDBPyConnection, row: dict[str, Any]
) -> tuple[Contributions | None, str | None]:
    """What moved the score, or why that cannot be told."""
    from jobs.fitness import unfit
    from jobs.registry import load_scorer, model_version

    name, _, version = row["model_version"].partition("/")
    if not version:
        return None, "no model scored; the program's simple rule ranked, or the program is blocked"
    try:
        model = model_version(name, int(version))
        if (reason := unfit(model)) is not None:
            return None, f"{model.label} may not be used here: {reason}"
        scorer = load_scorer(model.scorer_path)
    except ModelUnavailableError as error:
        return None, error.what
    keys = {name: row[name] for name in ("data_source", "member_id", "run_date")}
    features = connection.sql(
        f"""select * from {_FEATURES}
        where data_source = $data_source and member_id = $member_id and as_of_date = $run_date""",
        params=keys,
    ).df()
    if features.empty:
        return None, "the night's features of this member are not here"
    meanings = {c.name: c.description for c in dictionary()[_FEATURES].columns}
    found = contributions(scorer, features, meanings)
    return found, None if found else "the model gives no reasons"


def _fresh(connection: duckdb.DuckDBPyConnection, data_source: str, night: dt.date) -> list[dict[str, Any]]:
    """The last landed delivery per kind of file up to the night."""
    rows = connection.sql(
        """select entity, max(file_date) as last_delivery, cast($night as date) - max(file_date) as age_days
        from ops.input_file where data_source = $source and status = 'landed' and file_date <= $night
        group by entity order by entity""",
        params={"source": data_source, "night": night},
    )
    return rows.to_arrow_table().to_pylist()


def _shown(found: Contributions | None, is_identified: bool) -> Contributions | None:
    """For an analyst, values as de-identified views show them."""
    if found is None or is_identified:
        return found
    return replace(
        found, parts=tuple(replace(part, value=shown_value(part.feature, part.value)) for part in found.parts)
    )
