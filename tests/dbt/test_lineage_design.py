"""The graph that the code alone tells: connected, no name that leads nowhere, from files to the list and back; no Spark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.catalog import catalog
from contracts.errors import UserError
from jobs.lineage.checks import problems, truth_readers
from jobs.lineage.columns import How, of_query
from jobs.lineage.design import designed
from jobs.lineage.graph import Graph, designed_graph

# Written when something happens to a model or a run, or when somebody reads, by no step of a night.
ON_OCCASION = {"ops.access_audit", "ops.alert"}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return designed_graph(designed())


def test_one_connected_graph_without_loose_ends(graph: Graph) -> None:
    assert not problems(graph), "\n".join(problems(graph))


def test_every_table_of_the_catalog_is_in_it(graph: Graph) -> None:
    own = {name for name, table in catalog().items() if table.model.__module__.startswith("contracts.")}
    missing = own - set(graph.datasets) - ON_OCCASION
    assert not missing, f"no job of jobs/lineage/design.py reads or writes {sorted(missing)}"


def test_the_effect_walks_back_to_delivered_columns(graph: Graph) -> None:
    reached = {(hop.dataset, hop.column) for hop in graph.trace("outreach.priority.cate", "upstream")}
    assert {
        ("causal.member_score", "cate"), ("model.tuva__ed_diversion", "cate"), ("causal.cohort", "outcome"),
        ("features.member_feature", "age"), ("core.outcome_event", "event_start_date"),
        ("landing.tuva__medical_claim", "paid_amount"), ("landing.tuva__eligibility", "birth_date"),
    } <= reached  # fmt: skip


def test_a_delivered_amount_walks_forward_to_list_and_reports(graph: Graph) -> None:
    reached = {hop.dataset for hop in graph.trace("raw.tuva__medical_claim.paid_amount", "downstream")}
    assert {"outreach.priority", "outreach.action_list", "outreach.night_report", "card.tuva__ed_diversion"} <= reached
    assert "core.consent" not in reached, "consent is made of no amount"


def test_a_reader_of_the_truth_is_found(graph: Graph) -> None:
    """The check must be able to fail: a score that peeks."""
    score = graph.jobs["score"]
    peeking = replace(score, inputs=score.inputs | {"truth.potential_outcome"})
    assert truth_readers(replace(graph, jobs={**graph.jobs, "score": peeking})) == [
        "score reads truth.potential_outcome"
    ]


def test_an_unknown_name_suggests_near_ones(graph: Graph) -> None:
    with pytest.raises(UserError, match="did you mean cate"):
        graph.trace("outreach.priority.kate", "upstream")
    with pytest.raises(UserError, match=r"outreach\.priority"):
        graph.trace("outreach.prioritee", "upstream")


def test_steps_are_classed_as_openlineage_does() -> None:
    found = of_query("""
        select m.member_id, sum(m.paid_amount) as paid, max(case when m.claim_type = 'dental' then m.drg_code end) as drg,
            md5(m.claim_id) as hashed
        from core.medical_claim m join core.member p on p.member_id = m.member_id where not m.is_void
        group by m.member_id, m.claim_id""")
    how = {name: {(s.column, s.how, s.masking) for s in sources} for name, sources in found.columns.items()}
    assert how == {
        "member_id": {("member_id", How.IDENTITY, False)},
        "paid": {("paid_amount", How.AGGREGATION, False)},
        "drg": {("claim_type", How.CONDITIONAL, False), ("drg_code", How.AGGREGATION, False)},
        "hashed": {("claim_id", How.TRANSFORMATION, True)},
    }
    assert {(s.dataset, s.column, s.how) for s in found.rows} >= {
        ("core.medical_claim", "is_void", How.FILTER), ("core.member", "member_id", How.JOIN),
        ("core.medical_claim", "claim_id", How.GROUP_BY),
    }  # fmt: skip


def test_a_union_goes_by_place_and_a_struct_by_field() -> None:
    union = of_query(
        "select birth_date as a, death_date as b from core.member union all select death_date, death_date from core.member"
    )
    assert {s.column for s in union.columns["a"]} == {"birth_date", "death_date"}
    assert {s.column for s in union.columns["b"]} == {"death_date"}
    field = of_query("select x.said.sex from (select max(struct(sex, race)) as said from core.member) x")
    assert {s.column for s in field.columns["sex"]} == {"sex"}
