"""The pages of `outreach docs`: whole without a script, all tables in them, and nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lineage_world import wide_graph

from contracts.catalog import catalog
from contracts.model import Phi
from contracts.views import VIEWS
from jobs.docs.dictionary_page import render_dictionary
from jobs.docs.site import build_docs

TABLES = {name: t for name, t in catalog().items() if t.model.__module__.startswith("contracts.")}


@pytest.fixture(scope="module")
def page() -> str:
    return render_dictionary(lineage="lineage.html")


def test_every_column_is_there_with_its_link_and_class(page: str) -> None:
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "an id occurs twice: links would lead astray"
    columns = {f"{t.name}.{c.name}": c for t in (*TABLES.values(), *VIEWS.values()) for c in t.columns}
    assert columns.keys() <= set(ids)
    told = dict(re.findall(r'<tr id="([^"]+)" data-phi="([^"]+)"', page))
    classed = {name: c.phi.value.replace("_", " ") for name, c in columns.items() if c.phi is not Phi.NONE}
    assert told == classed
    assert 'href="lineage.html#outreach.priority.cate"' in page


def test_every_rule_of_a_table_is_there(page: str) -> None:
    assert "interval_holds_estimate" in page
    assert "`" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def test_page_needs_nothing_from_elsewhere_and_is_small(page: str) -> None:
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(""", page)
    assert len(page.encode()) < 3_000_000
    assert "lineage" not in render_dictionary().split("<main")[0].split("<header")[1], "links without a lineage page"


def test_all_pages_are_built_and_one_leads_to_them(tmp_path: Path) -> None:
    index = build_docs(tmp_path / "docs", wide_graph(), "as a test made it", with_dbt=False).read_text()
    assert "Not built this time" in index, "dbt's pages were not asked for"
    assert "200 datasets" in index
    links = re.findall(r'href="([a-z]+\.html)"', index)
    assert sorted(links) == ["dictionary.html", "lineage.html"]
    assert all((tmp_path / "docs" / link).stat().st_size > 10_000 for link in links)
