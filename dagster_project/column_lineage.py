"""Column lineage as Dagster shows it, beside each materialization: the same that the events tell.

Dagster's own view of `dagster/column_lineage` is part of its paid service, so the open UI gets a table in words as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from jobs.lineage.columns import Source

_NAMED = 6


def column_lineage(table: str) -> dg.TableColumnLineage | None:
    """What each column of a table is made from, as this process last wrote it; None where it did not, or nobody knows.

    Models are no assets of their own: a column that a model makes is shown as made of what the model learnt from.
    """
    from jobs.lineage.record import columns_of

    lineage = columns_of(table)
    if lineage is None:
        return None
    made = {name: sorted(set(_assets(sources))) for name, sources in lineage.columns.items()}
    deps = {
        name: [dg.TableColumnDep(dg.AssetKey(asset.split(".")), column) for asset, column in sources]
        for name, sources in made.items()
        if sources
    }
    return dg.TableColumnLineage(deps) if deps else None


def in_words(lineage: dg.TableColumnLineage) -> str:
    """A Markdown table: each column, and by table the columns that it is made from."""
    lines = ["| column | made from |", "|---|---|"]
    for column, deps in lineage.deps_by_column.items():
        names: dict[str, list[str]] = {}
        for dep in deps:
            names.setdefault(".".join(dep.asset_key.path), []).append(dep.column_name)
        lines.append(f"| `{column}` | {'; '.join(_listed(table, mine) for table, mine in names.items())} |")
    return "\n".join(lines)


def _listed(table: str, columns: list[str]) -> str:
    more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
    return f"`{table}`: {', '.join(columns[:_NAMED])}{more}"


def _assets(sources: Iterable[Source]) -> Iterable[tuple[str, str]]:
    from contracts.catalog import catalog
    from contracts.views import VIEWS
    from jobs.lineage.models import learnt_from
    from jobs.lineage.naming import Kind, kind

    for source in sources:
        if source.dataset in catalog() or source.dataset in VIEWS:
            yield source.dataset, source.column
        elif kind(source.dataset) is Kind.MODEL:
            yield from _assets(learnt_from().columns[source.column])
