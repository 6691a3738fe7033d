"""What a statement may name, by role: tables as they are, de-identified, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from contracts.deidentify import Shown, is_days_since, shown_columns, view_columns
from contracts.dictionary import TableEntry, dictionary
from contracts.errors import UserError
from contracts.roles import Role
from jobs.row_key import pseudonym_secret


@dataclass(frozen=True)
class Readable:
    """What a statement reads.

    Attributes:
        entries: every table and view needed, also those that views read, each after what it reads.
        identified: names whose rows are readable as they are although they hold what identifies people.
        role: in force.
    """

    entries: tuple[TableEntry, ...]
    identified: tuple[str, ...]
    role: Role

    def select_list(self, entry: TableEntry, engine: str, put: Callable[[str], str] = repr) -> str | None:
        """SQL of a table's de-identified columns; None where the role reads it as it is.

        `put` gives the SQL of a half of a pseudonyms' key, by default as a text.
        """
        if not entry.holds_phi and not _may_tell(entry):
            return None
        if entry.schema in self.role.identified_layers:
            return None
        shown = shown_columns(entry, pseudonym_secret(), engine, put)
        return ", ".join(c.sql if c.sql == c.name else f"{c.sql} as {c.name}" for c in shown)


def readable(names: Iterable[str], role: Role) -> Readable:
    """Resolve the names of a statement.

    Raises:
        UserError: no such table, or the role may not read it.
    """
    known = dictionary()
    wanted: list[str] = []
    for name in names:
        _need(name, role)
        _collect(name, wanted)
    entries = tuple(entry for entry in known.values() if entry.name in wanted)
    identified = tuple(e.name for e in entries if e.sql is None and e.holds_phi and e.schema in role.identified_layers)
    return Readable(entries, identified, role)


def described(name: str, role: Role) -> tuple[TableEntry, tuple[Shown, ...]]:
    """A table or view and its columns as the role sees them.

    Raises:
        UserError: no such table, or the role may not read it.
    """
    entry = _need(name, role)
    if entry.schema in role.identified_layers:
        return entry, tuple(Shown(c.name, c.type, c.description, c.name) for c in entry.columns)
    return entry, view_columns(entry) if entry.sql is not None else shown_columns(entry, b"", "duckdb")


def shown_schemas(role: Role, like: str = "*") -> list[str]:
    """Layers that the role may read, of those whose names fit the pattern."""
    return [layer for layer in role.layers if _fits(layer, like)]


def shown_tables(schema: str | None, role: Role, like: str = "*") -> tuple[TableEntry, ...]:
    """What the role may read, by name, of what fits the pattern."""
    found = [e for e in dictionary().values() if e.schema in role.layers and schema in (None, e.schema)]
    return tuple(sorted((e for e in found if _fits(e.name.split(".")[1], like)), key=lambda e: e.name))


def not_there(missing: Sequence[str], *, has_night: bool) -> UserError:
    """The words for tables that no night has made yet.

    Args:
        missing: their names, at least one.
        has_night: whether any night was published.
    """
    if not has_night:
        todo = "`outreach nightly` publishes one; `outreach demo` makes a whole example."
        return UserError("No night has been published yet.", todo=todo)
    verb = "is" if len(missing) == 1 else "are"
    by_training = all(name.startswith("causal.") for name in missing)
    todo = (
        "a training makes it: `outreach train`."
        if by_training
        else "a night makes what it has rows for: `outreach nightly`."
    )
    return UserError(f"{', '.join(missing)} {verb} not there yet.", todo=todo)


def columns_hint(tables: Iterable[str]) -> str | None:
    """Where the columns of the tables that a statement names are listed; None where it names none."""
    asked = [f'`outreach sql "describe {name}"`' for name in tables]
    return f"{' and '.join(asked)} {'lists' if len(asked) == 1 else 'list'} the columns." if asked else None


def _fits(name: str, like: str) -> bool:
    """As `SHOW TABLES LIKE` compares: `*` (in Hive's newer drivers `%`) is any text, `|` stands between alternatives."""
    return any(fnmatchcase(name, part.strip()) for part in like.lower().replace("%", "*").split("|"))


def _need(name: str, role: Role) -> TableEntry:
    entry = dictionary().get(name)
    schema = name.split(".")[0]
    if schema not in role.layers:
        raise UserError(
            f"The role {role.value} may not read {name}.",
            expected=f"tables of {', '.join(role.layers)}",
            todo="ask in a role that may, if you are entitled to it (docs/sql.md).",
        )
    if entry is None:
        raise UserError(f"There is no table {name}.", todo='`outreach sql "show tables"` lists them.')
    return entry


def _collect(name: str, wanted: list[str]) -> None:
    wanted.append(name)
    for inner in dictionary()[name].reads:
        _collect(inner, wanted)


def _may_tell(entry: TableEntry) -> bool:
    """Whether a column without a HIPAA class still needs a rule: exact ages, reasons that state them, days since."""
    return any(c.name == "age" or c.name.startswith("reason_") or is_days_since(c.name) for c in entry.columns)
