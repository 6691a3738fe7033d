"""Small pictures as inline SVG: narrow enough for a phone at full size, colours from the page, a text in each.

Every function is pure and returns markup whose words are escaped. A chart's `summary` is its text alternative; the page
prints it below the picture as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from textwrap import wrap

from markupsafe import Markup, escape

from jobs.report.night import Interval

WIDTH = 340
_ROW = 40
_LEFT = 2
_LINE = 16
_CHARACTERS = 42  # of 13 px that fit into WIDTH, in the widest of the usual fonts
AXIS_CHARACTERS = 46  # of 12 px, as axes have them


@dataclass(frozen=True)
class Pair:
    """Two values under one label; None is not told."""

    label: str
    first: float | None
    second: float | None


@dataclass(frozen=True)
class Bar:
    """One bar: its value (None draws none), and the text at its end."""

    label: str
    value: float | None
    text: str


def bars(rows: Sequence[Bar], *, whole: float | None = None, name: str, title: str, summary: str) -> Markup:
    """Horizontal bars from zero, the label above each.

    Args:
        rows: from top to bottom.
        whole: what a full bar stands for; the largest value where None.
        name: unique id of the chart in the page.
        title: what it shows.
        summary: what it says, in one or two sentences.
    """
    most = whole or max((row.value or 0.0 for row in rows), default=0.0) or 1.0
    room = WIDTH - 8 * max((len(row.text) for row in rows), default=0) - 12
    parts = []
    y = 0
    for row in rows:
        lines = wrap(row.label, _CHARACTERS) or [""]
        for n, line in enumerate(lines):
            parts.append(f'<text x="{_LEFT}" y="{y + 14 + _LINE * n}" class="t">{escape(line)}</text>')
        y += _LINE * (len(lines) - 1)
        if row.value is None:
            parts.append(f'<text x="{_LEFT}" y="{y + 31}" class="s">{escape(row.text)}</text>')
        else:
            length = max(room * row.value / most, 2.0 if row.value > 0 else 0.0)
            parts.append(f'<rect x="{_LEFT}" y="{y + 20}" width="{room}" height="12" rx="2" class="track"/>')
            parts.append(f'<rect x="{_LEFT}" y="{y + 20}" width="{length:.1f}" height="12" rx="2" class="mark"/>')
            parts.append(f'<text x="{room + 10}" y="{y + 31}" class="n">{escape(row.text)}</text>')
        y += _ROW
    return drawing(parts, y, name, title, summary)


def paired_bars(
    rows: Sequence[Pair], labels: tuple[str, str], *, whole: float, name: str, title: str, summary: str
) -> Markup:
    """Two bars under each label, in per cent of `whole`.

    Args:
        rows: from top to bottom.
        labels: of the first and the second bar, in the key.
        whole: what a full bar stands for.
        name, title, summary: as for `bars`.
    """
    parts, room = _key(labels), WIDTH - 52
    y = 28
    for row in rows:
        parts.append(f'<text x="{_LEFT}" y="{y + 14}" class="t">{escape(row.label)}</text>')
        if row.first is None and row.second is None:
            parts.append(f'<text x="{_LEFT}" y="{y + 31}" class="s">too few to tell</text>')
            y += _ROW
            continue
        for n, (value, kind) in enumerate(((row.first, "mark"), (row.second, "other"))):
            top = y + 20 + 14 * n
            words = "too few to tell" if value is None else f"{value:.0%}"
            length = room * (value or 0.0) / whole
            parts.append(f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="10" rx="2" class="{kind}"/>')
            parts.append(f'<text x="{_LEFT + length + 6:.1f}" y="{top + 9}" class="n small">{words}</text>')
        y += _ROW + 14
    return drawing(parts, y, name, title, summary)


def dumbbells(
    rows: Sequence[Pair], labels: tuple[str, str], limit: float, axis: str, *, name: str, title: str, summary: str
) -> Markup:
    """Two dots on one line per label, from before to after, and a limit that the second should stay below.

    Args:
        rows: from top to bottom.
        labels: of the first (a ring) and the second dot, in the key.
        limit: drawn through all rows.
        axis: words below the axis.
        name, title, summary: as for `bars`.
    """
    ticks = ticks_between(0.0, max([limit, *(x for r in rows for x in (r.first, r.second) if x is not None)]))
    parts = _key(labels, ring=True)

    def at(value: float) -> float:
        return 14 + (WIDTH - 28) * value / ticks[-1]

    y = 28
    for row in rows:
        for line in wrap(row.label, _CHARACTERS)[:2]:
            parts.append(f'<text x="{_LEFT}" y="{y + 14}" class="t">{escape(line)}</text>')
            y += _LINE
        first, second = at(row.first or 0.0), at(row.second or 0.0)
        parts.append(f'<line x1="14" x2="{WIDTH - 14}" y1="{y + 10}" y2="{y + 10}" class="grid"/>')
        parts.append(f'<line x1="{at(limit):.1f}" x2="{at(limit):.1f}" y1="{y + 3}" y2="{y + 17}" class="zero"/>')
        parts.append(f'<line x1="{first:.1f}" x2="{second:.1f}" y1="{y + 10}" y2="{y + 10}" class="whisker other"/>')
        parts.append(f'<circle cx="{first:.1f}" cy="{y + 10}" r="4.5" class="ring"/>')
        parts.append(f'<circle cx="{second:.1f}" cy="{y + 10}" r="4.5" class="mark"/>')
        y += _ROW - _LINE
    parts += [f'<text x="{at(t):.1f}" y="{y + 14}" class="tick">{number(t)}</text>' for t in ticks]
    parts.append(f'<text x="{WIDTH / 2}" y="{y + 33}" class="tick">{escape(axis)}</text>')
    return drawing(parts, y + 42, name, title, summary)


def _key(labels: tuple[str, str], *, ring: bool = False) -> list[str]:
    """What the two colours, or the ring and the dot, stand for."""
    half = WIDTH / 2
    signs = (
        ('<circle cx="8" cy="10" r="4.5" class="ring"/>', f'<circle cx="{half + 8}" cy="10" r="4.5" class="mark"/>')
        if ring
        else ('<rect x="2" y="5" width="12" height="10" class="mark"/>', f'<rect x="{half + 2}" y="5" width="12" height="10" class="other"/>')
    )  # fmt: skip
    texts = (f'<text x="20" y="14" class="s plain">{escape(labels[0])}</text>', f'<text x="{half + 20}" y="14" class="s plain">{escape(labels[1])}</text>')  # fmt: skip
    return [*signs, *texts]


def intervals(
    rows: Sequence[tuple[str, Interval]],
    *,
    name: str,
    title: str,
    summary: str,
    axis: Sequence[str],
    strong: Sequence[int] = (0,),
) -> Markup:
    """Dots with 95% whiskers over a common axis that always holds zero.

    Args:
        rows: label and estimate, from top to bottom.
        name, title, summary: as for `bars`.
        axis: lines of words below the axis.
        strong: rows drawn in the accent colour; the others are there to compare with.
    """
    ends = [0.0, *(x for _, i in rows for x in (i.value, i.lower, i.upper) if x is not None)]
    ticks = ticks_between(min(ends), max(ends))
    low, high = min(*ends, ticks[0]), max(*ends, ticks[-1])
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return 14 + (WIDTH - 28) * (value - low) / span

    bottom = len(rows) * _ROW + 4
    parts = []
    for n, (label, found) in enumerate(rows):
        y, kind = n * _ROW + 30, "mark" if n in strong else "other"
        parts.append(f'<text x="{_LEFT}" y="{y - 15}" class="t">{escape(label)}</text>')
        # Lines only where the dots are: through the labels they would be hard to read.
        for t in ticks:
            line = "zero" if t == 0 else "grid"
            parts.append(f'<line x1="{at(t):.1f}" x2="{at(t):.1f}" y1="{y - 9}" y2="{y + 9}" class="{line}"/>')
        if found.lower is not None and found.upper is not None:
            x1, x2 = at(found.lower), at(found.upper)
            parts.append(f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y}" y2="{y}" class="whisker {kind}"/>')
        parts.append(f'<circle cx="{at(found.value):.1f}" cy="{y}" r="5" class="{kind}"/>')
    parts += [f'<text x="{at(t):.1f}" y="{bottom + 15}" class="tick">{number(t)}</text>' for t in ticks]
    for n, words in enumerate(axis):
        parts.append(f'<text x="{WIDTH / 2}" y="{bottom + 34 + 17 * n}" class="tick">{escape(words)}</text>')
    return drawing(parts, bottom + 24 + 17 * len(axis), name, title, summary)


def number(tick: float) -> str:
    """A place on an axis, with a typographic minus."""
    return f"{tick:,.10g}".replace("-", "−")


def ticks_between(low: float, high: float) -> list[float]:
    """Round numbers that hold the range, zero among them; about four steps."""
    span = (high - low) or 1.0
    raw = span / 4
    unit = 10 ** floor(log10(raw))
    step = unit * next((m for m in (1, 2, 5) if m * unit >= raw), 10)
    first, last = floor(low / step), ceil(high / step)
    return [round(n * step, 10) for n in range(first, last + 1)]


def drawing(parts: Sequence[str], height: float, name: str, title: str, summary: str) -> Markup:
    """The parts as one picture with its title and text alternative."""
    head = (
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        f'aria-labelledby="{escape(name)}-t {escape(name)}-d"><title id="{escape(name)}-t">{escape(title)}</title>'
        f'<desc id="{escape(name)}-d">{escape(summary)}</desc>'
    )
    return Markup(head + "".join(parts) + "</svg>")
