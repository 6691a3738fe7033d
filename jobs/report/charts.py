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
    return _svg(parts, y, name, title, summary)


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
    ticks = _ticks(min(ends), max(ends))
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
    parts += [f'<text x="{at(t):.1f}" y="{bottom + 15}" class="tick">{_number(t)}</text>' for t in ticks]
    for n, words in enumerate(axis):
        parts.append(f'<text x="{WIDTH / 2}" y="{bottom + 34 + 17 * n}" class="tick">{escape(words)}</text>')
    return _svg(parts, bottom + 24 + 17 * len(axis), name, title, summary)


def _number(tick: float) -> str:
    return f"{tick:g}".replace("-", "−")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that hold the range, zero among them; about four steps."""
    span = (high - low) or 1.0
    raw = span / 4
    unit = 10 ** floor(log10(raw))
    step = unit * next((m for m in (1, 2, 5) if m * unit >= raw), 10)
    first, last = floor(low / step), ceil(high / step)
    return [round(n * step, 10) for n in range(first, last + 1)]


def _svg(parts: Sequence[str], height: float, name: str, title: str, summary: str) -> Markup:
    head = (
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        f'aria-labelledby="{escape(name)}-t {escape(name)}-d"><title id="{escape(name)}-t">{escape(title)}</title>'
        f'<desc id="{escape(name)}-d">{escape(summary)}</desc>'
    )
    return Markup(head + "".join(parts) + "</svg>")
