"""`features`: one row per member and as-of date; the columns come from the registry in `contracts.features`."""

from __future__ import annotations

from typing import Any

from contracts.features import Feature, registry
from contracts.model import Contract, Phi, Reference, Rule, column, table
from contracts.tables.shapes import SOURCES
from contracts.types import Bool, Date, Double, Int, Str

_TYPES: dict[str, Any] = {"int": Int, "double": Double, "bool": Bool, "string": Str}
_AT_LEAST_ZERO = {"count", "days", "years"}
_ANY_SIGN = ("trend_", "paid_", "hcc_weight")


def _field(feature: Feature) -> Any:
    """The contract column of one feature; shares lie in [0, 1], counts and days are not negative."""
    window = f" Window: days {feature.window} before." if feature.window else ""
    checks: dict[str, Any] = {}
    if feature.unit == "share":
        checks["in_range"] = {"min_value": 0.0, "max_value": 1.0}
    elif feature.unit in _AT_LEAST_ZERO:
        checks["ge"] = 0
    elif feature.unit == "rate" and not feature.name.startswith(_ANY_SIGN):
        checks["ge"] = 0.0
    return column(feature.meaning + window, phi=feature.phi, unit=feature.unit, nullable=feature.nullable, **checks)


def _member_feature() -> type[Contract]:
    """A contract class with one attribute per registered feature, as if written by hand."""
    keys: dict[str, tuple[Any, Any]] = {
        "data_source": (Str, column("Ingestion source.", isin=SOURCES)),
        "member_id": (Str, column("Member identifier.", phi=Phi.PLAN_ID)),
        "as_of_date": (Date, column("Day D: facts of service before D, known before D.", phi=Phi.DATE)),
    }
    fields = keys | {name: (_TYPES[feature.dtype], _field(feature)) for name, feature in registry().items()}
    body: dict[str, Any] = {name: field for name, (_, field) in fields.items()}
    body["__annotations__"] = {name: dtype for name, (dtype, _) in fields.items()}
    body["__module__"] = __name__
    body["__doc__"] = "One row per member with coverage in the year before, and as-of date. Both clocks are obeyed."
    return type("MemberFeature", (Contract,), body)


MemberFeature = table(
    "features.member_feature",
    key=("data_source", "member_id", "as_of_date"),
    version="1.2.0",
    writer="dbt",
    owner="data-science",
    partition_by=("data_source", "as_of_date"),
    references=(Reference(("data_source", "member_id"), "core.member", ("data_source", "member_id")),),
    rules=(
        Rule(
            "windows_nest",
            "ed_visit_30d_count <= ed_visit_90d_count and ed_visit_90d_count <= ed_visit_365d_count",
            "A longer window holds the shorter one.",
        ),
        Rule("lookback_within_year", "lookback_days between 1 and 365", "Coverage in the year before."),
    ),
)(_member_feature())
