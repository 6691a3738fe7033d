"""Make the plan: write the delivered files, and the truth apart from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.simulate.config import SimulationConfig
from jobs.simulate.encounters import encounters
from jobs.simulate.enrollment import consents, eligibility, outreach_contacts
from jobs.simulate.medical import medical_claims
from jobs.simulate.months import member_months
from jobs.simulate.outreach import with_offers, with_outcomes
from jobs.simulate.pharmacy import pharmacy_claims
from jobs.simulate.population import members
from jobs.simulate.truth import write_truth

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

ENTITIES = ("eligibility", "medical_claim", "pharmacy_claim", "outreach_contact", "consent")
DATA_SOURCE = "tuva"
_QUIET = {"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}  # no `_SUCCESS` among the delivered files


@dataclass(frozen=True)
class Simulated:
    """Where the files of each entity are, and how many rows of truth were written."""

    folders: dict[str, Path]
    truth_rows: int


def simulate(
    spark: SparkSession, config: SimulationConfig, out_dir: Path | str, *, with_truth: bool = True
) -> Simulated:
    """Write `<out_dir>/<entity>/part-*.parquet` per entity, replacing what is there, and the tables of `truth`.

    Args:
        spark: any session; nothing member-grained is collected.
        config: equal configurations give equal rows, whatever the partitioning.
        out_dir: folder that the engine's workers can write to.
        with_truth: write `truth.potential_outcome` and `truth.unmeasured` (data source `tuva`).
    """
    out, scratch = Path(out_dir).resolve(), Path(out_dir).resolve() / "_scratch"
    try:
        people = _keep(members(spark, config), scratch / "members")
        history = _keep(with_offers(member_months(people, config), config), scratch / "history")
        outcomes = _keep(with_outcomes(history, config).where("is_enrolled"), scratch / "outcomes")
        makers: dict[str, Callable[[], DataFrame]] = {
            "eligibility": lambda: eligibility(people, config),
            "medical_claim": lambda: medical_claims(encounters(outcomes, config), config),
            "pharmacy_claim": lambda: pharmacy_claims(outcomes, config),
            "outreach_contact": lambda: outreach_contacts(outcomes, config),
            "consent": lambda: consents(people, config),
        }
        for entity, make in makers.items():
            _write(make(), out / entity, max(1, config.members // 100_000))
        truth_rows = write_truth(spark, outcomes, people, config, DATA_SOURCE) if with_truth else 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Simulated({entity: out / entity for entity in ENTITIES}, truth_rows)


def _keep(frame: DataFrame, path: Path) -> DataFrame:
    """Write and read back: later steps start from rows, not from a thousand nested expressions."""
    frame.write.mode("overwrite").parquet(str(path))
    return frame.sparkSession.read.parquet(str(path))


def _write(frame: DataFrame, path: Path, files: int) -> None:
    frame.coalesce(files).write.mode("overwrite").options(**_QUIET).parquet(str(path))
