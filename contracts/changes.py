"""What changed between two states of the contracts, and whether who reads the tables can be broken by it.

Compared are the ODCS documents that `contracts.compile.odcs` renders. Breaking is what withdraws a promise to readers: a
table, column, type, unit, key, NOT NULL, PHI class or `error` rule that was there. Semantic Versioning 2.0: a breaking
change asks for a new major version, any other for a minor one, a reworded description for a patch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

Document = Mapping[str, Any]


class Weight(IntEnum):
    """The part of the version that a change asks to be raised."""

    PATCH = 0
    MINOR = 1
    MAJOR = 2


@dataclass(frozen=True)
class Change:
    """One change of one table's contract, in words."""

    table: str
    weight: Weight
    what: str


@dataclass(frozen=True)
class TableChanges:
    """All changes of one table with its versions before and after; None: there was, or is, no such table."""

    table: str
    before: str | None
    after: str | None
    changes: tuple[Change, ...]

    @property
    def asked(self) -> Weight:
        """The largest of the changes."""
        return max((change.weight for change in self.changes), default=Weight.PATCH)

    @property
    def is_refused(self) -> bool:
        """Whether a breaking change came without a new major version."""
        return self.asked is Weight.MAJOR and _raised(self.before, self.after) is not Weight.MAJOR

    @property
    def is_told(self) -> bool:
        """Whether the version was raised by at least what the changes ask for."""
        return self.before is None or _raised(self.before, self.after) >= self.asked


def _raised(before: str | None, after: str | None) -> int:
    """The part by which `after` is above `before`; -1: by none."""
    if before is None or after is None:
        return -1
    for weight, (old, new) in zip((2, 1, 0), zip(_parts(before), _parts(after), strict=True), strict=True):
        if new != old:
            return Weight(weight) if new > old else -1
    return -1


def _parts(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def compare(before: Mapping[str, Document], after: Mapping[str, Document]) -> list[TableChanges]:
    """The tables that changed.

    Args:
        before: ODCS documents by table, `schema.table`.
        after: the same, now.
    """
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        changes = tuple(_changes(name, old, new))
        if changes:
            found.append(TableChanges(name, _version(old), _version(new), changes))
    return found


def _version(document: Document | None) -> str | None:
    return None if document is None else str(document["version"])


def _changes(name: str, old: Document | None, new: Document | None) -> Iterable[Change]:
    if old is None:
        yield Change(name, Weight.MINOR, "the table is new")
    elif new is None:
        announced = old["status"] == "deprecated"
        words = "the table is gone, as it was announced to be" if announced else "the table is gone"
        yield Change(name, Weight.MINOR if announced else Weight.MAJOR, words)
    else:
        mine, theirs = old["schema"][0], new["schema"][0]
        yield from _words_changes(name, "the table", mine, theirs)
        yield from _key_changes(name, mine, theirs)
        yield from _column_changes(name, mine, theirs)
        yield from _rule_changes(name, _rules(mine), _rules(theirs))
        yield from _term_changes(name, old, new)


def _by_name(items: Iterable[Document]) -> dict[str, Document]:
    return {item["name"]: item for item in items}


def _words_changes(table: str, what: str, old: Document, new: Document) -> Iterable[Change]:
    if old.get("description") != new.get("description"):
        yield Change(table, Weight.PATCH, f"{what} is described in other words")


def _key_changes(table: str, old: Document, new: Document) -> Iterable[Change]:
    before, after = (_key(schema) for schema in (old, new))
    if before != after:
        yield Change(table, Weight.MAJOR, f"the key is ({', '.join(after)}), it was ({', '.join(before)})")


def _key(schema: Document) -> list[str]:
    parts = [column for column in schema["properties"] if column.get("primaryKey")]
    return [column["name"] for column in sorted(parts, key=lambda column: column["primaryKeyPosition"])]


def _column_changes(table: str, old: Document, new: Document) -> Iterable[Change]:
    before, after = _by_name(old["properties"]), _by_name(new["properties"])
    for name in before.keys() - after.keys():
        yield Change(table, Weight.MAJOR, f"the column {name} is gone")
    for name in after.keys() - before.keys():
        yield Change(table, Weight.MINOR, f"the column {name} is new")
    for name in before.keys() & after.keys():
        yield from _one_column(table, name, before[name], after[name])


def _one_column(table: str, name: str, old: Document, new: Document) -> Iterable[Change]:
    if old["physicalType"] != new["physicalType"]:
        yield Change(table, Weight.MAJOR, f"{name} is {new['physicalType']}, it was {old['physicalType']}")
    for custom, words in (("unit", "is in"), ("phiClass", "is of the PHI class")):
        was, now = (_custom(column).get(custom, "none") for column in (old, new))
        if was != now:
            yield Change(table, Weight.MAJOR, f"{name} {words} {now}, it was {was}")
    was_required, is_required = bool(old.get("required")), bool(new.get("required"))
    if was_required and not is_required:
        yield Change(table, Weight.MAJOR, f"{name} may be NULL, it never was")
    if is_required and not was_required:
        yield Change(table, Weight.MINOR, f"{name} is never NULL, it could be")
    yield from _words_changes(table, name, old, new)


def _custom(item: Document) -> dict[str, Any]:
    return {custom["property"]: custom["value"] for custom in item.get("customProperties", ())}


def _rules(schema: Document) -> dict[str, Document]:
    columns = [rule for column in schema["properties"] for rule in column.get("quality", ())]
    return _by_name([*columns, *schema.get("quality", ())])


def _rule_changes(table: str, before: Mapping[str, Document], after: Mapping[str, Document]) -> Iterable[Change]:
    for name in before.keys() - after.keys():
        is_promise = before[name]["severity"] == "error" and not name.endswith("__not_null")  # NULLs are told above
        weight = Weight.MAJOR if is_promise else Weight.MINOR
        yield Change(table, weight, f"the rule {name} ({before[name]['severity']}) is gone")
    for name in after.keys() - before.keys():
        yield Change(table, Weight.MINOR, f"the rule {name} ({after[name]['severity']}) is new")
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if old["severity"] != new["severity"]:
            weight = Weight.MAJOR if old["severity"] == "error" else Weight.MINOR
            yield Change(table, weight, f"the rule {name} is of severity {new['severity']}, it was {old['severity']}")
        if _asked(old) != _asked(new):
            yield Change(table, Weight.MINOR, f"the rule {name} asks for something else")


def _asked(rule: Document) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name not in ("description", "severity", "tags")}


def _term_changes(table: str, old: Document, new: Document) -> Iterable[Change]:
    for words, read in (
        ("owner", lambda doc: doc["team"]["name"]),
        ("status", lambda doc: doc["status"]),
        ("service level", lambda doc: doc.get("slaProperties")),
        ("limits", _custom),
    ):
        if read(old) != read(new):
            yield Change(table, Weight.MINOR, f"the {words} changed")


def words(tables: Iterable[TableChanges]) -> str:
    """The changes as a readable diff: `!` breaks readers, `~` does not, with the versions that they ask for."""
    lines = []
    for table in tables:
        lines.append(f"{table.table}  {table.before or 'none'} -> {table.after or 'none'}  ({_verdict(table)})")
        ordered = sorted(table.changes, key=lambda change: (-change.weight, change.what))
        lines += [f"  {'!' if change.weight is Weight.MAJOR else '~'} {change.what}" for change in ordered]
    return "\n".join(lines)


def _verdict(table: TableChanges) -> str:
    if table.is_refused:
        return "breaking: needs a new major version"
    if not table.is_told:
        return f"compatible: a new {table.asked.name.lower()} version would tell readers"
    return "told by its version"
