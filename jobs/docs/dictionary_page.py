"""The data dictionary as one searchable HTML page, rendered from the contracts. Pure; no network, no library.

Without its script the page still holds everything; the script only hides what does not match.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from contracts.catalog import LAYERS, layer
from contracts.compile.dictionary_page import asked_of, expected_of
from contracts.compile.rules import CompiledRule, rules_of
from contracts.model import Column, Phi, TableContract
from contracts.views import VIEWS, View
from jobs.report.render import environment

_TEMPLATES = Path(__file__).with_name("templates")
_LAYER_WORDS = {
    "raw": "as delivered",
    "staging": "typed and renamed, per source",
    "core": "the Tuva vocabulary on two clocks",
    "features": "what is known of a member on a date",
    "causal": "cohorts, models and the evidence for them",
    "outreach": "what people read",
    "ops": "what the nights did",
    "truth": "the simulator's potential outcomes; only tests may read them",
}


def render_dictionary(*, lineage: str | None = None) -> str:
    """The page.

    Args:
        lineage: address of the lineage page, relative to this one; None leaves its links out.
    """
    script = (_TEMPLATES / "dictionary.js").read_text(encoding="utf-8")
    layers = [(schema, _LAYER_WORDS.get(schema, ""), [_table(t) for t in layer(schema)]) for schema in LAYERS]
    tables = [table for _, _, found in layers for table in found]
    return environment(_TEMPLATES).get_template("dictionary.html.j2").render(
        layers=[one for one in layers if one[2]],
        views=[_view(view) for view in VIEWS.values()],
        counts={
            "tables": len(tables),
            "columns": sum(len(table["columns"]) for table in tables),
            "rules": sum(table["rule_count"] for table in tables),
        },
        phi=sorted(Counter(c["phi"] for t in tables for c in t["columns"] if c["phi"])),
        lineage=lineage,
        style=Markup((_TEMPLATES / "dictionary.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def _marked(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _table(table: TableContract) -> dict[str, Any]:
    rules = rules_of(table)
    return {
        "name": table.name,
        "meaning": _marked(table.description),
        "key": ", ".join(table.key),
        "owner": table.owner.removeprefix("team:"),
        "version": table.version,
        "writer": table.writer,
        "columns": [_column(column, rules) for column in table.columns],
        "rules": [
            {
                "name": r.name,
                "tier": r.tier.value,
                "severity": r.severity.value,
                "asks": _marked(r.description + expected_of(r)),
            }
            for r in rules
            if not r.is_of_one_column
        ],
        "rule_count": len(rules),
    }


def _column(column: Column, rules: Iterable[CompiledRule]) -> dict[str, Any]:
    asked = [asked_of(rule, column) for rule in rules if rule.is_of_one_column and rule.columns == (column.name,)]
    return {
        "name": column.name,
        "type": column.spark_type,
        "unit": column.unit,
        "meaning": _marked(column.description),
        "phi": "" if column.phi is Phi.NONE else column.phi.value.replace("_", " "),
        "asked": _marked("; ".join(asked)),
    }


def _view(view: View) -> dict[str, Any]:
    return {
        "name": view.name,
        "meaning": _marked(view.description),
        "owner": view.owner,
        "reads": ", ".join(view.reads),
        "columns": [_column(column, ()) for column in view.columns],
    }
