"""From a report to one HTML page that needs nothing else: no script, no network, no font. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jobs.report import palette, pictures, words
from jobs.report.index import NightEntry
from jobs.report.night import NightReport
from jobs.report.suppression import SMALLEST

_TEMPLATES = Path(__file__).with_name("templates")


@cache
def environment(*more: Path) -> Environment:
    """Templates of the pages: their frame, style, words and pictures.

    Args:
        more: folders with further templates, which may extend `page.html.j2`.
    """
    made = Environment(
        loader=FileSystemLoader([*more, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        words=words,
        pictures=pictures,
        smallest=SMALLEST,
        light=Markup(palette.variables(palette.LIGHT)),
        dark=Markup(palette.variables(palette.DARK)),
    )
    return made


def render(report: NightReport, *, is_whole: bool = True) -> str:
    """The page of one night and source.

    Args:
        report: what is drawn.
        is_whole: it holds all programs of the night; else it is the page of the one that it holds.
    """
    return environment().get_template("night.html.j2").render(report=report, is_whole=is_whole)


def render_index(nights: list[NightEntry], months: Sequence[tuple[str, str]] = ()) -> str:
    """The page that lists all nights, latest first.

    Args:
        nights: from `jobs.report.index.read_entries`.
        months: address and title of the monthly pages on models, latest first.
    """
    return environment().get_template("index.html.j2").render(nights=nights, months=months)
