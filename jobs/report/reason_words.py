"""Reasons without their values, so that they can be counted, and feature names as words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from contracts.features import VISITS, Feature, registry
from contracts.programs import programs

_HOLE = re.compile(r"\{value[^}]*\}")
_LEADING = re.compile(r"^\$?\{value[^}]*\} ")
# A column of `causal.encoding`: a feature, its flag for a missing value, or one of its levels.
_NAME = re.compile(r"`([a-z0-9_]+)( missing|=[^`]*)?`")
# A group of people: `age_band 85 and over`.
_GROUP = re.compile(r"`([^`]+)`")
# What was measured before time zero, where it is no feature: `ed_visit_181_to_365d_count`.
_EARLIER = re.compile(r"(\w+)_(\d+)_to_(\d+)d_(?:count|days)")
DIMENSION_WORDS = {
    "age_band": "Age",
    "area_deprivation": "Primary care in the area",
    "race": "Race",
    "sex": "Sex",
    "ethnicity": "Ethnicity",
}
# Days of which one calendar day can count more than once, and why: a reader would wonder at 426 days of 180.
_ALSO = {
    "medication_gap_180d_days": "all kinds added up",
    "medication_gap_181_to_360d_days": "all kinds added up",
}
# Sentences of gates are on record as their training wrote them; what a reader would stumble over is mended on the page.
_MENDED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"p = \d[\d.]*e-\d+|p < 0\.0001"), "p below 0.0001"),
    (re.compile(r" \(chance of an offer outside 0\.000-1\.000\)"), ""),
    (re.compile(r"are about the size predicted"), "cannot be told from the size predicted"),
    (
        re.compile(r"(?<![\d.,-])\d{4,}(?= (?:people|persons|members|person-trials|were|had)\b)"),
        lambda n: f"{int(n[0]):,}",
    ),
)
_SMALL_GROUP = re.compile(
    r"(?<![\d.,$%-])(?:[1-9]|10)(?=\s+(?:people|persons?|members?|person-trials|estimated chances|were|had)\b)"
)


@cache
def reason_patterns() -> tuple[tuple[str, str], ...]:
    """(regular expression, words) for every reason that the registry can give; the first that matches holds.

    Fallback reasons stand for themselves: they say how the list was ranked and not why one person is on it.
    """
    found = [(f"^{re.escape(p.fallback_reason)}$", p.fallback_reason) for p in programs().programs.values()]
    for feature in registry().values():
        if feature.reason_zero:
            found.append((f"^{re.escape(feature.reason_zero)}$", feature.reason_zero))
        words = _words_of(feature)
        if feature.reason_one:
            found.append((f"^{re.escape(feature.reason_one)}$", words))
        if feature.reason:
            fixed = [re.escape(part) for part in _HOLE.split(feature.reason)]
            found.append((f"^{'[-+0-9,.]+%?'.join(fixed)}$", words))
    return tuple(found)


def in_words(sentence: str) -> str:
    """A gate's sentence for a reader who knows no column names: features in words, numbers of 1 to 10 people hidden."""
    named = _NAME.sub(lambda match: _quoted(match[1], match[2] or ""), sentence)
    named = _GROUP.sub(lambda match: f"“{_group_of(match[1])}”", named)
    for pattern, better in _MENDED:
        named = pattern.sub(better, named)
    return _SMALL_GROUP.sub("fewer than 11", named).replace("Only fewer than 11", "Fewer than 11")


def group(dimension: str, name: str) -> str:
    """A group as it stands within a sentence: `Asian`, `not Hispanic`, `fifth 2`."""
    if dimension == "area_deprivation" and name[:1].isdigit():
        return f"fifth {name}"
    if dimension == "race":
        return name[:1].upper() + name[1:]
    return name.replace("hispanic", "Hispanic") if dimension == "ethnicity" else name


def _group_of(words: str) -> str:
    """`race asian` becomes `race: Asian`."""
    dimension, _, name = words.partition(" ")
    if dimension in DIMENSION_WORDS and name:
        return f"{DIMENSION_WORDS[dimension].lower()}: {group(dimension, name)}"
    return words.replace("_", " ")


def _words_of(feature: Feature) -> str:
    """A feature's reason without its value."""
    also = _ALSO.get(feature.name)
    return _without_value(feature.reason) + (f", {also}" if also else "")


def _without_value(reason: str) -> str:
    """`{value:.0f} office visits in …` becomes `Office visits in …`; a value elsewhere becomes an ellipsis."""
    words = _HOLE.sub("…", _LEADING.sub("", reason)).removesuffix("…").strip()
    return words[:1].upper() + words[1:]


def _quoted(name: str, suffix: str) -> str:
    feature = registry().get(name)
    if feature is None:
        return _earlier(name) + suffix.replace("=", ": ")
    words = _words_of(feature) if feature.reason else feature.meaning.rstrip(".")
    if suffix.startswith("="):
        return f"“{words}: {suffix[1:]}”"
    return f"“{words}” being unknown" if suffix else f"“{words}”"


def _earlier(name: str) -> str:
    """`ed_visit_181_to_365d_count` becomes `“Emergency visits 181 to 365 days before”`; other names lose their underscores."""
    found = _EARLIER.fullmatch(name)
    if found is None or found[1] not in VISITS:
        return name.replace("_", " ")
    many = VISITS[found[1]][1]
    return f"“{many[:1].upper()}{many[1:]} {found[2]} to {found[3]} days before”"
