"""Reasons without their values, so that they can be counted, and feature names as words."""

from __future__ import annotations

import re
from functools import cache

from contracts.features import registry
from contracts.programs import programs

_HOLE = re.compile(r"\{value[^}]*\}")
_LEADING = re.compile(r"^\$?\{value[^}]*\} ")
# A column of `causal.encoding`: a feature, its flag for a missing value, or one of its levels.
_NAME = re.compile(r"`([a-z0-9_]+)( missing|=[^`]*)?`")
# A group of people: `age_band 85 and over`.
_GROUP = re.compile(r"`([^`]+)`")
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
        words = _without_value(feature.reason)
        if feature.reason_one:
            found.append((f"^{re.escape(feature.reason_one)}$", words))
        if feature.reason:
            fixed = [re.escape(part) for part in _HOLE.split(feature.reason)]
            found.append((f"^{'[-+0-9,.]+%?'.join(fixed)}$", words))
    return tuple(found)


def in_words(sentence: str) -> str:
    """A gate's sentence for a reader who knows no column names: features in words, numbers of 1 to 10 people hidden."""
    named = _NAME.sub(lambda match: _quoted(match[1], match[2] or ""), sentence)
    named = _GROUP.sub(lambda match: f"“{match[1].replace('_', ' ')}”", named)
    return _SMALL_GROUP.sub("fewer than 11", named).replace("Only fewer than 11", "Fewer than 11")


def _without_value(reason: str) -> str:
    """`{value:.0f} office visits in …` becomes `Office visits in …`; a value elsewhere becomes an ellipsis."""
    words = _HOLE.sub("…", _LEADING.sub("", reason)).removesuffix("…").strip()
    return words[:1].upper() + words[1:]


def _quoted(name: str, suffix: str) -> str:
    feature = registry().get(name)
    if feature is None:
        return name.replace("_", " ") + suffix.replace("=", ": ")
    words = _without_value(feature.reason) if feature.reason else feature.meaning.rstrip(".")
    if suffix.startswith("="):
        return f"“{words}: {suffix[1:]}”"
    return f"“{words}” being unknown" if suffix else f"“{words}”"
