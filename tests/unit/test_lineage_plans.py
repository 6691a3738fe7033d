"""Column lineage of plans that the client holds, and of graphs in which a job reads what it writes; no server."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from jobs.lineage import offline
from jobs.lineage.columns import ColumnLineage, How, Source
from jobs.lineage.graph import designed_graph
from jobs.lineage.plan import computed, lineage_of
from jobs.lineage.work import JobLineage


@pytest.fixture
def spark() -> Any:
    return offline.offline_session()


def columns(lineage: ColumnLineage, name: str) -> set[str]:
    return {f"{source.dataset}.{source.column}" for source in lineage.columns[name]}


def test_a_join_a_filter_and_an_aggregate(spark: Any) -> None:
    claims = spark.table("core.medical_claim").where("not is_void")
    paid = claims.groupBy("member_id").agg({"paid_amount": "sum"}).toDF("member_id", "paid")
    found = lineage_of(spark.table("core.member").join(paid, "member_id").select("member_id", "paid", "sex"))
    assert columns(found, "paid") == {"core.medical_claim.paid_amount"}
    assert {s.how for s in found.columns["paid"]} == {How.AGGREGATION}
    assert columns(found, "sex") == {"core.member.sex"}
    assert Source("core.medical_claim", "is_void", How.FILTER) in found.rows


def test_sql_over_frames_that_are_given_to_it(spark: Any) -> None:
    born = spark.sql("select member_id, birth_date as born from core.member")
    found = lineage_of(spark.sql("select a.born, b.paid_amount from {who} a join {what} b on a.member_id = b.member_id",
                                 who=born, what=spark.table("core.medical_claim")))  # fmt: skip
    assert columns(found, "born") == {"core.member.birth_date"}
    assert columns(found, "paid_amount") == {"core.medical_claim.paid_amount"}


def test_a_union_goes_by_name_where_it_says_so(spark: Any) -> None:
    one = spark.sql("select birth_date as a, death_date as b from core.member")
    other = spark.sql("select death_date as b, birth_date as a from core.member")
    assert columns(lineage_of(one.unionByName(other)), "a") == {"core.member.birth_date"}
    assert columns(lineage_of(one.union(other)), "a") == {"core.member.birth_date", "core.member.death_date"}


@pytest.mark.parametrize("threshold", ["1073741824", "10"], ids=["sent in the plan", "sent ahead of the plan"])
def test_rows_from_the_driver_are_made_of_what_is_said(
    spark: Any, monkeypatch: pytest.MonkeyPatch, threshold: str
) -> None:
    """Many rows are sent ahead; the plan then holds only their hash."""
    monkeypatch.setitem(offline._CONF, "spark.sql.session.localRelationCacheThreshold", threshold)
    monkeypatch.setattr(
        type(spark.client), "cache_artifacts", lambda _, blobs: ["0" * 64 for _ in blobs], raising=False
    )
    frame = spark.createDataFrame(pd.DataFrame({"program": ["a"] * 9, "cate": [1.0] * 9}))
    computed(frame, {"program": ("causal.cohort.program",), "*": ("model.tuva__ed_diversion.cate",)})
    found = lineage_of(frame.selectExpr("cast(program as string) as program", "cate * 2 as double_cate"))
    assert columns(found, "program") == {"causal.cohort.program"}
    assert columns(found, "double_cate") == {"model.tuva__ed_diversion.cate"}


def test_rows_sent_ahead_have_the_columns_of_their_table(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(offline._CONF, "spark.sql.session.localRelationCacheThreshold", "10")
    monkeypatch.setattr(
        type(spark.client), "cache_artifacts", lambda _, blobs: ["0" * 64 for _ in blobs], raising=False
    )
    frame = computed(spark.createDataFrame([("a", 1)] * 9, "program string, n int"), {"*": ("causal.cohort.outcome",)})
    found = lineage_of(frame, columns=("program", "n"))
    assert columns(found, "n") == {"causal.cohort.outcome"}


def test_a_table_whose_bad_rows_are_taken_out_is_made_of_nothing_new() -> None:
    """Contracts hold a whole layer at once; what they quarantine of one table comes from no other."""
    outputs = {"core.member": ColumnLineage(), "ops.quarantine": ColumnLineage()}
    job = JobLineage("contracts.core", frozenset({"core.member", "core.consent"}), outputs)
    parents = designed_graph([job]).parents
    assert parents["core.member"] == {}
    assert set(parents["ops.quarantine"]) == {"core.member", "core.consent"}
