"""The card of a model: every state draws well, facts survive JSON, nothing small or personal is in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from registry_world import PROGRAM, SOURCE, Registry, scorer

from causal.encoding import FeatureEncoder
from causal.reasons import fit_reasons
from causal.scorer import Scorer
from contracts.errors import ModelUnavailableError
from contracts.features import covariates
from contracts.features import registry as features
from contracts.programs import program
from jobs.decisions import Actor, approve, approve_and_promote_unasked, promote, roll_back
from jobs.model_card import sentences
from jobs.model_card.collect import TrainingRows, card_facts, subgroups
from jobs.model_card.facts import CardFacts, read_facts, to_json
from jobs.model_card.render import metric_table, render_html, render_markdown
from jobs.model_card.standing import standing
from jobs.model_card.write import card_folder, redraw_card, write_card
from jobs.registry import RegisteredModel

MARIA = Actor("Maria Ortiz", "person", "mortiz")
TRAINED = date(2026, 6, 1)
VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "line", "circle"}


def explained_scorer() -> Scorer:
    """A scorer of every covariate whose reasons rest on two of them."""
    rng = np.random.default_rng(0)
    names = covariates()
    encoder = FeatureEncoder(names, (0.0,) * len(names), (), (), ())
    Z = rng.normal(size=(600, len(names)))
    target = 3 * Z[:, names.index("ed_visit_90d_count")] + (Z[:, names.index("age")] > 0)
    return replace(scorer(), encoder=encoder, reasons=fit_reasons(Z, target, encoder, 1), reasons_of="benefit")


def training_rows(model: RegisteredModel, *, randomised: int = 3600, equity: list[dict] | None = None) -> TrainingRows:
    label = {"data_source": SOURCE, "program": PROGRAM, "trained_as_of": TRAINED, "run_id": "run-1"}

    def estimate(ranking: str, metric: str, value: float, half: float = 0.09) -> dict:
        limits = {"ci_lower": value - half, "ci_upper": value + half}
        return {**label, "ranking": ranking, "metric": metric, "value": value, "se": half / 1.96, **limits}

    tops = {"model": 0.42, "baseline_risk": 0.11, "random": 0.14}
    evaluation = [estimate(r, m, v) for m in ("top_fraction_effect", "autoc", "qini") for r, v in tops.items()]
    evaluation += [estimate("model_minus_baseline_risk", m, 0.31, 0.2) for m in ("top_fraction_effect", "autoc")]
    evaluation += [estimate("model", f"gates_{k}", 0.09 * k - 0.1) for k in range(1, 6)] + [
        estimate("model", "blp_slope", 0.93, 0.3)
    ]
    words = {
        "pass": "It holds.",
        "fail": "7 people were offered before | and 5 were not.",
        "inconclusive": "It cannot be told.",
    }
    statuses = ["pass", "inconclusive", "fail" if model.verdict == "blocked" else "pass"]
    gates = [
        {**label, "gate": g, "gate_number": n, "status": s, "is_hard": g == "placebo_outcome", "sentence": words[s]}
        for n, (g, s) in enumerate(zip(("design", "balance", "placebo_outcome"), statuses, strict=True))
    ]
    steps = [("Enrolled and alive at an index date", 120_431, 2_204), ("Meets the program's criteria", 40_017, 1_713), ("Not offered the program in the wash-out", 39_106, 9)]  # fmt: skip
    return TrainingRows(
        models=[{
            **label, "model_version": model.label, "learner": "causal_forest", "verdict": model.verdict,
            "verdict_sentence": model.tags["verdict_sentence"], "trial_count": 39_106, "offered_count": 1_604,
            "ate": -0.15, "ate_se": 0.03, "seed": 7, "trained_at": datetime(2026, 6, 1, 4, 30, tzinfo=UTC),
        }],
        evaluation=evaluation,
        gates=gates,
        flow=[{**label, "step_number": n, "step": s, "remaining_count": r, "offered_count": o} for n, (s, r, o) in enumerate(steps, 1)],
        cohort=[{"program": PROGRAM, "n": 3600, "randomised": randomised, "first_index": date(2025, 1, 1), "last_index": date(2025, 12, 1)}],
        equity=equity,
        tables=(("features.member_feature", 12), ("causal.cohort", 3)),
        balance=[{**label, "covariate": "ed_visit_90d_count", "smd_before": 0.4, "smd_after": 0.03, "smd_after_se": 0.02}],
        overlap=[{**label, "bin": 9, "is_offered": offered, "n": 812, "n_random": 812 * randomised // 3600} for offered in (True, False)],
    )  # fmt: skip


def group(name: str, ranking: str = "model", people: int = 412, called: int = 60, small: bool = False) -> dict:
    """A row of `causal.equity`."""
    return {
        "program": PROGRAM, "trained_as_of": TRAINED, "dimension": "sex", "group_name": name, "ranking": ranking, "is_too_small": small,
        "people_count": people, "selected_count": called, "selection_rate": called / people if people else None,
        "selection_ratio": 2 * called / people if people else None,
        "benefit_selected": 0.25, "benefit_selected_se": 0.05, "calibration_gap": -0.02, "calibration_gap_se": 0.1,
    }  # fmt: skip


def made(model: RegisteredModel, **options: object) -> CardFacts:
    return card_facts(program(PROGRAM), model, explained_scorer(), training_rows(model, **options))


class Checker(HTMLParser):
    """Tags are closed in order, ids are unique, and every picture has words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        assert tag != "img", "a picture from elsewhere"
        assert not any(name in found for name in ("onclick", "src")), f"{tag} loads or runs something"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check(page: str) -> str:
    parser = Checker()
    parser.feed(page)
    assert parser.open == []
    assert len(set(parser.ids)) == len(parser.ids), "two elements have one id"
    return " ".join(" ".join(parser.text).split())


@pytest.mark.parametrize("verdict", ["publish", "fallback", "blocked"])
def test_every_verdict_draws(registry: Registry, verdict: str) -> None:
    model = registry.train(verdict)
    facts, now = made(model), standing(model)
    text, markdown = check(render_html(facts, now)), render_markdown(facts, now)
    for words in (
        facts.plan.title,
        facts.label,
        "Not to be used",
        "Target trial",
        "Whom it learnt from",
        "No approval holds",
    ):
        assert words in text, words
    for shown in (text, markdown):
        assert ("not to be believed" in shown) == (verdict == "blocked")
        assert ("0.42" in shown) == (verdict != "blocked"), "effects of a refuted model are printed, or others' are not"
        assert ("would let this model rank, so it does not rank" in shown) == (verdict == "fallback")
        assert "ed_visit_90d_count" in shown
    assert "Nothing has been decided" in markdown


def test_a_model_that_could_not_be_trained_draws(registry: Registry) -> None:
    model = registry.train("fallback", tags={"learner": "none"})
    rows = replace(training_rows(model), evaluation=[], flow=[], gates=[], cohort=[])
    bare = replace(scorer(), model=None)
    facts = card_facts(program(PROGRAM), model, bare, rows)
    text = check(render_html(facts, standing(model)))
    for words in (
        "No cohort is on record",
        "No tests are on record",
        "could not be tested",
        "nothing to explain",
        "none had anybody",
    ):
        assert words in text, words
    assert "no valid interval" in render_markdown(facts, standing(model))


def test_the_cohort_ends_with_what_was_trained_on(registry: Registry) -> None:
    model = registry.train()
    last = [made(model, randomised=n).evidence.flow[-1] for n in (3600, 900)]
    assert [(step.remaining, step.offered) for step in last] == [(39_110, 1_600)] * 2
    assert ["random" in step.words for step in last] == [True, False]


@pytest.mark.parametrize(("verdict", "words"), [("publish", "waits for approval"), ("blocked", "may not be approved")])
def test_where_a_challenger_stands(registry: Registry, verdict: str, words: str) -> None:
    model = registry.train(verdict)
    assert words in check(render_html(made(model), standing(model)))


def test_an_automatic_approval_reads_as_one(registry: Registry) -> None:
    model = registry.train()
    assert approve_and_promote_unasked(model)
    for shown in (check(render_html(made(model), standing(model))), render_markdown(made(model), standing(model))):
        assert "Approved automatically on" in shown
        assert "nobody was asked" in shown


def test_facts_survive_json(registry: Registry, tmp_path: Path) -> None:
    facts = made(registry.train(), equity=[group("female"), group("female", "baseline_risk", called=30)])
    path = tmp_path / "card.json"
    path.write_text(to_json(facts))
    assert read_facts(path) == facts


def test_importance_is_a_share_and_finds_what_matters(registry: Registry) -> None:
    facts = made(registry.train())
    assert facts.features[0].name == "ed_visit_90d_count"
    shares = [f.share or 0.0 for f in facts.features]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0)
    assert {f.name for f in facts.features} == set(covariates())
    assert facts.features[0].meaning == features()["ed_visit_90d_count"].meaning


def test_groups_stand_beside_risk_ranking(registry: Registry) -> None:
    (found,) = subgroups([group("female"), group("female", "baseline_risk", called=103)])
    assert (found.people, found.called, found.called_by_risk) == (410, 60 / 412, 0.25)
    assert found.benefit.lower == pytest.approx(0.25 - 1.96 * 0.05, abs=1e-3)
    assert subgroups([]) == ()
    model = registry.train()
    assert "were not computed" in check(render_html(made(model), standing(model)))
    assert "No result by group" in check(render_html(made(model, equity=[]), standing(model)))


@pytest.mark.parametrize(
    "hidden",
    [
        group("unknown", people=7, called=7),
        group("unknown", people=77, called=9),
        group("unknown", small=True),
        {**group("unknown"), "people_count": None, "selected_count": None},
    ],
)
def test_small_groups_are_hidden(registry: Registry, hidden: dict) -> None:
    model = registry.train("blocked")
    facts = made(model, equity=[group("female"), hidden])
    small = facts.subgroups[1]
    assert (small.people, small.called, small.benefit, small.calibration_gap) == (None,) * 4
    for shown in (check(render_html(facts, standing(model))), render_markdown(facts, standing(model))):
        assert "410" in shown
        assert "Unknown" in shown
        assert "fewer than 11 people were offered before" in shown
        assert not re.search(r"\b9\b(?! fewer)", shown.split("wash-out")[1][:60]), "an arm of 9 people is printed"


def test_what_is_said_of_assignment_follows_the_cohort(registry: Registry) -> None:
    model = registry.train()
    random, some, none = (made(model, randomised=n) for n in (3600, 900, 0))
    here = [next(row.here for row in facts.trial if row.aspect == "Assignment") for facts in (random, some, none)]
    assert "as drawn at random" in here[0]
    assert "25% of person-trials at random" in here[1]
    assert "care managers' choice" in here[2]
    assert "random" not in here[2]
    assert [any("not all random" in line for line in facts.limits) for facts in (random, some, none)] == [
        False,
        True,
        True,
    ]


def test_the_trial_table_is_the_programs_configuration() -> None:
    chosen = program(PROGRAM)
    rows = {
        row.aspect: row
        for row in sentences.trial_table(chosen, randomised_share=1, index_words="x", learner="constant")
    }
    assert chosen.eligibility in rows["Eligibility"].ideal
    assert f"{chosen.outcome.horizon_days} days" in rows["Follow-up"].ideal
    assert chosen.outcome.event_types[0].replace("_", " ") in rows["Outcome"].here


def test_markdown_tables_stay_tables(registry: Registry) -> None:
    """A note or sentence with a bar or a line break must not break the row it stands in."""
    model = registry.train("blocked")
    text = render_markdown(made(model, equity=[group("a|b")]), standing(model))
    width = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert width in (0, cells), f"{cells - 1} cells instead of {width - 1}: {line}"
        width = cells
    assert "A\\|b" in text


def test_the_card_follows_the_decisions(registry: Registry) -> None:
    first = registry.train()
    page = write_card(program(PROGRAM), first, explained_scorer(), training_rows(first))
    assert page == card_folder(first) / "card.html"
    assert "waits for approval" in page.read_text()
    approve(first, MARIA, "read with the <nurses>")
    promote(first, MARIA)
    text = redraw_card(first).read_text()
    assert "Champion: it serves" in check(text)
    assert "Maria Ortiz (login mortiz)" in check(text)
    assert "&lt;nurses&gt;" in text, "a note is put into the page as it is"
    roll_back(first.name, MARIA, "complaints", to="none")
    text = check(redraw_card(first).read_text())
    assert "Taken off" in text
    assert "No approval holds" in text
    assert (first.folder / "card" / "card.html").read_text() == (card_folder(first) / "card.html").read_text()


def test_a_model_without_a_card_says_so(registry: Registry) -> None:
    model = registry.train()
    with pytest.raises(ModelUnavailableError, match="has no card"):
        redraw_card(model)


def test_no_comparison_with_what_was_not_measured(registry: Registry) -> None:
    table = {words: (values, gain) for words, values, gain in metric_table(made(registry.train()))}
    slope = next(v for k, v in table.items() if "slope" in k)
    assert slope == (["0.93 (0.63 to 1.2)", "", ""], "")


def test_the_card_says_which_way_benefit_goes_and_how_many_were_judged(registry: Registry) -> None:
    model = registry.train()
    facts = made(model, equity=[group("female")])
    markdown = render_markdown(facts, standing(model))
    assert (
        "| Average benefit of an offer | 0.15 fewer emergency visits in 90 days per person (95% interval:" in markdown
    )
    assert "about 39,110 person-trials, offered in about 1,600" in markdown
    for shown in (markdown, check(render_html(facts, standing(model)))):
        assert "among the half ranked highest: the team can reach half of them or more" in shown
    assert facts.evidence.called_by_group == (), "groups are hidden more strictly in the card's own table"


def test_groups_have_the_names_of_the_report(registry: Registry) -> None:
    model = registry.train()
    named = [{**group("2"), "dimension": "area_deprivation"}, {**group("asian"), "dimension": "race"}]
    facts = made(model, equity=named)
    assert "Primary care in the area: Fifth 2" in render_markdown(facts, standing(model))
    text = check(render_html(facts, standing(model)))
    assert "Primary care in the area" in text
    assert "Fifth 2" in text
    assert "Asian" in text
