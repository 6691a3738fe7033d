"""Make the plan: write the delivered files, and the truth apart from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.simulate.config import SimulationConfig
from jobs.simulate.encounters import encounters
from jobs.simulate.enrollment import consents, eligibility, outreach_contacts
from jobs.simulate.medical import medical_claims
from jobs.simulate.months import member_months
from jobs.simulate.outreach import KEPT, with_offers, with_outcomes
from jobs.simulate.pharmacy import pharmacy_claims
from jobs.simulate.population import members
from jobs.simulate.truth import potential_outcomes, write_truth

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

ENTITIES = ("eligibility", "medical_claim", "pharmacy_claim", "outreach_contact", "consent")
DATA_SOURCE = "tuva"
BATCH = 100_000  # members at a time
_QUIET = {"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}  # no `_SUCCESS` among the delivered files


@dataclass(frozen=True)
class Simulated:
    """Where the files of each entity are, and how many rows of truth were written."""

    folders: dict[str, Path]
    truth_rows: int


@dataclass(frozen=True)
class Part:
    """Which part of a plan's deliveries to write, and which published lists its outcomes follow.

    The same configuration with `until` one day and then `after` that day, following the lists of the nights between,
    is one plan told in two parts: what happened before the first list does not depend on it.

    Attributes:
        after: only files delivered later than this day.
        until: only files delivered up to this day.
        published: `member_id, program, offered_on`; see `published_offers`.
    """

    after: date | None = None
    until: date | None = None
    published: DataFrame | None = None

    @property
    def is_delivered(self) -> str:
        """SQL condition on `file_date`."""
        bounds = [f"file_date > date'{self.after}'"] if self.after else []
        return " and ".join([*bounds, *([f"file_date <= date'{self.until}'"] if self.until else [])]) or "true"


def published_offers(spark: SparkSession, data_source: str = DATA_SOURCE) -> DataFrame:
    """Every offer of the published lists of a source, as `Part.published`."""
    return spark.sql(f"""
        select member_id, program, run_date as offered_on from outreach.priority
        where data_source = '{data_source}' and decision in ('outreach', 'explore')""")


def simulate(
    spark: SparkSession,
    config: SimulationConfig,
    out_dir: Path | str,
    *,
    with_truth: bool = True,
    part: Part | None = None,
) -> Simulated:
    """Write `<out_dir>/<entity>/part-*.parquet` per entity, replacing what is there, and the tables of `truth`.

    Works in batches of members, so that memory and temporary disk do not grow with the plan.

    Args:
        spark: a session; nothing member-grained is collected.
        config: equal configurations give equal rows, whatever the partitioning.
        out_dir: folder that the engine's workers can write to.
        with_truth: write `truth.potential_outcome` and `truth.unmeasured` (data source `tuva`).
        part: of the deliveries; default all, without published lists.
    """
    part = part or Part()
    out = Path(out_dir).resolve()
    scratch = out.parent / f".{out.name}-scratch"
    for folder in (scratch, *(out / entity for entity in ENTITIES)):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        for first in range(1, config.members + 1, BATCH):
            _batch(spark, config, first, min(first + BATCH - 1, config.members), out, scratch, with_truth, part)
        truth_rows = 0
        if with_truth:
            read = spark.read.parquet
            truth_rows = write_truth(
                spark, read(str(scratch / "truth")), read(str(scratch / "members")), config.seed, DATA_SOURCE
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Simulated({entity: out / entity for entity in ENTITIES}, truth_rows)


def _batch(
    spark: SparkSession,
    config: SimulationConfig,
    first: int,
    last: int,
    out: Path,
    scratch: Path,
    with_truth: bool,
    part: Part,
) -> None:
    """All files of the members `first` .. `last`, appended to those of the batches before."""
    people = _keep(members(spark, config, first, last), scratch / "members", f"member_no between {first} and {last}")
    history = with_offers(member_months(people, config), config, part.published)
    outcomes = _keep(with_outcomes(history, config).where("is_enrolled").select(*KEPT), scratch / f"outcomes-{first}")
    makers: dict[str, Callable[[], DataFrame]] = {
        "medical_claim": lambda: medical_claims(encounters(outcomes, config), config),
        "pharmacy_claim": lambda: pharmacy_claims(outcomes, config),
        "eligibility": lambda: eligibility(people, config),
        "outreach_contact": lambda: outreach_contacts(outcomes, config),
        "consent": lambda: consents(people, config),
    }

    def deliver(entity: str) -> None:
        rows = makers[entity]().where(part.is_delivered).coalesce(1)
        rows.write.mode("append").options(**_QUIET).parquet(str(out / entity))

    def tell_truth() -> None:
        potential_outcomes(outcomes, config, DATA_SOURCE).write.mode("append").parquet(str(scratch / "truth"))

    # One file each keeps one core busy; two at a time keep two.
    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(deliver, entity) for entity in makers]
        writing += [pool.submit(tell_truth)] if with_truth else []
        for one in writing:
            one.result()
    shutil.rmtree(scratch / f"outcomes-{first}", ignore_errors=True)


def _keep(frame: DataFrame, path: Path, where: str = "true") -> DataFrame:
    """Write and read back: later steps start from rows, not from a thousand nested expressions."""
    frame.write.mode("append").parquet(str(path))
    return frame.sparkSession.read.parquet(str(path)).where(where)
