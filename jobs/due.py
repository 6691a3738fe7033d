"""Is a training due before its week is over: an alarm of drift since the last one, or a champion that may not score.

The alarms are rows of `ops.alert`: whoever watches drift or realised effects raises one of a kind in TRAINING_KINDS with
severity `error` and the data source set. One such row asks for one training, however many nights repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from contracts.compile.literals import sql_string
from contracts.programs import programs
from jobs.delta import table_exists
from jobs.fitness import unfit
from jobs.registry import champion, latest

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

TRAINING_KINDS = ("drift", "realized_uplift")


@dataclass(frozen=True)
class Alarm:
    """One alarm that asks for training.

    Attributes:
        alert_id: of the row of `ops.alert`.
        kind: one of TRAINING_KINDS.
        subject: feature, score or program that moved.
        raised_at: when (UTC).
    """

    alert_id: str
    kind: str
    subject: str
    raised_at: datetime


@dataclass(frozen=True)
class Due:
    """A training to be started now.

    Attributes:
        data_source: whose members.
        reasons: why, one sentence each.
        key: the same as long as the reasons are, so that nobody starts a second training for them.
    """

    data_source: str
    reasons: tuple[str, ...]
    key: str


ReadAlarms = Callable[[str, datetime], Iterable[Alarm]]


def alarms_since(spark: SparkSession, data_source: str, since: datetime) -> list[Alarm]:
    """Alarms about a source raised after a time, oldest first; none where no alert was ever written."""
    if not table_exists(spark, "ops.alert"):
        return []
    kinds = ", ".join(sql_string(kind) for kind in TRAINING_KINDS)
    rows = spark.sql(f"""
        select alert_id, kind, subject, unix_micros(raised_at) / 1e6 as raised_at from ops.alert
        where kind in ({kinds}) and severity = 'error' and data_source = {sql_string(data_source)}
            and raised_at > timestamp_micros({int(since.timestamp() * 1_000_000)})
        order by raised_at, alert_id""").collect()
    return [
        Alarm(r["alert_id"], r["kind"], r["subject"], datetime.fromtimestamp(r["raised_at"], since.tzinfo))
        for r in rows
    ]


def training_due(data_source: str, read_alarms: ReadAlarms) -> Due | None:
    """Whether a source's programs are to be trained now; None when not, or when they were never trained at all.

    Args:
        data_source: whose members.
        read_alarms: alarms about a source since a time, e.g. `alarms_since` of a session.
    """
    trained = [model for key in programs().programs if (model := latest(data_source, key)) is not None]
    if not trained:
        return None
    alarms = list(read_alarms(data_source, min(model.created_at for model in trained)))
    reasons = [f"{alarm.kind.replace('_', ' ')}: {alarm.subject}" for alarm in alarms]
    marks = [alarm.alert_id for alarm in alarms]
    for key in programs().programs:
        model, last = champion(data_source, key), latest(data_source, key)
        # A newer version that may score waits for a person, and training again would not help.
        if model is not None and (why := unfit(model)) is not None and (last is None or unfit(last) is not None):
            reasons.append(f"{model.label} may not score: {why}")
            marks.append(f"{model.label}:{why}")
    if not reasons:
        return None
    return Due(data_source, tuple(reasons), sha256("|".join(marks).encode()).hexdigest()[:16])
