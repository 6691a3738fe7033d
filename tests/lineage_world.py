"""A made-up lineage graph of 200 datasets: 25 chains from a delivered file to a published table, with checks of each state."""

from __future__ import annotations

from jobs.lineage.columns import How, Source
from jobs.lineage.graph import Check, Column, ColumnName, Dataset, Graph, Job
from jobs.lineage.naming import Kind

CHAIN = ("landing", "raw", "staging", "core", "features", "causal", "outreach", "ops")
CHAINS, COLUMNS = 25, 20


def wide_graph() -> Graph:
    """`landing.t0.c0 → raw.t0.c0 → … → ops.t0.c0` for 25 tables of 20 columns; `outreach.t0.c0` is also made of `core.t1.c5`."""
    datasets: dict[str, Dataset] = {}
    jobs: dict[str, Job] = {}
    made: dict[ColumnName, frozenset[Source]] = {}
    for number in range(CHAINS):
        before = None
        for schema in CHAIN:
            name = f"{schema}.t{number}"
            datasets[name] = Dataset(
                name, Kind.TABLE, tuple(Column(f"c{n}", "int") for n in range(COLUMNS)), checks=_checks(name)
            )
            if before is not None:
                jobs[f"make.{name}"] = Job(f"make.{name}", frozenset({before}), frozenset({name}))
                made |= {(name, f"c{n}"): frozenset({Source(before, f"c{n}")}) for n in range(COLUMNS)}
            before = name
    made["outreach.t0", "c0"] |= {Source("core.t1", "c5", How.AGGREGATION)}
    jobs["make.outreach.t0"] = Job("make.outreach.t0", frozenset({"causal.t0", "core.t1"}), frozenset({"outreach.t0"}))
    return Graph(datasets, jobs, made)


def _checks(name: str) -> tuple[Check, ...]:
    broken = {"raw.t0": "warn", "core.t0": "error"}.get(name)
    if broken is None and not name.startswith("staging"):
        return ()
    return (
        Check("c0__not_null", "c0", "error", True, "0 rows broken", "0 of 9 rows broken"),
        Check("c1__in_range", "c1", broken or "error", broken is None, "0 rows broken", "2 of 9 rows broken"),
    )
