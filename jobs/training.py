"""Train all programs of a source: features of their index dates first, then each program on its own."""

from __future__ import annotations

from datetime import date

from contracts.programs import programs
from jobs.cohort import index_dates
from jobs.session import spark_session
from jobs.train import Training, train_program
from jobs.transform import build_layer


def training_dates(as_of: date) -> list[date]:
    """Every index date that any program trains on as of a date, oldest first."""
    return sorted({day for program in programs().programs.values() for day in index_dates(program, as_of)})


def train_programs(data_source: str, as_of: date, *, run_id: str, seed: int, auto_approve: bool) -> list[Training]:
    """Train every program as of a date; one program's bad data is its own verdict and stops no other."""
    for audit in build_layer("features", data_source, as_of, run_id=run_id, as_of_dates=training_dates(as_of)):
        audit.require()
    spark = spark_session()
    return [
        train_program(spark, program, data_source, as_of, run_id=run_id, seed=seed, auto_approve=auto_approve)
        for program in programs().programs.values()
    ]
