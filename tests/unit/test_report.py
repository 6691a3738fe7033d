"""The report of a night from grouped rows: what it says in every state, and what it must never show."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_world import ED, LAST, MADE, MED, NIGHT, decided, night_rows, summary

from contracts.programs import Programs, programs
from jobs.report.assemble import CALLED, assemble
from jobs.report.index import read_entries
from jobs.report.night import NightReport
from jobs.report.queries import NightRows
from jobs.report.render import render, render_index
from jobs.report.words import trust
from jobs.report.write import save_report

VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "line", "circle", "polyline", "polygon"}


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


def test_a_limit_on_harm_is_told_where_the_ranking_is_by_effect(rows: NightRows) -> None:
    told = "Nobody is called whom it harms with a chance above 15%"
    assert text_of(render(made(rows))).count(told) == 1, "one of the three programs publishes"
    document = programs().model_dump()
    document["programs"][ED]["largest_chance_of_harm"] = None
    free = Programs.model_validate(document)
    assert told not in text_of(render(assemble(rows, free.programs, "tuva", NIGHT, MADE)))


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


def test_sum_of_estimates_is_told_apart_from_what_was_measured(rows: NightRows) -> None:
    told = "own estimates of those called add up to 9.0 fewer emergency visits in 90 days; that sum is in the tables"
    assert text_of(render(made(rows))).count(told) == 1
    assert "add up to" not in text_of(render(made(states(rows)["tiny"])))
    assert "add up to" not in text_of(render(made(states(rows)["nobody called"])))


def test_numbers_of_a_refuted_model_are_not_printed(rows: NightRows) -> None:
    only = replace(rows, summary=[row for row in rows.summary if row["program"] == MED])
    text = text_of(render(made(only)))
    assert "failed a test that must not fail" in text
    assert "fewer days without medication" not in text
    soft = [row["sentence"] for row in rows.gates if row["program"] == MED and not row["is_hard"]]
    assert "0.11 standard deviations" in " ".join(soft)
    assert "0.11 standard deviations" not in text, "what other tests found holds effects that are not to be believed"


def test_feature_names_are_words(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    assert "`" not in text
    assert "“Days without long-term medicine 6 to 12 months ago, all kinds added up”" in text
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


def test_months_without_a_prediction_are_not_counted_as_well_predicted(rows: NightRows) -> None:
    by_rule = replace(rows, realized=[{**row, "predicted_effect": None} for row in rows.realized])
    text = text_of(render(made(by_rule)))
    assert "Nights of August 2026: those offered had" in text
    assert "lay outside the interval" not in text


def test_the_worst_balance_after_weighting_is_always_drawn(rows: NightRows) -> None:
    """Twelve that were most unlike before had pushed out one that is unlike after it: "all are below 0.1"."""
    label = rows.balance[0]
    many = [
        {**label, "covariate": f"ed_visit_{n}d_count", "smd_before": 0.2 + n / 100, "smd_after": 0.03}
        for n in range(1, 13)
    ]
    late = {**label, "covariate": "age", "smd_before": 0.05, "smd_after": 0.15}
    text = text_of(render(made(replace(rows, balance=[*many, late]))))
    assert "0.15 after it; below 0.1 would be alike enough" in text


def test_a_list_whose_models_tests_are_not_on_record_is_not_called_a_rule(rows: NightRows) -> None:
    found = made(states(rows)["no model"]).programs[0]
    assert found.verdict == "publish"
    assert trust(found).startswith("Not known: the tests of the model that made tonight's list are not on record")


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
    assert "Nurse line, 18 hours tonight: one more would bring about $413, by the models' own estimates" in text


def test_cards_of_older_trainings_are_still_read() -> None:
    """Their evidence has no curves, balance or overlap."""
    from dataclasses import fields

    from jobs.report.night import Evidence

    assert {f.name for f in fields(Evidence) if f.default == ()} == {
        "curves", "deciles", "balance", "overlap", "called_by_group",
    }  # fmt: skip


def test_the_cohort_ends_with_what_was_trained_on(rows: NightRows) -> None:
    """As on the model's card: what could have taught the model is more than what did."""
    text = text_of(render(made(rows)))
    assert (
        "Of 120,430 looks at a member on a date, 39,110 could teach the model; in 1,600 of these outreach was offered."
        in text
    )
    sampled = [{**row, "trial_count": 7_211, "offered_count": 3_618} for row in rows.models]
    assert "7,210 could teach the model; in 3,620 of these" in text_of(render(made(replace(rows, models=sampled))))


def with_reach(rows: NightRows, share: float | None) -> NightRows:
    """The night of a model whose test called this share of everybody."""
    told = [
        {
            **row,
            "selection_ratio": None
            if share is None or row["selection_rate"] is None
            else row["selection_rate"] / share,
        }
        for row in rows.equity
    ]
    return replace(rows, equity=told)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.5, "the half whom it ranked highest (the team can reach half of them or more within one rest period)"),
        (0.1, "the tenth whom it ranked highest (the team can reach a tenth of them or fewer within one rest period)"),
        (0.28, "the 28% whom it ranked highest (as many as the team can reach within one rest period)"),
        (
            None,
            "those whom it ranked highest (as many as the team can reach within one rest period, but no less than a tenth",
        ),
    ],
)
def test_how_many_were_judged_is_told_as_it_was(rows: NightRows, share: float | None, said: str) -> None:
    text = text_of(render(made(with_reach(rows, share))))
    assert said in text
    assert f"if {said.split(' whom')[0]} who come first were called" in text


def test_prices_of_one_more_say_whose_estimates_they_are(rows: NightRows) -> None:
    text = text_of(render(made(rows)))
    assert (
        "about $41, the model's own estimate of what the next person in line brings through the program's first channel"
        in text
    )
    assert text.count("One more can be worth more than the average of tonight's list") == 1, (
        "only one program has a benefit"
    )
    free = replace(
        rows,
        summary=[{**row, "marginal_value_usd": 0.0} for row in rows.summary],
        limits=[{**row, "marginal_value_usd": 0.0} for row in rows.limits],
    )
    assert "One more can be worth more" not in text_of(render(made(free)))


def test_words_of_each_verdict_are_true(rows: NightRows) -> None:
    served = replace(
        rows, summary=[{**row, "model_version": f"outreach.tuva.{row['program']}/3"} for row in rows.summary]
    )
    publish, fallback, blocked = (
        text_of(render(replace(made(served), programs=(one,)), is_whole=False)) for one in made(served).programs
    )
    assert f"Made tonight's list outreach.tuva.{ED}/3 Trained 20 November 2026" in publish
    assert "Made tonight's list the simple rule Estimates on record, which did not rank 20 November 2026" in fallback
    assert "a model that did not make tonight's list" in fallback
    assert "Made tonight's list nothing: calls are stopped tonight" in blocked
    told = (
        "Could be called, but no place tonight, no net benefit expected",
        "but no place tonight, or not ranked by the rule",
    )
    told = (*told, "Could be called, but calls are stopped tonight")
    for n, page in enumerate((publish, fallback, blocked)):
        assert [words in page for words in told] == [n == k for k in range(3)]


def test_what_is_hidden_whole_takes_one_line(rows: NightRows) -> None:
    how = {"Phone": 57, "Text": 3}
    some = [{**row, "n": how[row["value"]]} if row["dimension"] == "How" else row for row in rows.who]
    html = render(made(replace(rows, who=some)))
    assert "Phone and Text: how many of each is hidden" in text_of(html)
    assert f'id="{ED}-how-t"' not in html
    assert f'id="{ED}-how-t"' in render(made(rows))


def test_one_chance_of_an_offer_is_a_sentence_and_no_picture(rows: NightRows) -> None:
    same = [row for row in rows.overlap if row["bin"] == 3]
    html = render(made(replace(rows, overlap=same)))
    assert "between 0.15 and 0.20: in about 640 looks at a member it was offered, in about 2,100 not." in text_of(html)
    assert f'id="{ED}-overlap-t"' not in html
    assert f'id="{ED}-overlap-t"' in render(made(rows))


def test_groups_are_words(rows: NightRows) -> None:
    named = [
        {**row, "dimension": d, "group_name": g}
        for row, (d, g) in zip(
            [row for row in rows.equity if row["program"] == ED][:4],
            [("area_deprivation", "2"), ("area_deprivation", "2"), ("ethnicity", "not hispanic"), ("race", "asian")],
            strict=True,
        )
    ]
    html = render(made(replace(rows, equity=named)))
    for label in ("Fifth 2", "Not Hispanic", "Asian"):
        assert f">{label}</text>" in html, label
