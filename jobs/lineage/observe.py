"""Sees what the driver asks a session for: every plan whose rows it fetches, and every temporary view that it makes.

So a step's inputs are those that it really read, whoever wrote the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.lineage import record


def observe(session: Any) -> None:
    """Watch a session of Spark Connect from now on; costs a walk through each plan, and no call."""
    client = session.client
    client.lineage_views = {}
    for name in ("to_table", "to_pandas"):
        setattr(client, name, _watched(client, getattr(client, name)))
    client.execute_command = _watched_commands(client, client.execute_command)


def _watched(client: Any, fetch: Callable[..., Any]) -> Callable[..., Any]:
    def fetched(plan: Any, *args: Any, **kwargs: Any) -> Any:
        found = fetch(plan, *args, **kwargs)
        if plan.WhichOneof("op_type") == "root":  # very large plans are sent compressed
            record.asks(plan.root, client.lineage_views)
        return found

    return fetched


def _watched_commands(client: Any, execute: Callable[..., Any]) -> Callable[..., Any]:
    def executed(command: Any, *args: Any, **kwargs: Any) -> Any:
        keep_view(client.lineage_views, command)
        return execute(command, *args, **kwargs)

    return executed


def keep_view(views: dict[str, Any], command: Any) -> None:
    """Remember the plan behind a temporary view that a command makes."""
    if command.WhichOneof("command_type") == "create_dataframe_view":
        views[command.create_dataframe_view.name] = command.create_dataframe_view.input
