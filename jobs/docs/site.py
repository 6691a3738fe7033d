"""Build the pages into one folder, from which they can be opened, sent on or served as they are."""

from __future__ import annotations

from pathlib import Path

from jobs.dbt import static_docs
from jobs.docs.dictionary_page import render_dictionary
from jobs.lineage.graph import Graph
from jobs.lineage.page import render as render_lineage
from jobs.report.render import environment
from jobs.report.write import replace_file

_TEMPLATES = Path(__file__).with_name("templates")
DICTIONARY, LINEAGE, DBT = "dictionary.html", "lineage.html", "dbt.html"


def build_docs(folder: Path, graph: Graph, told_by: str, *, with_dbt: bool = True) -> Path:
    """Write `index.html`, the data dictionary, the lineage page and dbt's documentation; asks no engine.

    Args:
        folder: made where missing.
        graph, told_by: from `jobs.lineage.told.told_graph`.
        with_dbt: dbt's pages too (some 10 s).

    Returns:
        the start page.

    Raises:
        DbtError: dbt could not document the project.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(folder / LINEAGE, render_lineage(graph, told_by))
    replace_file(folder / DICTIONARY, render_dictionary(lineage=LINEAGE))
    if with_dbt:
        replace_file(folder / DBT, static_docs())
    page = environment(_TEMPLATES).get_template("docs.html.j2")
    facts = {"counts": graph.counts(), "told_by": told_by, "has_dbt": (folder / DBT).exists()}
    replace_file(folder / "index.html", page.render(**facts))
    return folder / "index.html"
