"""Train all programs of a source: features of their index dates first, then each program on its own."""

from __future__ import annotations

from datetime import date

from contracts.programs import programs
from jobs.audit_result import AuditResult
from jobs.cohort import index_dates
from jobs.enforce import audit_layer
from jobs.session import spark_session
from jobs.train import Training, train_program
from jobs.transform import build_layer


def training_dates(as_of: date) -> list[date]:
    """Every index date that any program trains on as of a date, oldest first."""
    return sorted({day for program in programs().programs.values() for day in index_dates(program, as_of)})


TABLES = ("cohort", "cohort_flow", "oof_prediction", "evaluation", "gate_result", "model")


def train_programs(
    data_source: str, as_of: date, *, run_id: str, seed: int, auto_approve: bool
) -> tuple[list[Training], list[AuditResult]]:
    """Train every program as of a date; one program's bad data is its own verdict and stops no other.

    Returns:
        what came out per program, and what the contracts found in the tables of `causal` that training wrote.
    """
    for audit in build_layer("features", data_source, as_of, run_id=run_id, as_of_dates=training_dates(as_of)):
        audit.require()
    spark = spark_session()
    trained = [
        train_program(spark, program, data_source, as_of, run_id=run_id, seed=seed, auto_approve=auto_approve)
        for program in programs().programs.values()
    ]
    where = f"data_source = '{data_source}' and trained_as_of = date'{as_of}'"
    names = [f"causal.{name}" for name in TABLES]
    return trained, audit_layer(spark, "causal", run_id, names, where=where, data_source=data_source)
