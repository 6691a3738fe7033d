"""What one audit looks at: a table at a Delta version, the tables it reads beside it at theirs, and the hash of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession

from contracts.catalog import catalog
from contracts.compile.literals import sql_string
from contracts.compile.rules import Scope, rules_of
from contracts.compile.survey import tables_read
from contracts.model import Survey, TableContract
from jobs.contract_results import Fingerprint, fingerprint
from jobs.delta import conform, existing_tables, only_appended_since, read_version, table_version
from jobs.profile import other_tables, profile_answer, survey_answer

# More files than this make a condition longer than the scan that it saves.
_MOST_FILES = 500


@dataclass(frozen=True)
class Night:
    """The night that an audit is part of; both None: apart from any.

    Attributes:
        data_source: whose rows are looked at by rules about the table as a whole.
        run_date: what the age of the newest facts is reckoned from.
    """

    data_source: str | None = None
    run_date: date | None = None


@dataclass(frozen=True)
class AuditTarget:
    """One table to audit.

    Attributes:
        row_filter: Spark SQL condition that selects the rows; None: all.
        versions: Delta version of the table and of each table that its rules read; None where there is none.
        since_version: only files that came after this version are looked at; None: all rows.
        files: hashes of these files.
    """

    contract: TableContract
    row_filter: str | None
    night: Night
    versions: Mapping[str, int | None]
    fingerprint: Fingerprint
    since_version: int | None = None
    files: tuple[str, ...] = ()

    @property
    def version(self) -> int | None:
        """The audited table's own Delta version; None: rows that are not written yet."""
        return self.versions.get(self.contract.name)


def written_target(spark: SparkSession, contract: TableContract, row_filter: str | None, night: Night) -> AuditTarget:
    """The table as it is now."""
    return _target(
        contract, row_filter, night, {contract.name: table_version(spark, contract.name), **_beside(spark, contract)}
    )


def unwritten_target(spark: SparkSession, contract: TableContract, row_filter: str | None, night: Night) -> AuditTarget:
    """Rows that are about to be written to the table."""
    return _target(contract, row_filter, night, _beside(spark, contract))


def _target(
    contract: TableContract, row_filter: str | None, night: Night, versions: Mapping[str, int | None]
) -> AuditTarget:
    stamp = fingerprint(contract, row_filter, versions, night.data_source)
    return AuditTarget(contract, row_filter, night, versions, stamp)


def _beside(spark: SparkSession, contract: TableContract) -> dict[str, int | None]:
    names = {reference.table for reference in contract.references} | set(other_tables(contract))
    others = sorted(names - {contract.name})
    there = existing_tables(spark, others)
    return {name: table_version(spark, name) if name in there else None for name in others}


def selection(target: AuditTarget) -> str | None:
    """Spark SQL condition that selects the rows to look at; None: all of the table."""
    conditions = [] if target.row_filter is None else [f"({target.row_filter})"]
    if target.since_version is not None:
        listed = ", ".join(sql_string(sha) for sha in target.files)
        conditions.append(f"file_sha256 IN ({listed})" if listed else "false")
    return " AND ".join(conditions) or None


def rows_of(spark: SparkSession, target: AuditTarget) -> DataFrame:
    """The rows to audit, at the version pinned.

    Raises:
        ContractError: the table does not have the contract's columns and types.
    """
    assert target.version is not None
    rows = conform(read_version(spark, target.contract.name, target.version), target.contract)
    condition = selection(target)
    return rows if condition is None else rows.where(condition)


def is_audited_by_file(contract: TableContract) -> bool:
    """Whether each delivered file can be judged apart from the others: its rows have keys of their own, and no rule looks
    beyond a row and its key."""
    return contract.key[:1] == ("file_sha256",) and not (contract.references or contract.surveys or contract.profile)


def narrowed(spark: SparkSession, target: AuditTarget, since: int | None) -> AuditTarget:
    """The target with only the files that came after version `since`, where nothing but additions were made to the table.

    A delivery is judged once: a plan's history of claims is not read again each night for the few that are new.
    """
    name = target.contract.name
    if since is None or target.version is None or not is_audited_by_file(target.contract):
        return target
    if since >= target.version or not only_appended_since(spark, name, since):
        return target
    try:
        before = read_version(spark, name, since).select("file_sha256").distinct()
        now = read_version(spark, name, target.version).select("file_sha256").distinct()
        files = [row[0] for row in now.exceptAll(before).limit(_MOST_FILES + 1).collect()]
    except PySparkException:
        return target  # the older version was vacuumed: all is looked at again
    return target if len(files) > _MOST_FILES else replace(target, since_version=since, files=tuple(sorted(files)))


def references_of(spark: SparkSession, target: AuditTarget, rows: DataFrame) -> dict[str, DataFrame | None]:
    """Per reference rule the table that it points to, `rows` themselves for a self-reference, None where missing."""
    tables: dict[str, DataFrame | None] = {}
    for rule in rules_of(target.contract):
        if rule.scope is not Scope.REFERENCE or rule.reference is None:
            continue
        name = rule.reference.table
        version = target.versions.get(name)
        if name == target.contract.name:
            tables[rule.name] = rows
        else:
            tables[rule.name] = None if version is None else read_version(spark, name, version)
    return tables


def questions_of(spark: SparkSession, target: AuditTarget, rows: DataFrame) -> list[DataFrame]:
    """What is asked about the table as a whole: frames `name, value`, for the surveys that can be asked and the profile."""
    contract = target.contract
    mine = _of_source(target, contract)
    whole = rows if mine is None else rows.where(mine)
    possible = [survey for survey in contract.surveys if missing_table(target, survey) is None]
    asked = [survey_answer(spark, survey, whole, lambda name: _pinned(target, name)) for survey in possible]
    profile = profile_answer(whole, contract)
    return asked if profile is None else [*asked, profile]


def missing_table(target: AuditTarget, survey: Survey) -> str | None:
    """A table that the survey needs and that does not exist."""
    others = (name for name in tables_read(survey) if name != target.contract.name)
    return next((name for name in others if target.versions[name] is None), None)


def _of_source(target: AuditTarget, contract: TableContract) -> str | None:
    source = target.night.data_source
    if source is None or "data_source" not in contract.column_names:
        return None
    return f"data_source = {sql_string(source)}"


def _pinned(target: AuditTarget, name: str) -> str:
    """SQL of another table at the version pinned, the night's source only."""
    condition = _of_source(target, catalog()[name])
    where = "" if condition is None else f" WHERE {condition}"
    return f"(SELECT * FROM {name} VERSION AS OF {target.versions[name]}{where})"
