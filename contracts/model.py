"""How a table contract is written: a Pandera model, plus what Pandera has no word for.

A contract is a `Contract` subclass whose columns are Pandera fields made by `column`; the decorator `@table`
gives it its name, key, owner, version, rules across columns and references. `TableContract` is the resolved,
frozen view that every renderer and the enforcement read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import pandera.pandas as pa

from contracts.errors import ConfigError
from contracts.rule import BrokenKey, Measure, Reference, Rule, Severity, Survey, Tier, none_of
from contracts.types import spark_type

__all__ = [
    "BrokenKey", "Check", "Column", "Contract", "Measure", "Phi", "Reference", "Rule", "Severity", "Survey",
    "TableContract", "Terms", "Tier", "column", "declared", "none_of", "resolve", "table",
]  # fmt: skip


class Phi(StrEnum):
    """The 18 identifiers of HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i), or none."""

    NONE = "none"
    NAME = "name"
    GEOGRAPHY = "geographic_subdivision"
    DATE = "date"
    PHONE = "phone"
    FAX = "fax"
    EMAIL = "email"
    SSN = "social_security_number"
    MRN = "medical_record_number"
    PLAN_ID = "health_plan_beneficiary_number"
    ACCOUNT = "account_number"
    LICENSE = "certificate_or_license_number"
    VEHICLE = "vehicle_identifier"
    DEVICE = "device_identifier"
    URL = "url"
    IP = "ip_address"
    BIOMETRIC = "biometric_identifier"
    PHOTO = "full_face_photograph"
    OTHER_ID = "other_unique_identifier"


@dataclass(frozen=True)
class Check:
    """One single-column Pandera check, e.g. `greater_than_or_equal_to` with `min_value=0`."""

    kind: str
    arguments: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Column:
    """One column as every target sees it."""

    name: str
    spark_type: str
    nullable: bool
    description: str
    phi: Phi
    unit: str | None
    severity: Severity
    tier: Tier
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class TableContract:
    """A contract, resolved. `name` is `schema.table`, the one name everywhere."""

    schema: str
    table: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    owner: str
    version: str
    writer: str
    partition_by: tuple[str, ...]
    rules: tuple[Rule, ...]
    references: tuple[Reference, ...]
    surveys: tuple[Survey, ...]
    profile: tuple[str, ...]
    max_age_days: int | None
    quarantine_limit: float
    quarantine_from: int
    min_rows: int
    broken_key: BrokenKey
    is_deprecated: bool
    model: type[Contract]

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def asset_key(self) -> tuple[str, str]:
        return (self.schema, self.table)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def is_judged_per_source(self) -> bool:
        """Some of its rules are about all rows of one source together, so each source's nights judge it anew."""
        return "data_source" in self.column_names and bool(self.surveys or self.profile or self.max_age_days)

    @property
    def ddl(self) -> str:
        """Column list of a CREATE TABLE, e.g. `member_id string NOT NULL COMMENT '…', …`."""

        def one(column: Column) -> str:
            null = "" if column.nullable else " NOT NULL"
            comment = column.description.replace("\\", "\\\\").replace("'", "\\'")
            return f"`{column.name}` {column.spark_type}{null} COMMENT '{comment}'"

        return ", ".join(one(column) for column in self.columns)


def column(
    description: str,
    *,
    phi: Phi = Phi.NONE,
    unit: str | None = None,
    nullable: bool = False,
    severity: Severity = Severity.ERROR,
    tier: Tier = Tier.STRUCTURAL,
    **checks: Any,
) -> Any:
    """A contract column.

    Args:
        description: meaning and caveats, one or two sentences.
        phi: HIPAA Safe Harbor class.
        unit: `usd`, `days`, `count`, `years`, ... where it has one.
        nullable: False makes NULL break the rule `<column>__not_null`.
        severity: of this column's rules.
        tier: of this column's rules.
        checks: Pandera's own: `ge, gt, le, lt, in_range, isin, notin, str_matches, str_length`.
    """
    metadata = {"phi": phi, "unit": unit, "severity": severity, "tier": tier}
    return pa.Field(nullable=nullable, description=description, metadata=metadata, **checks)


class Contract(pa.DataFrameModel):
    """Base of all table contracts; a subclass's docstring is the table's description."""

    class Config:
        strict = True
        ordered = False


@dataclass(frozen=True)
class Terms:
    """What `@table` says of a contract beyond its columns.

    Attributes:
        name: `schema.table`.
        key: columns that together identify a row; enforced as unique and not null.
        writer: `dbt` or `jobs`.
        surveys: queries over rows together, and over other tables.
        profile: columns whose distribution is held against the trailing nights, with the number of rows.
        max_age_days: service level: days from the newest `known_at` of a source to the night.
        quarantine_limit: share of rows that may be quarantined; above it the table is blocked.
        quarantine_from: fewer bad rows than this never block: their share of a small delivery says nothing.
        min_rows: fewer rows than this break the rule `row_count__at_least`.
        is_deprecated: said in one release, so that the table may be gone in a later one.
        broken_key: by default `quarantine` in raw and staging, which hold what others deliver, else `block`.
    """

    name: str
    key: tuple[str, ...]
    owner: str = "data-engineering"
    version: str = "1.0.0"
    writer: str = "jobs"
    partition_by: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()
    surveys: tuple[Survey, ...] = ()
    profile: tuple[str, ...] = ()
    max_age_days: int | None = None
    quarantine_limit: float = 0.05
    quarantine_from: int = 1
    min_rows: int = 0
    broken_key: BrokenKey | None = None
    is_deprecated: bool = False


_TERMS: dict[type[Contract], Terms] = {}
C = TypeVar("C", bound=Contract)


def table(name: str, **terms: Any) -> Callable[[type[C]], type[C]]:
    """Class decorator: declare a `Contract` as the table `schema.name`; keyword arguments as in `Terms`.

    The contract's rules are compiled at once, so that one which cannot be enforced fails here.

    Raises:
        TypeError: the class is not a complete contract.
        ConfigError: a rule cannot be enforced in Spark with Pandera's meaning.
    """

    def declare(model: type[C]) -> type[C]:
        from contracts.compile.rules import rules_of  # the compiler reads this module's types

        _TERMS[model] = Terms(name, **terms)
        rules_of(resolve(model))
        return model

    return declare


def declared() -> tuple[type[Contract], ...]:
    """Every contract class that `@table` has seen, in order of declaration."""
    return tuple(_TERMS)


def _columns(model: type[Contract]) -> Iterable[Column]:
    schema = model.to_schema()
    if schema.checks or schema.unique:
        raise ConfigError(
            f"{model.__name__} has checks of Pandera across columns, which Spark would not enforce.",
            todo="Write a Rule, or name the key in @table.",
        )
    for name, field in schema.columns.items():
        if field.unique or field.coerce or field.regex or not field.required or field.default is not None:
            raise ConfigError(
                f"{model.__name__}.{name} asks Pandera for what Spark would not enforce.",
                expected="no unique, coerce, regex, default; the column is required",
                todo="Name a unique column in the key; cast before the contract.",
            )
        meta = field.metadata
        if not meta or not field.description:
            raise TypeError(f"{model.__name__}.{name} is not made by contracts.model.column")
        yield Column(
            name=name,
            spark_type=spark_type(field.dtype),
            nullable=field.nullable,
            description=field.description,
            phi=meta["phi"],
            unit=meta["unit"],
            severity=meta["severity"],
            tier=meta["tier"],
            checks=tuple(Check(check.name, _arguments(check.statistics)) for check in field.checks),
        )


def _arguments(statistics: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A check's arguments, hashable."""
    frozen = {name: tuple(v) if isinstance(v, list | set | frozenset) else v for name, v in statistics.items()}
    return tuple(frozen.items())


def _default_broken_key(schema: str) -> BrokenKey:
    return BrokenKey.QUARANTINE if schema in ("raw", "staging") else BrokenKey.BLOCK


@cache
def resolve(model: type[Contract]) -> TableContract:
    """The frozen view of one contract class.

    Raises:
        TypeError: the class is not a complete contract (no `@table`, a key that is not a column, ...).
    """
    terms = _TERMS.get(model)
    if terms is None or terms.name.count(".") != 1:
        raise TypeError(f'{model.__name__} needs @table("schema.name", ...)')
    schema, name = terms.name.split(".")
    columns = tuple(_columns(model))
    names = {column.name for column in columns}
    used = set(terms.key) | set(terms.partition_by) | set(terms.profile)
    used |= {c for r in terms.references for c in r.columns} | ({"known_at"} if terms.max_age_days else set())
    if missing := used - names:
        raise TypeError(f"{model.__name__} names columns it does not have: {sorted(missing)}")
    return TableContract(
        schema=schema,
        table=name,
        description=" ".join((model.__doc__ or "").split()),
        columns=columns,
        key=terms.key,
        owner=terms.owner,
        version=terms.version,
        writer=terms.writer,
        partition_by=terms.partition_by,
        rules=terms.rules,
        references=terms.references,
        surveys=terms.surveys,
        profile=terms.profile,
        max_age_days=terms.max_age_days,
        quarantine_limit=terms.quarantine_limit,
        quarantine_from=terms.quarantine_from,
        min_rows=terms.min_rows,
        broken_key=terms.broken_key or _default_broken_key(schema),
        is_deprecated=terms.is_deprecated,
        model=model,
    )
