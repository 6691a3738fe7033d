"""Train all programs of a source: features of their index dates first, then each program on its own."""

from __future__ import annotations

from datetime import date

from contracts.programs import programs
from jobs.alerts import record_alert
from jobs.audit_result import AuditResult
from jobs.cohort import index_dates
from jobs.decision_table import record_decisions
from jobs.session import spark_session
from jobs.train import Scope, Training, train_program, write_cards, write_cohorts, write_evidence
from jobs.transform import build_layer


def training_dates(as_of: date) -> list[date]:
    """Every index date that any program trains on as of a date, oldest first."""
    return sorted({day for program in programs().programs.values() for day in index_dates(program, as_of)})


def train_programs(
    data_source: str, as_of: date, *, run_id: str, seed: int, auto_approve: bool
) -> tuple[list[Training], list[AuditResult]]:
    """Train every program as of a date; one program's bad data is its own verdict and stops no other.

    Returns:
        what came out per program, and what the contracts found in the tables of `causal` that training wrote.
    """
    for audit in build_layer("features", data_source, as_of, run_id=run_id, as_of_dates=training_dates(as_of)):
        audit.require()
    spark, scope = spark_session(), Scope(data_source, as_of, run_id, seed)
    chosen = list(programs().programs.values())
    cohorts = write_cohorts(spark, chosen, scope)
    for audit in cohorts:
        audit.require()
    trained = [train_program(spark, program, scope, auto_approve=auto_approve) for program in chosen]
    evidence = write_evidence(spark, trained, scope)
    if not any(audit.blocked for audit in evidence):
        write_cards(spark, trained, scope)
    record_decisions(spark)
    _alert_blocked(trained, scope)
    return trained, [*cohorts, *evidence]


def _alert_blocked(trained: list[Training], scope: Scope) -> None:
    """Tell a person of models that their gates blocked; a champion trained earlier goes on serving."""
    for training in trained:
        if training.study.verdict == "blocked":
            record_alert(
                kind="gate", subject=training.model.label, run_id=scope.run_id, message=training.sentence,
                severity="warn", data_source=scope.data_source,
            )  # fmt: skip
