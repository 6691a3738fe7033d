"""From a report to one HTML page that needs nothing else: no script, no network, no font. Pure."""

from __future__ import annotations

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
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words,
        pictures=pictures,
        smallest=SMALLEST,
        light=Markup(palette.variables(palette.LIGHT)),
        dark=Markup(palette.variables(palette.DARK)),
    )
    return environment


def render(report: NightReport) -> str:
    """The page of one night and source."""
    return _environment().get_template("night.html.j2").render(report=report)


def render_index(nights: list[NightEntry]) -> str:
    """The page that lists all nights, latest first."""
    return _environment().get_template("index.html.j2").render(nights=nights)
