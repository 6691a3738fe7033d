"""OpenLineage facets: of datasets from their contracts, of audits from their results, of columns from parsed plans.

Only names, types, counts and words of the code are in them, never a value of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from openlineage.client import facet_v2 as f

from contracts.catalog import catalog
from contracts.compile.rules import CompiledRule, rules_of
from contracts.model import Phi, TableContract
from contracts.views import VIEWS
from jobs.audit_result import AuditResult, RuleResult, Verdict
from jobs.lineage.columns import ColumnLineage, Source
from jobs.lineage.naming import MODEL_FIELDS, Kind, kind, layouts, location, namespace, seed_tables
from jobs.lineage.work import Read, Statistics, Write
from jobs.registry import model_name

_TYPES = {
    Kind.FILES: "FILE", Kind.TABLE: "TABLE", Kind.VIEW: "VIEW", Kind.MODEL: "MODEL", Kind.REPORT: "REPORT",
    Kind.SEED: "FILE",
}  # fmt: skip
_SCORES = {"interval_kind": "string", "is_in_support": "boolean", "reason_1": "string", "reason_2": "string", "reason_3": "string"}  # fmt: skip

Field = f.schema_dataset.SchemaDatasetFacetFields
Facets = dict[str, f.DatasetFacet]


def identity(name: str) -> Facets:
    """What every mention of a dataset carries: its kind, where it lies, by which other names it goes."""
    found: Facets = {"datasetType": f.dataset_type_dataset.DatasetTypeDatasetFacet(_TYPES[kind(name)])}
    if others := list(_other_names(name)):
        found["symlinks"] = f.symlinks_dataset.SymlinksDatasetFacet(others)
    return found


def _other_names(name: str) -> Iterable[f.symlinks_dataset.Identifier]:
    where = location(name)
    if where is not None:
        scheme, is_url, path = where.partition("://")
        root = f"{scheme}://{path.split('/')[0]}" if is_url else "file"
        yield f.symlinks_dataset.Identifier(root, where if not is_url else "/" + path.partition("/")[2], "LOCATION")
    if kind(name) is Kind.TABLE:
        yield f.symlinks_dataset.Identifier("hive", name, "TABLE")
    if kind(name) is Kind.MODEL:
        source, _, program = name.removeprefix("model.").partition("__")
        yield f.symlinks_dataset.Identifier("mlflow", model_name(source, program), "MODEL")


def described(name: str, lineage: ColumnLineage) -> Facets:
    """What a dataset is: columns, meaning, owner, PHI classes. A report has the columns that were parsed."""
    found = identity(name)
    columns = _fields(name) or [Field(column) for column in lineage.columns]
    found["schema"] = f.schema_dataset.SchemaDatasetFacet(fields=columns)
    table = catalog().get(name)
    if table is not None:
        found |= _of_contract(table)
    elif name in VIEWS:
        view = VIEWS[name]
        found |= _words(view.description, view.owner)
        found["tags"] = f.tags_dataset.TagsDatasetFacet(_phi_tags(view.columns))
    elif name in layouts():
        found["documentation"] = f.documentation_dataset.DocumentationDatasetFacet(layouts()[name].description)
        found["tags"] = f.tags_dataset.TagsDatasetFacet(_phi_tags(layouts()[name].columns))
    if kind(name) is Kind.TABLE:
        found["storage"] = f.storage_dataset.StorageDatasetFacet("delta", "parquet")
    return found


def _fields(name: str) -> list[Field]:
    if name in catalog():
        return [Field(c.name, c.spark_type, c.description) for c in catalog()[name].columns]
    if name in VIEWS:
        return [Field(c.name, c.spark_type, c.description) for c in VIEWS[name].columns]
    if name in layouts():
        return [Field(c.name, "string", c.description) for c in layouts()[name].columns]
    if kind(name) is Kind.MODEL:
        return [Field(column, _SCORES.get(column, "double")) for column in MODEL_FIELDS]
    return [Field(column, "string") for column in seed_tables().get(name.replace("seed.", "core."), ())]


def _of_contract(table: TableContract) -> Facets:
    tags = _phi_tags(table.columns)
    tags.append(f.tags_dataset.TagsDatasetFacetFields("contract_version", table.version, "CONTRACT"))
    return {**_words(table.description, table.owner), "tags": f.tags_dataset.TagsDatasetFacet(tags)}


def _words(description: str, owner: str) -> Facets:
    return {
        "documentation": f.documentation_dataset.DocumentationDatasetFacet(description),
        "ownership": f.ownership_dataset.OwnershipDatasetFacet([f.ownership_dataset.Owner(f"team:{owner}", "OWNER")]),
    }


def _phi_tags(columns: Iterable[Any]) -> list[f.tags_dataset.TagsDatasetFacetFields]:
    """One tag per column of a contract, a view or a file's layout that identifies somebody."""
    tag = f.tags_dataset.TagsDatasetFacetFields
    return [tag("phi", c.phi.value, "CONTRACT", c.name) for c in columns if c.phi is not Phi.NONE]


def version(text: str) -> f.dataset_version_dataset.DatasetVersionDatasetFacet:
    """A Delta version, or that of a registered model."""
    return f.dataset_version_dataset.DatasetVersionDatasetFacet(text)


def column_lineage(lineage: ColumnLineage) -> f.column_lineage_dataset.ColumnLineageDatasetFacet:
    """Columns made from columns, and below `dataset` what decides which rows there are."""
    made = {
        name: f.column_lineage_dataset.Fields(_input_fields(sources))
        for name, sources in lineage.columns.items()
        if sources
    }
    return f.column_lineage_dataset.ColumnLineageDatasetFacet(made, _input_fields(lineage.rows))


def _input_fields(sources: Iterable[Source]) -> list[f.column_lineage_dataset.InputField]:
    """One input field per column, with every way in which it takes part."""
    ways: dict[tuple[str, str], list[f.column_lineage_dataset.Transformation]] = {}
    for source in sorted(sources):
        way = f.column_lineage_dataset.Transformation(
            "DIRECT" if source.how.is_direct else "INDIRECT", source.how.value, masking=source.masking or None
        )
        ways.setdefault((source.dataset, source.column), []).append(way)
    space = namespace()
    return [f.column_lineage_dataset.InputField(space, *column, how) for column, how in ways.items()]


def input_facets(read: Read) -> dict[str, f.InputDatasetFacet]:
    """What was read of a dataset, and what its contract found."""
    found: dict[str, f.InputDatasetFacet] = {}
    if read.statistics is not None:
        s = read.statistics
        found["inputStatistics"] = f.input_statistics_input_dataset.InputStatisticsInputDatasetFacet(s.rows, s.bytes, s.files)  # fmt: skip
    if read.files:
        part = f.base_subset_dataset.LocationSubsetCondition(sorted(read.files))
        found["subset"] = f.base_subset_dataset.InputSubsetInputDatasetFacet(part)
    if read.audit is not None:
        found["dataQualityAssertions"] = assertions(read.audit)
        found["dataQualityMetrics"] = metrics(read.audit)
    return found


def output_facets(write: Write) -> dict[str, f.OutputDatasetFacet]:
    """How much was written."""
    if write.statistics is None:
        return {}
    return {"outputStatistics": _written(write.statistics)}


def _written(s: Statistics) -> f.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet:
    return f.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(s.rows, s.bytes, s.files)


def assertions(audit: AuditResult) -> f.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet:
    """One assertion per rule that was judged, with what it expects and what it found in numbers."""
    compiled = _rules(audit.table)
    judged = [rule for rule in audit.rules if rule.verdict is not Verdict.NOT_EVALUATED]
    return f.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
        [_assertion(rule, compiled.get(rule.name), audit) for rule in judged]
    )


@cache
def _rules(table: str) -> Mapping[str, CompiledRule]:
    known = catalog().get(table)
    return {} if known is None else {rule.name: rule for rule in rules_of(known)}


def _assertion(
    rule: RuleResult, compiled: CompiledRule | None, audit: AuditResult
) -> f.data_quality_assertions_dataset.Assertion:
    expected, actual = _numbers(rule, audit)
    columns = compiled.columns if compiled else ()
    sql = compiled.sql if compiled else ""
    return f.data_quality_assertions_dataset.Assertion(
        assertion=rule.kind,
        success=rule.passed,
        column=columns[0] if len(columns) == 1 else None,
        severity=str(rule.severity),
        name=rule.name,
        description=rule.description,
        expected=expected,
        actual=actual,
        content=f"NOT {sql}" if sql else None,
        contentType="sql" if sql else None,
        params={"tier": str(rule.tier), "verdict": str(rule.verdict)},
    )


def _numbers(rule: RuleResult, audit: AuditResult) -> tuple[str, str]:
    """Expected and actual: of most rules the rows that break it; of rules on the whole table its message has the number."""
    if str(rule.scope) == "table" and rule.message:
        return rule.description, rule.message
    return "0 rows broken", f"{rule.rows_broken} of {rule.rows_checked} rows broken"


def metrics(audit: AuditResult) -> f.data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet:
    """Rows looked at, and NULLs per column that may have none, as the audit's one pass counted them."""
    compiled = _rules(audit.table)
    nulls = {
        compiled[rule.name].columns[0]: f.data_quality_metrics_input_dataset.ColumnMetrics(nullCount=rule.rows_broken)
        for rule in audit.rules
        if rule.kind == "not_null" and rule.name in compiled and len(compiled[rule.name].columns) == 1
    }
    return f.data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(nulls, audit.rows_checked)
