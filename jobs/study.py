"""`outreach study run`: read the table a study names, run it, write `study.json`, `scores.parquet`, `report.html`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import ConfigError
from contracts.study import load_study
from jobs.study_data import read_data


@dataclass(frozen=True)
class StudyFiles:
    """What was written, and the verdict per arm."""

    facts: Path
    scores: Path
    report: Path
    verdict: Mapping[str, str]


def run_study_file(path: Path, out: Path, seed: int = 0) -> StudyFiles:
    """Run one study.

    Args:
        path: the study's YAML; `data` in it is relative to this file.
        out: folder for the results, made if missing.
        seed: root seed.

    Raises:
        ConfigError: the study or its data are malformed; the message names the field.
    """
    from causal.study import run_study

    spec = load_study(path)
    _make_folder(out)
    result = run_study(read_data(spec, path.parent), spec, seed)
    files = StudyFiles(out / "study.json", out / "scores.parquet", out / "report.html", dict(result.facts["verdict"]))
    _replace(files.facts, json.dumps(result.facts, indent=2, allow_nan=False, ensure_ascii=False).encode())
    partial = files.scores.with_suffix(".partial")
    result.scores.to_parquet(partial, index=False)
    os.replace(partial, files.scores)
    _replace(files.report, render_report(result.facts).encode())
    return files


def _make_folder(out: Path) -> None:
    """Before hours are spent on a result that could not be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"`--out`: the folder {out.name} cannot be made.", actual=error.strerror, todo="name another folder."
        ) from None


def render_report(facts: Mapping[str, Any]) -> str:
    """The results as one self-contained page: verdicts, effects, gates, rankings; no rows of people."""
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(_PAGE).render(**facts)


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ name }}</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}
.pass{color:#176b2c}.fail{color:#a01818}.inconclusive{color:#7a5a00}.number{text-align:right;font-variant-numeric:tabular-nums}
</style></head><body><h1>{{ name }}</h1>
<p>{{ n }} people, {{ n_treated }} treated. Ranked by {{ learner }}. Seed {{ seed }}. Estimand: {{ estimand }}.</p>
{% for arm in arms %}{% set e = estimates[arm] %}
<h2>{{ arm }}: <span class="{{ {'publish':'pass','blocked':'fail'}.get(verdict[arm], 'inconclusive') }}">{{ verdict[arm] }}</span></h2>
{% if e.ate is not none %}<p>Average effect {{ '%.4g' % e.ate }} (95 % interval {{ '%.4g' % e.ci_low }} to {{ '%.4g' % e.ci_high }});
difference in means without adjustment {{ '%.4g' % e.naive_difference if e.naive_difference is not none else 'not known' }}.</p>{% endif %}
<table><tr><th>Gate</th><th>Status</th><th>What was found</th></tr>
{% for g in gates if g.arm == arm %}<tr><td>{{ g.name }}{{ ' (hard)' if g.hard }}</td><td class="{{ g.status }}">{{ g.status }}</td><td>{{ g.sentence }}</td></tr>{% endfor %}</table>
{% if ranking[arm] %}<table><tr><th>Ranking</th><th class="number">AUTOC</th><th class="number">Qini</th><th class="number">Effect in the top {{ '%.0f' % (100 * policy_value.budget) }} %</th></tr>
{% for rule, m in ranking[arm].items() %}<tr><td>{{ rule }}</td>{% for k in ('autoc', 'qini', 'top_fraction_effect') %}<td class="number">{{ '%.4g' % m[k] if m[k] is not none else '-' }}{% if m[k ~ '_se'] %} &plusmn; {{ '%.2g' % m[k ~ '_se'] }}{% endif %}</td>{% endfor %}</tr>{% endfor %}</table>
<p>Rankings are measured on people kept aside, in the direction that is good; &plusmn; is one standard error.</p>{% endif %}
{% if equity[arm] %}<h3>Who would be called</h3><table><tr><th>Group</th><th>Ranked by</th><th class="number">Share called</th><th class="number">Against everyone</th><th class="number">Need of those called</th><th class="number">Measured benefit of those called</th></tr>
{% for g in equity[arm] %}<tr><td>{{ g.dimension }}: {{ g.group_name }}</td><td>{{ 'benefit' if g.ranking == 'model' else 'risk' }}</td>{% if g.is_too_small %}<td colspan="4">too few people to show</td>{% else %}<td class="number">{{ '%.0f' % (100 * g.selection_rate) }} %</td><td class="number">{{ '%.2f' % g.selection_ratio }}</td><td class="number">{{ '%.4g' % g.need_selected }}</td><td class="number">{{ '%.4g' % g.benefit_selected }} &plusmn; {{ '%.2g' % g.benefit_selected_se }}</td>{% endif %}</tr>
{% endfor %}</table><p>People kept aside, at the budget. Need is the predicted outcome without treatment, higher is worse.</p>{% endif %}{% endfor %}
{% if placebo %}<h2>Placebo outcomes</h2><table><tr><th>Outcome</th><th class="number">"Effect"</th><th class="number">95 % interval</th></tr>
{% for k, p in placebo.items() if p.estimate is not none %}<tr><td>{{ k }}</td><td class="number">{{ '%.4g' % p.estimate }}</td><td class="number">{{ '%.4g' % p.ci_low }} to {{ '%.4g' % p.ci_high }}</td></tr>{% endfor %}</table>{% endif %}
{% if excluded %}<p>Left out: {% for k, v in excluded.items() %}{{ v }} rows ({{ k }}){{ ', ' if not loop.last }}{% endfor %}.</p>{% endif %}
</body></html>"""
