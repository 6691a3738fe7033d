"""Translates a contract's `str_matches` pattern for Spark's `rlike`, refusing what the two dialects read differently.

Pandera's pandas backend evaluates the pattern on Arrow strings, that is with RE2, anchored at the start;
Spark uses `java.util.regex` and searches anywhere. They agree on a plain subset once a few tokens are
spelled out: `$` (RE2: end of text; Java: also before a last line break), `.`, `\\d`, `\\w`, `\\s` (ASCII in RE2).
"""

from __future__ import annotations

import re
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from contracts.errors import ConfigError

_CLASSES = {
    sre.CATEGORY_DIGIT: "0-9",
    sre.CATEGORY_WORD: "0-9A-Za-z_",
    sre.CATEGORY_SPACE: r"\t\n\f\r ",
}
_NEGATED_CLASSES = {
    sre.CATEGORY_NOT_DIGIT: "0-9",
    sre.CATEGORY_NOT_WORD: "0-9A-Za-z_",
    sre.CATEGORY_NOT_SPACE: r"\t\n\f\r ",
}
_LONGEST_REPEAT = 1000  # RE2 refuses more


def java_regex(pattern: str) -> str:
    """A Java pattern that `rlike` finds in exactly the strings that Pandera's `str_matches(pattern)` accepts.

    Raises:
        ConfigError: the pattern is malformed, or uses something outside the common subset (look-around,
            back references, flags, lazy quantifiers, `^` or `$` in the middle, a bare `^a|b`).
    """
    try:
        parsed = _parser.parse(pattern)
    except re.error as error:
        raise _refused(pattern, f"a malformed regular expression ({error})") from error
    if parsed.state.flags & ~int(re.UNICODE):
        raise _refused(pattern, "inline flags")
    items = list(parsed)
    anchored = bool(items) and items[0] == (sre.AT, sre.AT_BEGINNING)
    if pattern.startswith("^") and not anchored:
        raise _refused(pattern, "`^` that binds to one alternative only; write ^(?:a|b)")
    if anchored and not pattern.startswith("^"):
        raise _refused(pattern, "`^` inside a group; write it first")
    return "^" + _sequence(items[1:] if anchored else items, pattern, last=True)


def _refused(pattern: str, found: str) -> ConfigError:
    return ConfigError(
        f"The pattern {pattern!r} cannot be enforced alike by Spark and by Pandera.",
        expected="literals, classes, groups, alternatives in a group, greedy repeats, ^ first and $ last",
        actual=found,
        todo="Rewrite the pattern, or use a cross-column Rule.",
    )


def _sequence(items: list[tuple[Any, Any]], pattern: str, *, last: bool) -> str:
    end = len(items) - 1
    return "".join(_item(op, value, pattern, last=last and i == end) for i, (op, value) in enumerate(items))


def _item(op: Any, value: Any, pattern: str, *, last: bool) -> str:
    if op is sre.LITERAL:
        return _literal(value)
    if op is sre.NOT_LITERAL:
        return f"[^{_literal(value)}]"
    if op is sre.ANY:
        return r"[^\n]"
    if op is sre.IN:
        return _character_class(value, pattern)
    if op is sre.AT and value is sre.AT_END and last:
        return r"\z"
    if op is sre.BRANCH:
        return "(?:" + "|".join(_sequence(list(part), pattern, last=last) for part in value[1]) + ")"
    if op is sre.SUBPATTERN and not value[1] and not value[2]:
        return f"(?:{_sequence(list(value[3]), pattern, last=last)})"
    if op is sre.MAX_REPEAT:
        low, high, repeated = value
        return _repeat(low, high, repeated, pattern)
    raise _refused(pattern, str(op).lower() + (f" {value}".lower() if op is sre.AT else ""))


def _repeat(low: int, high: Any, items: Any, pattern: str) -> str:
    unbounded = high is sre.MAXREPEAT
    if (low if unbounded else high) > _LONGEST_REPEAT:
        raise _refused(pattern, f"a repeat above {_LONGEST_REPEAT}")
    inner = _sequence(list(items), pattern, last=False)
    # Java repeats one character of a class faster than a group that holds it.
    is_one = len(items) == 1 and items[0][0] in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)
    times = f"{low}" if low == high else f"{low},{'' if unbounded else high}"
    return f"{inner if is_one else f'(?:{inner})'}{{{times}}}"


def _character_class(parts: list[tuple[Any, Any]], pattern: str) -> str:
    negated = parts[0][0] is sre.NEGATE
    inside = parts[1:] if negated else parts
    if len(inside) == 1 and inside[0][0] is sre.CATEGORY and inside[0][1] in _NEGATED_CLASSES:
        return f"[{'' if negated else '^'}{_NEGATED_CLASSES[inside[0][1]]}]"
    return f"[{'^' if negated else ''}{''.join(_class_part(op, value, pattern) for op, value in inside)}]"


def _class_part(op: Any, value: Any, pattern: str) -> str:
    if op is sre.LITERAL:
        return _literal(value)
    if op is sre.RANGE:
        return f"{_literal(value[0])}-{_literal(value[1])}"
    if op is sre.CATEGORY and value in _CLASSES:
        return _CLASSES[value]
    raise _refused(pattern, f"{str(op).lower()} {value} inside a character class")


def _literal(code: int) -> str:
    """One character; everything but ASCII letters and digits by its code, so that nothing is special."""
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\x{{{code:x}}}"
