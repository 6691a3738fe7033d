"""Pictures with two axes as inline SVG: curves with a band, dots against a diagonal, values over time with limits, and
histograms of two groups. Colours, widths and text alternatives as in `jobs.report.charts`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from markupsafe import Markup, escape

from jobs.report.charts import AXIS_CHARACTERS, WIDTH, drawing, number, ticks_between
from jobs.report.night import Interval

_LEFT, _RIGHT = 52, 14
_HEIGHT = 210  # of the plane itself
_LINE = 16
_Scale = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """One curve through the origin: points (x, estimate); `kind` is a colour of the page, `label` its place in the key."""

    label: str
    kind: str
    points: Sequence[tuple[float, Interval]]
    has_band: bool = False


@dataclass(frozen=True)
class Moment:
    """One value over time: what was found, and the limits within which it was expected; None draws nothing."""

    label: str
    found: float | None
    expected: Interval | None
    is_alarm: bool = False


@dataclass(frozen=True)
class Texts:
    """What a picture says: unique id, title, text alternative, and the words of its two axes."""

    name: str
    title: str
    summary: str
    x: str
    y: str

    @property
    def y_lines(self) -> list[str]:
        """The words above the plane, in lines that fit into it."""
        return wrap(self.y, AXIS_CHARACTERS) or [""]

    @property
    def top(self) -> int:
        """Where the plane begins, below these words."""
        return 12 + _LINE * len(self.y_lines)


def curves(lines: Sequence[Line], texts: Texts) -> Markup:
    """Lines from the origin over shares of people, in per cent; the straight one to the last point is no order at all."""
    ends = [0.0]
    for line in lines:
        for _, found in line.points:
            ends += [found.value, *(x for x in (found.lower, found.upper) if line.has_band and x is not None)]
    up = _axis(ends)
    x, y = _scales((0.0, 1.0), up.ends, texts.top)
    parts = _plane([0.0, 0.25, 0.5, 0.75, 1.0], up.ticks, x, y, texts.top, "{:.0%}".format)
    for line in lines:
        if line.has_band:
            parts.append(_band(line, x, y))
    for line in lines:
        path = " ".join(
            f"{x(share):.1f},{y(found.value):.1f}" for share, found in [(0.0, Interval(0, 0, 0)), *line.points]
        )
        parts.append(f'<polyline points="{path}" class="curve {line.kind}"/>')
    return _finished(parts, texts, [(line.label, line.kind) for line in lines], "curve")


def against_diagonal(points: Sequence[tuple[float, Interval]], texts: Texts) -> Markup:
    """Dots with whiskers, x as predicted and y as found; on the diagonal they agree."""
    xs = [0.0, *(value for value, _ in points)]
    found = [0.0, *(x for _, i in points for x in (i.value, i.lower, i.upper) if x is not None)]
    across, up = _axis(xs), _axis(found)
    x, y = _scales(across.ends, up.ends, texts.top)
    parts = _plane(across.ticks, up.ticks, x, y, texts.top, number)
    low, high = max(across.ends[0], up.ends[0]), min(across.ends[1], up.ends[1])
    parts.append(
        f'<line x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}" class="curve straight"/>'
    )
    for value, one in points:
        parts += _dot(x(value), one, y, "mark")
    return _finished(parts, texts, [("as predicted", "straight")], "curve")


def over_time(moments: Sequence[Moment], texts: Texts) -> Markup:
    """A funnel per moment, the limits within which the value was expected, and the value found."""
    ends = [0.0]
    for one in moments:
        ends += [] if one.found is None else [one.found]
        ends += [] if one.expected is None else [x for x in (one.expected.lower, one.expected.upper) if x is not None]
    up = _axis(ends)
    count = len(moments)
    x, y = _scales((0.0, float(count)), up.ends, texts.top)
    parts = _plane([], up.ticks, x, y, texts.top, number)
    half = min(14.0, (WIDTH - _LEFT - _RIGHT) / count / 2 - 1)
    step = -(-count // 6)  # six labels fit
    for n, one in enumerate(moments):
        at = x(n + 0.5)
        if one.expected is not None and one.expected.lower is not None and one.expected.upper is not None:
            top, bottom = y(one.expected.upper), y(one.expected.lower)
            parts.append(
                f'<rect x="{at - half:.1f}" y="{top:.1f}" width="{2 * half:.1f}" height="{bottom - top:.1f}" class="limits"/>'
            )
            middle = y(one.expected.value)
            parts.append(
                f'<line x1="{at - half:.1f}" x2="{at + half:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" class="middle"/>'
            )
        if one.found is not None:
            parts.append(
                f'<circle cx="{at:.1f}" cy="{y(one.found):.1f}" r="4.5" class="{"alarm" if one.is_alarm else "mark"}"/>'
            )
        if n % step == 0:
            parts.append(f'<text x="{at:.1f}" y="{texts.top + _HEIGHT + 16}" class="tick">{escape(one.label)}</text>')
    return _finished(parts, texts, [("found", "mark"), ("where it was expected, 95%", "limits")], "area")


def two_sided(bins: Sequence[tuple[float, int | None, int | None]], texts: Texts, labels: tuple[str, str]) -> Markup:
    """Histogram of one group upwards and of another downwards; hidden counts are left out.

    Args:
        bins: (lower end, count up, count down) of equal width over 0 to 1.
        texts: of the picture.
        labels: of the two groups.
    """
    most = max((n or 0 for _, *both in bins for n in both), default=0) or 1
    x, y = _scales((0.0, 1.0), (-float(most), float(most)), texts.top)
    parts = [f'<line x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y(0):.1f}" y2="{y(0):.1f}" class="zero"/>']
    parts += _across([0.0, 0.25, 0.5, 0.75, 1.0], x, texts.top, "{:g}".format)
    parts += [
        f'<text x="{_LEFT - 6}" y="{y(n) + 4:.1f}" class="tick end">{most:,}</text>' for n in (most, -most) if bins
    ]
    width = max(x(1 / len(bins)) - x(0) - 1.5, 1.0) if bins else 1.0
    for lower, above, below in bins:
        for count, kind in ((above, "mark"), (below, "other")):
            if count:
                height = abs(y(count) - y(0))
                top = y(0) - height if kind == "mark" else y(0)
                parts.append(
                    f'<rect x="{x(lower) + 0.75:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>'
                )
    return _finished(parts, texts, list(zip(labels, ("mark", "other"), strict=True)), "area")


@dataclass(frozen=True)
class _Axis:
    """Round numbers along an axis, and where it begins and ends."""

    ticks: Sequence[float]
    ends: tuple[float, float]


def _axis(values: Sequence[float]) -> _Axis:
    """An axis that holds the values; it ends at the last of them where the next round number would be far beyond it."""
    low, high = min(values), max(values)
    ticks = ticks_between(low, high)
    slack = (ticks[1] - ticks[0]) / 2
    if low < 0 and low - ticks[0] >= slack:
        ticks = ticks[1:]
    if high > 0 and ticks[-1] - high >= slack:
        ticks = ticks[:-1]
    return _Axis(ticks, (min(low, ticks[0]), max(high, ticks[-1])))


def _scales(across: tuple[float, float], up: tuple[float, float], top: int) -> tuple[_Scale, _Scale]:
    wide, high = (across[1] - across[0]) or 1.0, (up[1] - up[0]) or 1.0

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - across[0]) / wide

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - (value - up[0]) / high)

    return x, y


def _plane(
    across: Sequence[float], up: Sequence[float], x: _Scale, y: _Scale, top: int, said: Callable[[float], str]
) -> list[str]:
    parts = []
    for tick in up:
        kind = "zero" if tick == 0 else "grid"
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="{kind}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" class="tick end">{number(tick)}</text>')
    return parts + _across(across, x, top, said)


def _across(ticks: Sequence[float], x: _Scale, top: int, said: Callable[[float], str]) -> list[str]:
    return [f'<text x="{x(t):.1f}" y="{top + _HEIGHT + 16}" class="tick">{said(t)}</text>' for t in ticks]


def _band(line: Line, x: _Scale, y: _Scale) -> str:
    known = [(s, f.lower, f.upper) for s, f in line.points if f.lower is not None and f.upper is not None]
    upper = [f"{x(0.0):.1f},{y(0.0):.1f}", *(f"{x(s):.1f},{y(high):.1f}" for s, _, high in known)]
    lower = [f"{x(s):.1f},{y(low):.1f}" for s, low, _ in reversed(known)]
    return f'<polygon points="{" ".join([*upper, *lower])}" class="band"/>'


def _dot(at: float, found: Interval, y: _Scale, kind: str) -> list[str]:
    parts = [f'<circle cx="{at:.1f}" cy="{y(found.value):.1f}" r="4.5" class="{kind}"/>']
    if found.lower is not None and found.upper is not None:
        ends = f'y1="{y(found.lower):.1f}" y2="{y(found.upper):.1f}"'
        parts.insert(0, f'<line x1="{at:.1f}" x2="{at:.1f}" {ends} class="whisker thin {kind}"/>')
    return parts


def _finished(parts: list[str], texts: Texts, key: Sequence[tuple[str, str]], shape: str) -> Markup:
    """The axes' words, and a key below, one line per entry."""
    bottom = texts.top + _HEIGHT + 36
    parts.append(f'<text x="{(WIDTH + _LEFT - _RIGHT) / 2:.0f}" y="{bottom}" class="tick">{escape(texts.x)}</text>')
    for n, words in enumerate(texts.y_lines):
        parts.append(f'<text x="2" y="{14 + _LINE * n}" class="tick start">{escape(words)}</text>')
    for n, (label, kind) in enumerate(key, start=1):
        at = bottom + 19 * n
        sign = f'<line x1="{_LEFT}" x2="{_LEFT + 22}" y1="{at - 4}" y2="{at - 4}" class="curve {kind}"/>'
        if shape == "area":
            sign = f'<rect x="{_LEFT}" y="{at - 10}" width="22" height="11" class="{kind}"/>'
        parts.append(f'{sign}<text x="{_LEFT + 30}" y="{at}" class="s plain">{escape(label)}</text>')
    return drawing(parts, bottom + 19 * len(key) + 8, texts.name, texts.title, texts.summary)
