"""What the night believed against what is true: the simulator knows each member's effect, the pipeline never reads it."""

from __future__ import annotations

from plan import NIGHT, Plan

# The effect of an offer on each person-trial that the model was trained on, as the simulator made it.
_TRIALS = """
    select c.program, avg(t.expected_y1 - t.expected_y0) as truth, count(*) as n
    from c join t on t.member_id = c.member_id and t.program = c.program and t.index_date = c.index_date
    where c.is_trained_on group by c.program
"""


def test_average_effects_are_recovered(plan: Plan) -> None:
    truth = plan.sql(_TRIALS, c="causal.cohort", t="truth.potential_outcome").set_index("program")["truth"]
    models = plan.sql("select program, ate, ate_se from m where ate is not null", m="causal.model").set_index("program")
    assert "ed_diversion" in models.index, "the pilot of ed_diversion was not trained on"
    row = models.loc["ed_diversion"]
    # 2.58 standard errors: the 99 % interval, because the simulator is drawn anew whenever it changes.
    assert abs(row["ate"] - truth["ed_diversion"]) < 2.58 * row["ate_se"], (row.to_dict(), truth.to_dict())


def test_a_list_claims_no_value_unless_its_ranking_beats_risk(plan: Plan) -> None:
    """2,000 people can be too few to learn whom to call (12,000 are not: tests/causal/test_simulated_trials.py).

    Compared by the mean true benefit of the best fifth of tonight's eligible members, by effect and by predicted risk.
    """
    night = plan.night(NIGHT)
    for program, rows in night.groupby("program"):
        if (rows["verdict"] == "publish").all():
            scored = plan.sql(
                f"""
                select s.cate, s.baseline_risk, t.expected_y0 - t.expected_y1 as true_benefit
                from s join t on t.member_id = s.member_id and t.program = s.program
                    and t.index_date = date_trunc('month', s.run_date)
                where s.program = '{program}' and s.run_date = date '{NIGHT}' and s.cate is not null""",
                s="causal.member_score", t="truth.potential_outcome",
            )  # fmt: skip
            fifth = len(scored) // 5
            by_model = scored.nsmallest(fifth, "cate")["true_benefit"].mean()
            by_risk = scored.nlargest(fifth, "baseline_risk")["true_benefit"].mean()
            assert by_model > by_risk, (
                f"{program}: the best fifth gains {by_model:.4f} by effect, {by_risk:.4f} by risk"
            )
        else:
            assert rows["expected_net_value_usd"].isna().all(), f"{program} claims a value that it could not show"


def test_nothing_but_the_simulator_and_tests_reads_truth() -> None:
    from plan import ROOT

    from contracts.catalog import layer

    tables = [table.name for table in layer("truth")]
    # The command line only says how many rows the simulator wrote there.
    allowed = {"contracts/tables/truth.py", "contracts/catalog.py", "dagster_project/cli/simulate.py"}
    readers = [
        str(path.relative_to(ROOT))
        for folder in ("contracts", "causal", "jobs", "dagster_project", "dbt")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".yml") and any(table in path.read_text(encoding="utf-8") for table in tables)
    ]
    outside = [name for name in readers if not name.startswith("jobs/simulate/") and name not in allowed]
    assert not outside, f"these may not read truth: {outside}"
