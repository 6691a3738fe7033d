"""`ops.model_decision`: the trail of decisions, appended once each, where analysts and auditors can query it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from contracts.catalog import contract
from jobs.alerts import record_alert
from jobs.decisions import Decision, pending
from jobs.delta import append_idempotent, ensure_tables, rows_of_contract
from jobs.ledger import step
from jobs.lineage.models import decided_on
from jobs.lineage.plan import computed

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_TABLE = "ops.model_decision"


def record_decisions(spark: SparkSession) -> int:
    """Append the decisions that are not on the table yet; returns how many.

    Each is one append under its own id: a process that is killed between the append and the mark in the registry
    appends again, and Delta skips what it has. One that cannot be told in a row is an alert and keeps none of the
    others waiting.
    """
    waiting = pending()
    if not waiting:
        return 0
    table = contract(_TABLE)
    with step("record decisions") as record:
        ensure_tables(spark, [table])
        record.rows_out = 0
        for decision in waiting:
            try:
                rows = computed(rows_of_contract(spark, table, [_row(decision)]), decided_on(decision.name))
                append_idempotent(rows, _TABLE, f"decision-{decision.decision_id}", 1)
            except ValueError as error:  # text that has no UTF-8, a name of another pattern
                _alert(decision, error, record.run_id)
                continue
            replace(decision, is_recorded=True).write()
            record.rows_out += 1
        if record.rows_out < len(waiting):
            record.message = f"{len(waiting) - record.rows_out} cannot be appended; see ops.alert"
    return record.rows_out


def _alert(decision: Decision, error: ValueError, run_id: str) -> None:
    record_alert(
        kind="model", subject=decision.name, run_id=run_id, severity="warn",
        message=f"Decision {decision.decision_id} cannot be appended to {_TABLE} ({type(error).__name__}). It stands in the "
        "registry; mend its entry among the tags of the registered model.",
    )  # fmt: skip


def _row(decision: Decision) -> dict[str, Any]:
    _, data_source, program = decision.name.split(".")

    def label(version: int | None) -> str:
        return "none" if version is None else f"{decision.name}/{version}"

    return {
        "decision_id": decision.decision_id,
        "data_source": data_source,
        "program": program,
        "action": decision.action,
        "model_version": label(decision.version),
        "previous_version": label(decision.previous),
        "verdict": decision.verdict,
        "actor": decision.actor,
        "actor_kind": decision.actor_kind,
        "login": decision.login,
        "note": decision.note,
        "outcome": decision.outcome,
        "decided_at": decision.decided_at,
    }
