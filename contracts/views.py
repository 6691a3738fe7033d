"""The views that people read: each shows columns of one table, whose contract describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contracts.catalog import contract
from contracts.model import Column


@dataclass(frozen=True)
class View:
    """A view over one table.

    Attributes:
        name: `schema.view`.
        description: one sentence; the view's comment in the warehouse.
        table: whose rows it shows.
        column_names: in order; empty: all of the table's.
    """

    name: str
    description: str
    table: str
    column_names: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns as the table's contract has them: type, meaning, PHI class."""
        known = {column.name: column for column in contract(self.table).columns}
        return tuple(known[name] for name in self.column_names or known)

    @property
    def owner(self) -> str:
        """Who answers for the table answers for the view."""
        return contract(self.table).owner


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        view.name: view
        for view in (
            View(
                "outreach.priority_latest",
                "The last published night of each source: one row per member and program.",
                "outreach.priority",
            ),
            View(
                "outreach.action_list",
                "Whom to call, last published night of each source, in order.",
                "outreach.priority",
                (
                    "data_source", "run_date", "program", "priority_rank", "member_id", "decision", "channel", "cate", "cate_lower",
                    "cate_upper", "expected_net_value_usd", "reason_1", "reason_2", "reason_3", "verdict", "model_version",
                ),
            ),
        )
    }
)  # fmt: skip
