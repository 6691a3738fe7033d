"""What one audit looks at: a table at a Delta version, the tables it refers to at theirs, and the hash of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession

from contracts.compile.rules import Scope, rules_of
from contracts.model import TableContract
from jobs.contract_results import fingerprint
from jobs.delta import conform, read_version, table_exists, table_version


@dataclass(frozen=True)
class AuditTarget:
    """One table to audit.

    Attributes:
        row_filter: Spark SQL condition that selects the rows; None: all.
        versions: Delta version of the table and of each table that it refers to; None where there is none.
        fingerprint: equal to that of an earlier audit exactly when nothing has changed since.
    """

    contract: TableContract
    row_filter: str | None
    versions: Mapping[str, int | None]
    fingerprint: str

    @property
    def version(self) -> int | None:
        """The audited table's own Delta version; None: rows that are not written yet."""
        return self.versions.get(self.contract.name)


def written_target(spark: SparkSession, contract: TableContract, row_filter: str | None) -> AuditTarget:
    """The table as it is now."""
    versions = {contract.name: table_version(spark, contract.name), **_referenced(spark, contract)}
    return AuditTarget(contract, row_filter, versions, fingerprint(contract, row_filter, versions))


def unwritten_target(spark: SparkSession, contract: TableContract, row_filter: str | None) -> AuditTarget:
    """Rows that are about to be written to the table."""
    versions = _referenced(spark, contract)
    return AuditTarget(contract, row_filter, versions, fingerprint(contract, row_filter, versions))


def _referenced(spark: SparkSession, contract: TableContract) -> dict[str, int | None]:
    names = sorted({reference.table for reference in contract.references} - {contract.name})
    return {name: table_version(spark, name) if table_exists(spark, name) else None for name in names}


def rows_of(spark: SparkSession, target: AuditTarget) -> DataFrame:
    """The rows to audit, at the version pinned.

    Raises:
        ContractError: the table does not have the contract's columns and types.
    """
    assert target.version is not None
    rows = conform(read_version(spark, target.contract.name, target.version), target.contract)
    return rows if target.row_filter is None else rows.where(target.row_filter)


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
