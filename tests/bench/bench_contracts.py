"""Cost of enforcing a contract, as ratios within one run on one engine: absolute times mean little on a shared machine.

    python tests/bench/bench_contracts.py [--rows N] [--rules 20 60] [--repeat R]      (make bench-contracts)

Compared on the same table of claim lines: our counts per rule (one pass, as an audit makes it), our row flags written with
the table, a plain copy of the table, and `pandera.pyspark` with the same checks. Twice: on lines of which one in a thousand
breaks a rule, and on clean ones. Pandera asks for one bad row per rule, so it stops early where there are many, and where
Parquet's minima and maxima prove a rule it reads nothing, as we do; it does not say how many rows are bad, or which.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from contracts.compile.rules import row_rules
from contracts.model import Contract, TableContract, column, resolve, table
from contracts.types import Double, Int, Str
from jobs.delta import create_layers, table_version
from jobs.proofs import left_to_ask
from jobs.row_flags import flagged, tally
from jobs.session import spark_session

SOURCE, COPY = "staging.bench_claim", "staging.bench_copy"
CODES = ["11", "12", "21", "22", "23"]


def bench_contract(rules: int) -> TableContract:
    """A contract of `rules` checks over ten amounts, five numbers and five codes."""
    checks: list[tuple[str, Any, dict[str, Any]]] = []
    for i in range(20):
        kind = (Double, Int, Str)[0 if i < 10 else 1 if i < 15 else 2]
        given: dict[str, Any] = {"ge": 0} if i < 15 else {"isin": CODES}
        more: list[dict[str, Any]] = (
            [{"le": 990 if kind is Int else 10_000}, {"ne": 995}]
            if i < 15
            else [{"str_matches": r"^[0-9]{2}$"}, {"notin": ["99"]}]
        )
        for extra in more[: max(0, rules // 20 - 1)]:
            given.update(extra)
        checks.append((f"c{i}", kind, given))
    body: dict[str, Any] = {"__doc__": "x", "__module__": __name__, "__annotations__": {n: k for n, k, _ in checks}}
    body |= {name: column("x", nullable=True, **given) for name, _, given in checks}
    model: Any = type(f"Bench{rules}", (Contract,), body)
    return resolve(table("staging.bench_claim", key=())(model))


def make_source(spark: Any, rows: int, *, clean: bool) -> None:
    """Claim lines; unless clean, one in a thousand has a negative amount, in one of ten columns."""
    bad = "false" if clean else "id % 10000 = {}"
    doubles = [
        f"CAST(pmod(xxhash64(id, {i}), 990) - IF({bad.format(i)}, 2000, 0) AS double) AS c{i}" for i in range(10)
    ]
    numbers = [f"CAST(pmod(xxhash64(id, {i}), 980) AS int) AS c{i}" for i in range(10, 15)]
    values = ", ".join(f"'{code}'" for code in CODES)
    codes = [f"element_at(array({values}), CAST(1 + pmod(xxhash64(id, {i}), 5) AS int)) AS c{i}" for i in range(15, 20)]
    spark.range(rows).selectExpr(*doubles, *numbers, *codes).write.format("delta").mode("overwrite").saveAsTable(SOURCE)


def pandera_validate(contract: TableContract) -> Callable[[Any], Any]:
    """The same checks by `pandera.pyspark` (which has no row-level result); answers with the checks that failed."""
    # Its checks use `pyspark.sql.functions.col`, which without this wants a JVM in this process: every check would fail at once.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    import pandera.pyspark as pap
    import pyspark.sql.types as t

    kinds = {"double": t.DoubleType, "int": t.IntegerType, "string": t.StringType}
    columns = {}
    for item in contract.columns:
        checks = [getattr(pap.Check, check.kind)(**dict(check.arguments)) for check in item.checks]
        columns[item.name] = pap.Column(kinds[item.spark_type](), checks, nullable=True)
    schema = pap.DataFrameSchema(columns)

    def failed(df: Any) -> set[str]:
        found = schema.validate(df).pandera.errors.get("DATA", {})
        assert not found.get("CHECK_ERROR"), "Pandera could not ask its questions"
        return {error["column"] for errors in found.values() for error in errors}

    return failed


def fastest(actions: Sequence[Callable[[], Any]], repeat: int) -> list[float]:
    """The shortest wall time of each action in `repeat` rounds of all in turn, after one round that warms up.

    In turn, so that a machine's other work is shared among them; the shortest, because others only ever add to it.
    """
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(repeat + 1):
        for action, taken in zip(actions, times, strict=True):
            started = time.perf_counter()
            action()
            taken.append(time.perf_counter() - started)
    return [min(taken[1:]) for taken in times]


def main() -> None:
    """Print one line per number of rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rules", type=int, nargs="+", default=[20, 60])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    spark = spark_session("bench")
    create_layers(spark)
    try:
        for clean in (False, True):
            make_source(spark, options.rows, clean=clean)
            print(f"{options.rows:,} claim lines, {'all good' if clean else 'one in a thousand bad'}", flush=True)
            for rules in options.rules:
                print(compared(spark.table(SOURCE), bench_contract(rules), options.repeat), flush=True)
    finally:
        for name in (SOURCE, COPY):
            spark.sql(f"DROP TABLE IF EXISTS {name}")


def compared(source: Any, contract: TableContract, repeat: int) -> str:
    """One line: our pass against Pandera's, and a copy with row flags against a plain one."""

    def write(df: Any) -> None:
        df.write.format("delta").mode("overwrite").option("overwriteSchema", "true").saveAsTable(COPY)

    validate = pandera_validate(contract)

    # Readers and writers apart: what a write leaves to the disk and to the collector falls on whoever comes next.
    def judge() -> None:
        tally(flagged(source, contract, left_to_ask(contract, table_version(source.sparkSession, SOURCE))), contract)

    ours, theirs = fastest([judge, lambda: validate(source)], repeat)
    plain, flags = fastest([lambda: write(source), lambda: write(flagged(source, contract))], repeat)
    return (
        f"{len(row_rules(contract)):3d} rules: ours {ours:.2f} s, pandera.pyspark {theirs:.2f} s ({theirs / ours:.1f} x ours); "
        f"plain copy {plain:.2f} s, with row flags {flags:.2f} s ({flags / plain:.2f} x the plain copy)"
    )


if __name__ == "__main__":
    main()
