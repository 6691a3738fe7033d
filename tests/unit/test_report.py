"""The report of a night from grouped rows: what it says in every state, and what it must never show."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contracts.programs import programs
from jobs.report.assemble import CALLED, assemble
from jobs.report.index import read_entries
from jobs.report.night import NightReport
from jobs.report.queries import NightRows
from jobs.report.render import render, render_index
from jobs.report.write import save_report

NIGHT, LAST, TRAINED = date(2026, 11, 23), date(2026, 11, 22), date(2026, 11, 20)
MADE = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
KEYS = tuple(programs().programs)
ED, TOC, MED = KEYS
VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "line", "circle", "polyline", "polygon"}


def summary(program: str, verdict: str, outreach: int, explore: int, sentence: str = "Because.") -> dict:
    return {
        "program": program, "verdict": verdict, "verdict_sentence": sentence,
        "model_version": f"outreach.tuva.{program}/3" if verdict != "blocked" else "none",
        "outreach_count": outreach, "explore_count": explore, "expected_benefit": 9.0,
        "expected_net_value_usd": 5000.0, "full_effect_count": outreach - 0.6 * (outreach // 3),
        "outreach_cost_usd": 35.0 * outreach - 31.0 * (outreach // 3), "marginal_value_usd": 41.3, "run_id": "5e1f-run",
    }  # fmt: skip


def decided(program: str, outreach: int, explore: int, deceased: int = 4) -> list[dict]:
    rows = [
        ("outreach", None, outreach), ("explore", None, explore), ("holdout", None, 212), ("below_capacity", None, 1800),
        ("outside_support", None, 77), ("suppressed", "Asked not to be contacted", 13),
        ("suppressed", "Was offered a program recently", 140), ("not_eligible", "Died", deceased),
        ("not_eligible", "Not enrolled on this date", 390), ("not_eligible", "In hospice care", 25),
        ("not_eligible", "Does not meet the program's criteria", 4200),
    ]  # fmt: skip
    return [{"program": program, "decision": d, "reason": r, "n": n} for d, r, n in rows if n]


def estimate(program: str, ranking: str, metric: str, value: float, half: float) -> dict:
    return {
        "program": program, "trained_as_of": TRAINED, "ranking": ranking, "metric": metric, "value": value,
        "se": half / 1.96, "ci_lower": value - half, "ci_upper": value + half,
    }  # fmt: skip


def trained(program: str, verdict: str) -> dict[str, list[dict]]:
    label = {"program": program, "trained_as_of": TRAINED}
    tops = {"model": 0.42, "baseline_risk": 0.11, "random": 0.14, "constant": 0.15}
    evaluation = [estimate(program, name, "top_fraction_effect", v, 0.09) for name, v in tops.items()]
    evaluation += [
        estimate(program, f"model_minus_{n}", "top_fraction_effect", 0.42 - tops[n], 0.12) for n in list(tops)[1:]
    ]
    evaluation += [estimate(program, "model", f"gates_{k}", 0.09 * k - 0.1, 0.13) for k in range(1, 6)]
    evaluation += [
        estimate(program, name, f"curve_{q}", scale * q / 100 * (2 - q / 100) + 0.15 * q / 100, 0.02)
        for name, scale in {"model": 0.1, "baseline_risk": -0.05, "random": 0.01}.items()
        for q in range(10, 101, 10)
    ]
    for k in range(1, 11):
        evaluation += [estimate(program, "model", f"decile_{k}", 0.05 * k - 0.1, 0.2)]
        evaluation += [
            {**estimate(program, "model", f"decile_{k}_predicted", 0.04 * k, 0), "ci_lower": None, "ci_upper": None}
        ]
    gates = [
        ("design", "pass", False, "812 people were offered and 4 were not; a logged draw decided who was."),
        ("balance", "inconclusive", False, "They differ most in `ed_visit_90d_count`: 0.11 standard deviations."),
        ("placebo_outcome", "fail" if verdict == "blocked" else "pass", True, "Before any offer the groups did not differ."),
    ]  # fmt: skip
    steps = [("Enrolled and alive at an index date", 120_431, 2_204), ("Meets the program's criteria", 40_017, 1_713)]
    steps += [("Not offered the program in the wash-out", 39_106, 9)]
    return {
        "models": [{
            **label, "model_version": f"outreach.tuva.{program}/3", "learner": "causal_forest", "verdict": verdict,
            "verdict_sentence": "Because of the gates.", "trial_count": 39_106, "offered_count": 1_604,
            "ate": -0.15, "ate_se": 0.03,
        }],
        "gates": [
            {**label, "gate": g, "gate_number": n, "status": s, "is_hard": h, "sentence": t}
            for n, (g, s, h, t) in enumerate(gates)
        ],
        "evaluation": evaluation,
        "flow": [
            {**label, "step_number": n, "step": s, "remaining_count": r, "offered_count": o}
            for n, (s, r, o) in enumerate(steps, start=1)
        ],
        "balance": [
            {**label, "covariate": c, "smd_before": b, "smd_after": a, "smd_after_se": 0.02}
            for c, b, a in (("ed_visit_90d_count", 0.41, 0.03), ("age missing", 0.12, 0.05))
        ],
        "overlap": [
            {**label, "bin": b, "is_offered": t, "n": n}
            for b, t, n in ((3, True, 640), (3, False, 2104), (9, True, 964), (9, False, 4), (15, False, 1203))
        ],
        "equity": [
            {**label, "dimension": d, "group_name": g, "ranking": r, "is_too_small": x is None, "selection_rate": x}
            for d, g, r, x in (
                ("sex", "female", "model", 0.31), ("sex", "female", "baseline_risk", 0.28),
                ("sex", "male or not recorded", "model", 0.24), ("sex", "male or not recorded", "baseline_risk", 0.33),
                ("race", "asian", "model", None), ("race", "white", "model", 0.3),
            )
        ],
    }  # fmt: skip


def past(program: str, month: int, effect: float, half: float, predicted: float, offered: int = 412) -> dict:
    return {
        "program": program, "window_start": date(2026, month, 1), "offered_count": offered, "holdout_count": 58,
        "realized_effect": effect, "ci_lower": effect - half, "ci_upper": effect + half, "predicted_effect": predicted,
        "is_alarm": False,
    }  # fmt: skip


def people(program: str, parts: dict[str, dict[str, int]]) -> list[dict]:
    return [
        {"program": program, "dimension": d, "value": v, "n": n}
        for d, values in parts.items()
        for v, n in values.items()
    ]


def night_rows() -> NightRows:
    """One program ranked by effect, one on its rule, one blocked."""
    parts = {
        ED: trained(ED, "publish"), TOC: trained(TOC, "fallback"), MED: trained(MED, "blocked"),
    }  # fmt: skip
    return NightRows(
        summary=[
            summary(ED, "publish", 57, 3, "The gates passed."),
            summary(TOC, "fallback", 19, 1, "Only 7 people in the offered group; at least 50 are needed."),
            summary(MED, "blocked", 0, 0, "Before any offer, `medication_gap_181_to_360d_days` already differed."),
        ],
        decisions=[*decided(ED, 57, 3), *decided(TOC, 19, 1), *decided(MED, 0, 0)],
        limits=[
            {"resource_kind": "budget", "resource": "all", "unit": "usd", "limit_quantity": 5000.0, "marginal_value_usd": 1.37},
            {"resource_kind": "team", "resource": "nurse_line", "unit": "hours", "limit_quantity": 18.0, "marginal_value_usd": 412.7},
            {"resource_kind": "team", "resource": "message_desk", "unit": "hours", "limit_quantity": 2.5, "marginal_value_usd": 0.0},
            {"resource_kind": "team", "resource": "pharmacists", "unit": "hours", "limit_quantity": 9.0, "marginal_value_usd": None},
        ],
        who=people(ED, {
            "Age": {"18 to 34": 3, "35 to 49": 14, "50 to 64": 24, "65 to 74": 19}, "Sex": {"Women": 35, "Men, or not recorded": 25},
            "Payer": {"Medicaid": 31, "Medicare": 25, "Commercial": 4}, "How": {"Phone": 38, "Text": 22},
        }) + people(TOC, {"Age": {"65 to 74": 20}, "Sex": {"Women": 16, "Men, or not recorded": 4}, "Payer": {"Medicare": 20}}),
        reasons=[
            {"program": ED, "words": "Emergency visits in the last 90 days", "n": 44},
            {"program": ED, "words": "No office visit in the last 90 days", "n": 55},
            {"program": ED, "words": "Has COPD", "n": 6},
            {"program": TOC, "words": programs().programs[TOC].fallback_reason, "n": 20},
        ],
        previous_night=LAST,
        changes=[{"program": ED, "tonight": 60, "last": 60, "stayed": 0}, {"program": TOC, "tonight": 20, "last": 20, "stayed": 15}],
        models=[row for p in parts.values() for row in p["models"]],
        gates=[row for p in parts.values() for row in p["gates"]],
        evaluation=[row for p in parts.values() for row in p["evaluation"]],
        flow=[row for p in parts.values() for row in p["flow"]],
        balance=[row for p in parts.values() for row in p["balance"]],
        overlap=[row for p in parts.values() for row in p["overlap"]],
        equity=[row for p in parts.values() for row in p["equity"]],
        by_risk=[{"program": ED, "fifth": f, "n": n} for f, n in ((5, 24), (4, 16), (3, 14), (2, 3))],
        realized=[past(ED, 7, -0.31, 0.2, -0.4), past(ED, 8, -0.1, 0.22, -0.38), past(ED, 9, -0.4, 0.2, -0.4, offered=7)],
        audited=True,
        rules=[
            {"table_name": "staging.stg_tuva__medical_claim", "rule": "paid_usd__not_null", "verdict": "quarantined", "rows_broken": 214},
            {"table_name": "staging.stg_tuva__member", "rule": "birth_date__not_null", "verdict": "quarantined", "rows_broken": 2},
        ],
        parked=[{"entity": "pharmacy_claim", "n": 1}],
        versions={"feature_version": "0a1b2c3d4e5f", "contract_version": "1.0.0", "run_id": "5e1f-run", "code_version": "0.1.0+abc"},
    )  # fmt: skip


def made(rows: NightRows) -> NightReport:
    return assemble(rows, programs().programs, "tuva", NIGHT, MADE)


@pytest.fixture
def rows() -> NightRows:
    return night_rows()


def text_of(html: str) -> str:
    """What a reader sees, on one line."""
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&#39;", "'").split())


class Strict(HTMLParser):
    """Fails on tags that are not closed in order; collects ids and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        self.targets += (found.get("aria-labelledby") or "").split()
        if (found.get("href") or "").startswith("#"):
            self.targets.append((found["href"] or "")[1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def states(rows: NightRows) -> dict[str, NightRows]:
    """The night as it is, and everything that may be missing."""
    bare = replace(rows, models=[], gates=[], evaluation=[], flow=[], balance=[], overlap=[], equity=[])
    small = replace(
        rows, summary=[summary(ED, "publish", 4, 0)], decisions=[{"program": ED, "decision": "outreach", "reason": None, "n": 4}]
    )  # fmt: skip
    return {
        "full": rows,
        "first night": replace(rows, previous_night=None, changes=[], realized=[]),
        "no model": bare,
        "no evaluation": replace(rows, evaluation=[]),
        "nothing audited": replace(rows, audited=False, rules=[], parked=[]),
        "nobody called": replace(
            rows, summary=[summary(ED, "publish", 0, 0)], decisions=decided(ED, 0, 0), who=[], reasons=[]
        ),
        "tiny": small,
    }


def test_every_state_is_well_formed_html(rows: NightRows) -> None:
    for name, state in states(rows).items():
        page = Strict()
        page.feed(render(made(state)))
        assert page.open == [], name
        assert len(page.ids) == len(set(page.ids)), f"{name}: an id occurs twice"
        assert set(page.targets) <= set(page.ids), f"{name}: points at ids that are not there"


def test_page_needs_nothing_from_elsewhere_and_is_small(rows: NightRows) -> None:
    html = render(made(rows))
    assert "<script" not in html
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(""", html)
    assert len(html.encode()) < 1_000_000


def test_benefit_is_the_held_out_mean_times_those_called_by_rank(rows: NightRows) -> None:
    program = made(rows).programs[0]
    assert program.benefit is not None
    in_full = 57 - 0.6 * 19  # a third of them by text, which is assumed to keep .4 of the effect
    assert (program.benefit.value, program.benefit.lower) == pytest.approx((in_full * 0.42, in_full * 0.33))
    assert program.value_usd is not None
    assert program.value_usd.lower == pytest.approx(in_full * 0.33 * 1100 - 57 * 35 + 19 * 31)
    assert "19 fewer emergency visits in 90 days (95% interval: between 15 and 23)" in text_of(render(made(rows)))


def test_what_is_scarce_is_told_without_what_was_used(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    assert "Nurse line 18 hours $413 for one more hour" in text
    assert "Budget $5,000 $1.37 for one more dollar" in text
    assert "Message desk 2.5 hours Nothing: it does not hold anybody back" in text
    assert "Pharmacists 9 hours Not known tonight" in text
    assert "What is scarce" not in text_of(render(made(replace(rows, limits=[]))))


def test_no_benefit_is_claimed_when_the_list_is_by_rule_or_by_an_untested_model(rows: NightRows) -> None:
    report = made(rows)
    assert [p.benefit for p in report.programs[1:]] == [None, None]
    text = text_of(render(report))
    assert "The list follows a simple rule, and no benefit is claimed." in text
    other = replace(rows, models=[{**row, "model_version": "another/1"} for row in rows.models])
    first = made(other).programs[0]
    assert first.evidence is not None
    assert not first.evidence.is_served
    assert first.benefit is None
    assert "a model that did not make tonight's list" in text_of(render(made(other)))


def test_small_counts_never_reach_the_page(rows: NightRows) -> None:
    report = made(rows)
    counts = [row.count for p in report.programs for b in (p.decisions, *p.who) for row in b.rows]
    assert not [count for count in counts if count is not None and 0 < count < 11]
    text = text_of(render(report))
    assert "Fewer than 11 people in the offered group" in text
    assert "fewer than 11 were not" in text
    assert "Has COPD" not in text
    assert "nearly all" in text, "55 of 60 share a reason: the other 5 must not be countable"


def test_hidden_cells_cannot_be_had_by_subtraction(rows: NightRows) -> None:
    truth = {"18 to 34": 3, "35 to 49": 14, "50 to 64": 24, "65 to 74": 19}
    age = made(rows).programs[0].who[0]
    hidden = [row.label for row in age.rows if row.count is None]
    assert len(hidden) >= 2
    assert sum(truth[label] for label in hidden) >= 11


def test_members_of_all_programs_are_hidden_in_all_or_none(rows: NightRows) -> None:
    hidden = [{r.label for r in p.decisions.rows if r.count is None} for p in made(rows).programs]
    assert "Died" in hidden[0]
    shared = {"Died", "Not enrolled on this date", "In hospice care"}
    assert hidden[0] & shared == hidden[1] & shared == hidden[2] & shared


def test_called_is_hidden_last(rows: NightRows) -> None:
    called = {row.label: row.count for row in made(rows).programs[1].decisions.rows}
    assert called[CALLED] == 20


def test_list_too_short_to_print(rows: NightRows) -> None:
    text = text_of(render(made(states(rows)["tiny"])))
    assert "A small group of people will be called tonight." in text
    assert "The group is too small to print what is expected of it." in text
    assert not re.search(r"\b4 people\b", text)


def test_changes_since_the_last_night(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    assert "60 people came onto the list, 60 people left it" in text
    assert made(rows).programs[1].changes is not None
    assert made(rows).programs[1].changes.entered is None, "5 of 20 changed: too few to print"
    assert "This is the first night on record" in text_of(render(made(states(rows)["first night"])))


def test_empty_states_say_what_is_missing(rows: NightRows) -> None:
    found = {name: text_of(render(made(state))) for name, state in states(rows).items()}
    assert "No model has been trained for this program yet" in found["no model"]
    assert "could not be tested on people kept aside" in found["no evaluation"]
    assert "No audit of this night's tables is on record" in found["nothing audited"]
    assert "Nobody will be called tonight." in found["nobody called"]
    assert "Stopped: no calls" in found["full"]


def test_nothing_is_claimed_for_a_list_without_ranked_calls(rows: NightRows) -> None:
    text = text_of(render(made(states(rows)["nobody called"])))
    assert "$0" not in text
    assert "How we know" not in text
    drawn = replace(rows, summary=[summary(ED, "publish", 0, 12)], decisions=decided(ED, 0, 12))
    assert "All of tonight's calls are drawn at random" in text_of(render(made(drawn)))


def test_numbers_of_a_refuted_model_are_not_printed(rows: NightRows) -> None:
    only = replace(rows, summary=[row for row in rows.summary if row["program"] == MED])
    text = text_of(render(made(only)))
    assert "failed a test that must not fail" in text
    assert "fewer days without medication" not in text


def test_feature_names_are_words(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    assert "`" not in text
    assert "“Days without long-term medicine 6 to 12 months ago”" in text
    assert "“Emergency visits in the last 90 days”" in text


def test_words_from_tables_are_escaped(rows: NightRows) -> None:
    bad = "<img src=x onerror=alert(1)>"
    odd = replace(
        rows,
        summary=[{**row, "verdict_sentence": bad} for row in rows.summary],
        who=[{**row, "value": bad} if row["value"] == "Women" else row for row in rows.who],
        gates=[{**row, "sentence": bad, "gate": bad} for row in rows.gates],
        flow=[{**row, "step": bad} for row in rows.flow],
        reasons=[{**row, "words": bad} for row in rows.reasons],
        rules=[{**row, "rule": bad} for row in rows.rules],
    )
    html = render(made(odd))
    assert "<img" not in html
    assert "&lt;img" in html


def test_index_lists_nights_latest_first(rows: NightRows, tmp_path: Path) -> None:
    report = made(rows)
    save_report(replace(report, run_date=LAST), tmp_path)
    page = save_report(report, tmp_path)
    again = page.read_text()
    save_report(report, tmp_path)
    assert page == tmp_path / "tuva" / "2026-11-23" / "index.html"
    assert page.read_text() == again
    entries = read_entries(tmp_path)
    assert [entry.run_date for entry in entries] == [NIGHT, LAST]
    html = (tmp_path / "index.html").read_text()
    assert html.index("tuva/2026-11-23/index.html") < html.index("tuva/2026-11-22/index.html")
    parsed = Strict()
    parsed.feed(html)
    assert parsed.open == []
    assert not list(tmp_path.rglob("*.tmp"))


def test_index_without_nights() -> None:
    assert "No night has been published yet." in render_index([])


def test_the_answers_come_in_the_order_of_the_questions(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    questions = (
        "to call tonight", "Who they are", "What benefit is expected, and how sure is that?", "Why these people", "What changed",
        "Did past outreach help?", "Is it fair?", "What would one more hour bring?", "Who is not called, and why",
        "Can this be trusted tonight?",
    )  # fmt: skip
    places = [text.index(words) for words in questions]
    assert places == sorted(places)
    first = text[: text.index("Who they are")]
    assert "19 fewer emergency visits in 90 days expected together 95% interval: between 15 and 23" in first


def test_past_outreach_is_told_with_its_limits_and_without_small_groups(rows: NightRows) -> None:
    program = made(rows).programs[0]
    assert [w.realized is None for w in program.past] == [False, False, True], "seven people were offered"
    assert program.past[0].realized is not None
    assert program.past[0].realized.value == pytest.approx(0.31), "fewer visits are a benefit"
    assert program.past[0].predicted == pytest.approx(0.4)
    text = text_of(render(made(rows)))
    assert "Nights of August 2026: those offered had 0.10 fewer emergency visits" in text
    assert "In 1 of 2 months the prediction lay outside the interval." in text
    assert "Not known yet." in text_of(render(made(states(rows)["first night"])))


def test_small_groups_are_not_drawn(rows: NightRows) -> None:
    evidence = made(rows).programs[0].evidence
    assert evidence is not None
    bins = {one.lower: (one.offered, one.not_offered) for one in evidence.overlap}
    assert bins[0.45] == (960, None)
    assert bins[0.15] == (640, 2100)
    groups = {(g.dimension, g.name): (g.by_model, g.by_risk) for g in evidence.called_by_group}
    assert groups["race", "asian"] == (None, None)
    risk = made(rows).programs[0].by_risk
    assert risk is not None
    hidden = [row.label for row in risk.rows if row.count is None]
    assert "Second fifth" in hidden
    assert len(hidden) >= 2, "the three people in the second fifth can be had by subtraction"


def test_pictures_say_what_they_show(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    assert (
        "Offered to all of 1,000 members: 250 fewer emergency visits in 90 days. To the first 30%: this model 96 fewer,"
        in text
    )
    assert "In 10 of 10 groups the interval of what was measured holds what was predicted" in text
    assert "The largest difference is 0.41 standard deviations before weighting and 0.05 after it" in text
    assert "By this model most often female (31%), least often male or not recorded (24%)." in text
    assert "One more call, if its time were given: about $41" in text
    assert "Nurse line, 18 hours tonight: one more would bring about $413." in text


def test_cards_of_older_trainings_are_still_read() -> None:
    """Their evidence has no curves, balance or overlap."""
    from dataclasses import fields

    from jobs.report.night import Evidence

    assert {f.name for f in fields(Evidence) if f.default == ()} == {
        "curves", "deciles", "balance", "overlap", "called_by_group",
    }  # fmt: skip
