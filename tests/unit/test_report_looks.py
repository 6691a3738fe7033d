"""Colours that can be told apart, charts that say their numbers, words that read as English."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from contracts.features import registry
from contracts.programs import programs
from jobs.report.charts import WIDTH, Bar, Pair, bars, dumbbells, intervals, paired_bars
from jobs.report.night import Interval
from jobs.report.palette import DARK, GRAPHIC_PAIRS, LIGHT, TEXT_PAIRS
from jobs.report.plots import Line, Moment, Texts, against_diagonal, curves, over_time, two_sided
from jobs.report.reason_words import in_words, reason_patterns
from jobs.report.words import dollars, short


def luminance(colour: str) -> float:
    """WCAG relative luminance of `#rrggbb`."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(scheme: dict[str, str]) -> None:
    too_weak = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in TEXT_PAIRS}
    assert {pair: ratio for pair, ratio in too_weak.items() if ratio < 4.5} == {}
    weak = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in GRAPHIC_PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 3} == {}


def test_schemes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_bars_are_xml_with_title_and_summary_and_stay_inside() -> None:
    rows = [Bar("A & B", 30.0, "30 (75%)"), Bar("C", None, "hidden"), Bar("D", 0.0, "0 (0%)")]
    root = ET.fromstring(str(bars(rows, name="x", title="T < U", summary="Most: A.")))
    assert root.attrib["aria-labelledby"] == "x-t x-d"
    assert [root[0].text, root[1].text] == ["T < U", "Most: A."]
    boxes = [e for e in root if e.tag == "rect"]
    assert all(float(e.attrib["x"]) + float(e.attrib["width"]) <= WIDTH for e in boxes)
    marks = [float(e.attrib["width"]) for e in boxes if e.attrib["class"] == "mark"]
    assert marks[0] > 0
    assert marks[1] == 0, "a group of nobody has no bar"


def test_long_labels_take_more_lines_instead_of_leaving_the_picture() -> None:
    label = "Emergency visits changed by … a month against the months before"
    root = ET.fromstring(str(bars([Bar(label, 3.0, "30"), Bar("B", 1.0, "10")], name="x", title="t", summary="s")))
    lines = [e.text or "" for e in root if e.attrib.get("class") == "t"]
    assert " ".join(lines[:-1]) == label
    assert max(map(len, lines)) <= 42
    places = [float(e.attrib["y"]) for e in root if e.tag == "text"]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "found", [Interval(0.4, 0.3, 0.5), Interval(-2.0, -5.0, 1.0), Interval(0, 0, 0), Interval(3.0, None, None)]
)
def test_intervals_hold_zero_and_stay_inside(found: Interval) -> None:
    root = ET.fromstring(
        str(intervals([("a", found)], name="x", title="t", summary="s", axis=("visits", "per person")))
    )
    places = [float(v) for e in root for k, v in e.attrib.items() if k in ("x1", "x2", "cx")]
    assert all(0 <= place <= WIDTH for place in places)
    assert [e for e in root if e.attrib.get("class") == "zero"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (2.54e-21, "0"),
        (0.0421, "0.042"),
        (0.42, "0.42"),
        (9.04, "9.0"),
        (23.9, "24"),
        (1234, "1,230"),
        (-0.5, "-0.50"),
    ],
)
def test_short_numbers(value: float, said: str) -> None:
    assert short(value) == said


def test_dollars() -> None:
    assert [dollars(v) for v in (1234.4, -20.0, -0.2)] == ["$1,230", "−$20", "$0"]


def test_every_reason_of_the_registry_is_counted_under_words_without_its_value() -> None:
    patterns = [(re.compile(pattern), words) for pattern, words in reason_patterns()]
    for feature in registry().values():
        for value in (0, 1, 0.37, 1234.0):
            said = feature.say(value)
            if said:
                words = next((w for p, w in patterns if p.search(said)), None)
                assert words, f"{feature.name}: no pattern for {said!r}"
                assert "{" not in words
                assert "1,234" not in words
    rules = {p.fallback_reason for p in programs().programs.values()}
    assert rules <= {words for _, words in reason_patterns()}


def test_small_groups_in_sentences_are_hidden() -> None:
    assert in_words("57 people were offered and 3 were not.") == "57 people were offered and fewer than 11 were not."
    assert in_words("Only 10 people; 11 people are needed, 0.5 people.") == (
        "Fewer than 11 people; 11 people are needed, 0.5 people."
    )
    assert in_words("The worst is `no_such_feature`.") == "The worst is no such feature."
    assert in_words("Most in `age missing`, then `sex=female`.") == "Most in “Age” being unknown, then sex: female."


def plots() -> dict[str, str]:
    texts = Texts("n", "T < U", "It says so.", "x & y", "y")
    some = [(0.1, Interval(-5.0, -9.0, 1.0)), (1.0, Interval(60_000.0, 40_000.0, 80_000.0))]
    moments = [
        Moment("Jan 26", 0.2, Interval(0.1, -0.3, 0.5)),
        Moment("Feb 26", None, None),
        Moment("Mar 26", -1.0, None, True),
    ]
    return {
        "curves": str(curves([Line("a < b", "mark", some, True), Line("c", "straight", some[-1:])], texts)),
        "diagonal": str(against_diagonal([(-0.2, Interval(0.1, None, None)), (0.4, Interval(0.2, -0.3, 0.7))], texts)),
        "over time": str(over_time(moments, texts)),
        "two-sided": str(two_sided([(n / 20, 40 * n, None if n == 3 else 5) for n in range(20)], texts, ("a", "b"))),
        "nothing": str(two_sided([], texts, ("a", "b"))),
        "pairs": str(paired_bars([Pair("A & B", 0.4, None), Pair("C", None, None)], ("a", "b"), whole=0.4, name="n", title="T < U", summary="It says so.")),
        "dumbbells": str(dumbbells([Pair("A & B", 0.4, 0.02)], ("a", "b"), 0.1, "x", name="n", title="T < U", summary="It says so.")),
    }  # fmt: skip


@pytest.mark.parametrize("name", plots())
def test_plots_are_xml_with_title_and_summary_and_stay_inside(name: str) -> None:
    root = ET.fromstring(plots()[name])
    assert [root[0].text, root[1].text] == ["T < U", "It says so."]
    height = float(root.attrib["height"])
    for e in root:
        numbers = {k: float(v) for k, v in e.attrib.items() if k in ("x", "x1", "x2", "cx", "y", "y1", "y2", "cy")}
        assert all(-1 <= v <= (WIDTH if "x" in k else height) + 1 for k, v in numbers.items()), ET.tostring(e)
        assert float(e.attrib.get("width", 0)) >= 0
        assert float(e.attrib.get("height", 0)) >= 0


def test_a_value_beyond_its_limits_is_marked() -> None:
    root = ET.fromstring(plots()["over time"])
    assert len([e for e in root if e.attrib.get("class") == "alarm"]) == 1
    assert len([e for e in root if e.attrib.get("class") == "limits" and e.tag == "rect"]) == 2, (
        "one month, and the key"
    )


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ("6926 people were offered and 6878 were not.", "6,926 people were offered and 6,878 were not."),
        ("the effect is -0.478 (p = 2.2e-122).", "the effect is -0.478 (p below 0.0001)."),
        ("the effect is -0.478 (p < 0.0001).", "the effect is -0.478 (p below 0.0001)."),
        ("the effect is -0.478 (p = 0.24).", "the effect is -0.478 (p = 0.24)."),
        ("people (chance of an offer outside 0.000-1.000) and", "people and"),
        ("people (chance of an offer outside 0.050-0.950) and", "people (chance of an offer outside 0.050-0.950) and"),
        ("The check on `ed_visit_181_to_365d_count` is", "The check on “Emergency visits 181 to 365 days before” is"),
        ("`area_deprivation 2` is called least", "“primary care in the area: fifth 2” is called least"),
        ("`race asian` is called least", "“race: Asian” is called least"),
        (
            "Differences in benefit are about the size predicted: 4.26 times.",
            "Differences in benefit cannot be told from the size predicted: 4.26 times.",
        ),
        (
            "Most in `medication_gap_180d_days`.",
            "Most in “Days without long-term medicine in the last 180 days, all kinds added up”.",
        ),
    ],
)
def test_sentences_on_record_are_mended_for_the_page(recorded: str, said: str) -> None:
    assert in_words(recorded) == said


def test_words_of_an_axis_stay_in_the_picture() -> None:
    long = "fewer days without medication in 180 days, per 1,000 members"
    root = ET.fromstring(str(curves([Line("a", "mark", [(1.0, Interval(3, 2, 4))])], Texts("n", "t", "s", "x", long))))
    lines = [e for e in root if "start" in e.attrib.get("class", "")]
    assert " ".join(e.text or "" for e in lines) == long
    assert all(len(e.text or "") <= 46 for e in lines)
    plane = min(float(e.attrib["y1"]) for e in root if e.attrib.get("class") in ("grid", "zero"))
    assert max(float(e.attrib["y"]) for e in lines) < plane


def test_an_axis_does_not_run_far_beyond_its_values() -> None:
    points = [(10.0 * n, Interval(10.0 * n, 10.0 * n - 8, 10.0 * n + 10)) for n in range(1, 9)]
    said = [*points, (0.0, Interval(1.0, -2.0, 4.0))]
    root = ET.fromstring(str(against_diagonal(said, Texts("n", "t", "s", "x", "y"))))
    ticks = [float((e.text or "").replace("−", "-")) for e in root if e.attrib.get("class", "").startswith("tick end")]
    assert min(ticks) == 0, "-50 for a lower end of -2"
    assert max(ticks) >= 50
