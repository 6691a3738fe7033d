"""A small warehouse of Delta files, written without Spark: two published nights of one program, by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from contracts.catalog import contract

FIRST, SECOND = date(2026, 7, 1), date(2026, 7, 2)
_ARROW = {
    "string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
    "date": pa.date32(), "timestamp": pa.timestamp("us", tz="UTC"), "decimal(12,2)": pa.decimal128(12, 2),
    "array<string>": pa.list_(pa.string()),
}  # fmt: skip


def write_table(home: Path, name: str, rows: Iterable[Mapping[str, Any]], *, mode: str = "overwrite") -> None:
    """Write rows of a contract's table; columns that a row leaves out are NULL."""
    table = contract(name)
    schema = pa.schema(
        [pa.field(c.name, _ARROW[c.spark_type], metadata={"comment": c.description}) for c in table.columns]
    )
    full = [{c.name: row.get(c.name) for c in table.columns} for row in rows]
    target = home / "warehouse" / f"{table.schema}.db" / table.table
    write_deltalake(
        target, pa.Table.from_pylist(full, schema), mode=mode, partition_by=list(table.partition_by) or None
    )


def priority_row(member: str, night: date = FIRST, **other: Any) -> dict[str, Any]:
    """A row of `outreach.priority`, to be changed where a test needs it."""
    return {
        "data_source": "tuva", "run_date": night, "program": "ed_diversion", "member_id": member, "cate": -0.4,
        "cate_lower": -0.7, "cate_upper": -0.1, "interval_kind": "forest_honest", "baseline_risk": 1.2,
        "expected_net_value_usd": 200.0, "priority_rank": 1, "decision": "outreach", "assignment_probability": 0.9,
        "reason_1": "2 emergency visits in the last 30 days", "verdict": "publish",
        "verdict_sentence": "Ranked by effect.", "model_version": "outreach.tuva.ed_diversion/1",
        "contract_version": "1.2.0", "feature_version": "f1", "run_id": "run-1", "channel": "phone", **other,
    }  # fmt: skip


def summary_row(night: date, **other: Any) -> dict[str, Any]:
    """A row of `outreach.program_summary`."""
    return {
        "data_source": "tuva", "run_date": night, "program": "ed_diversion", "verdict": "publish",
        "verdict_sentence": "Ranked by effect.", "model_version": "outreach.tuva.ed_diversion/1", "member_count": 40,
        "eligible_count": 30, "suppressed_count": 3, "outside_support_count": 0, "holdout_count": 4,
        "outreach_count": 12, "explore_count": 1, "capacity": 13, "expected_benefit": 4.8,
        "expected_net_value_usd": 2400.0, "marginal_value_usd": 40.0, "run_id": "run-1", **other,
    }  # fmt: skip


def two_nights(home: Path) -> None:
    """`stays` is called and then suppressed, `riser` gains places, `new` appears, `same` is overtaken, `gone` leaves."""
    first = [
        priority_row("stays", priority_rank=1, expected_net_value_usd=300.0),
        priority_row("gone", priority_rank=2, expected_net_value_usd=250.0),
        priority_row("same", priority_rank=3, expected_net_value_usd=220.0),
        priority_row("riser", priority_rank=150, decision="below_capacity", expected_net_value_usd=80.0),
        priority_row("drawn", priority_rank=160, decision="below_capacity", expected_net_value_usd=70.0),
        priority_row("never", priority_rank=None, decision="not_eligible", expected_net_value_usd=None),
    ]
    second = [
        priority_row("stays", SECOND, priority_rank=None, decision="suppressed", reason_1="Was offered a program recently"),
        priority_row("riser", SECOND, priority_rank=1, expected_net_value_usd=410.4, reason_1="Age 93",
                     reason_2="4 emergency visits in the last 30 days"),
        priority_row("new", SECOND, priority_rank=2, expected_net_value_usd=260.0),
        priority_row("same", SECOND, priority_rank=4, decision="below_capacity", expected_net_value_usd=220.0),
        priority_row("drawn", SECOND, priority_rank=161, decision="explore", expected_net_value_usd=70.0),
        priority_row("never", SECOND, priority_rank=None, decision="not_eligible", expected_net_value_usd=None),
    ]  # fmt: skip
    write_table(home, "outreach.priority", [*first, *second])
    write_table(home, "outreach.program_summary", [summary_row(FIRST), summary_row(SECOND)])
    # A program on its simple rule ranks by a value that only the scores hold.
    write_table(home, "causal.member_score", [
        {**row, "is_eligible": True, "rank_value": row["priority_rank"] and 100.5 - row["priority_rank"]}
        for row in (*first, *second)
    ])  # fmt: skip
