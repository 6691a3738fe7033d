"""The one place that names datasets and jobs for lineage: OpenLineage's namespace and name from a catalog entry.

A dataset is called as its Dagster asset and its Delta table are: `schema.name`. Four kinds are no tables and have a
schema of their own: `landing` (the delivered files of one kind), `model` (what a program's training registered), `card`
(a model's page) and `seed` (reference files in the repository).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from contracts.catalog import LAYERS, catalog
from contracts.programs import programs
from contracts.settings import settings
from contracts.sources import SOURCES
from contracts.sources.layout import FileLayout
from contracts.views import VIEWS

NIGHT_REPORT, MODEL_REPORT = "outreach.night_report", "outreach.model_report"
# What a scorer gives for a member; `causal.scorer.Scorer`.
MODEL_FIELDS = (
    "cate", "cate_lower", "cate_upper", "interval_kind", "baseline_risk", "is_in_support", "reason_1", "reason_2",
    "reason_3",
)  # fmt: skip
SEEDS = Path(__file__).resolve().parents[2] / "dbt" / "seeds"


class Kind(StrEnum):
    """What a dataset is; the value is OpenLineage's dataset type in lower case."""

    FILES = "files"
    TABLE = "table"
    VIEW = "view"
    MODEL = "model"
    REPORT = "report"
    SEED = "seed"


def namespace() -> str:
    """Namespace of every dataset and job of this installation (`OPENLINEAGE_NAMESPACE`)."""
    return settings().openlineage_namespace


def landing(source: str, entity: str) -> str:
    """The delivered files of one kind of a source."""
    return f"landing.{source}__{entity}"


def model(data_source: str, program: str) -> str:
    """What the trainings of a program register for one source; its version is the registry's."""
    return f"model.{data_source}__{program}"


def registered(name: str) -> str:
    """The dataset of a name in the registry, `outreach.<data_source>.<program>`."""
    return model(*name.split(".")[1:])


def card(name: str) -> str:
    """The card of a registered model."""
    return "card." + registered(name).removeprefix("model.")


def seed(name: str) -> str:
    """A reference file of the dbt project; it becomes the table `core.<name>`."""
    return f"seed.{name}"


def job(step: str) -> str:
    """The job of a step of the run ledger: `write cohorts` is `write.cohorts`."""
    return step.replace(" ", ".")


def kind(name: str) -> Kind:
    """What the dataset of that name is. A name in a layer without a contract is a view or a report."""
    schema = name.split(".")[0]
    special = {"landing": Kind.FILES, "model": Kind.MODEL, "card": Kind.REPORT, "seed": Kind.SEED}
    if schema in special:
        return special[schema]
    if name in (NIGHT_REPORT, MODEL_REPORT):
        return Kind.REPORT
    return Kind.TABLE if name in catalog() or name in seed_tables() else Kind.VIEW


def is_well_formed(name: str) -> bool:
    """Whether the name is one that this module can have made: its schema is known, and what it points to is there."""
    schema, _, rest = name.partition(".")
    if schema == "landing":
        return name in layouts()
    if schema in ("model", "card"):
        source, _, program = rest.partition("__")
        return source in SOURCES and program in programs().programs
    if schema == "seed":
        return f"core.{rest}" in seed_tables()
    return schema in LAYERS and bool(rest)


@cache
def layouts() -> Mapping[str, FileLayout]:
    """The layout of each kind of delivered file, by dataset name."""
    return MappingProxyType({landing(s.name, f.entity): f for s in SOURCES.values() for f in s.files})


@cache
def seed_tables() -> Mapping[str, tuple[str, ...]]:
    """Columns of the reference tables that dbt loads from files of the repository, by table name."""
    files = sorted(SEEDS.glob("*.csv"))
    return MappingProxyType({f"core.{file.stem}": _header(file) for file in files})


def _header(file: Path) -> tuple[str, ...]:
    with file.open(encoding="utf-8") as lines:
        return tuple(lines.readline().strip().split(","))


def columns(name: str) -> tuple[str, ...]:
    """Names of a dataset's columns, where the code declares them; empty for the reports."""
    if name in catalog():
        return catalog()[name].column_names
    if name in VIEWS:
        return tuple(column.name for column in VIEWS[name].columns)
    if name in layouts():
        return tuple(column.name for column in layouts()[name].columns)
    if name.startswith("model."):
        return MODEL_FIELDS
    return seed_tables().get(name.replace("seed.", "core."), ())


def location(name: str) -> str | None:
    """Where the dataset lies: path or URL of a table's folder, of a source's inbox, of the reports; None: nowhere."""
    schema, _, table = name.partition(".")
    match kind(name):
        case Kind.TABLE:
            return f"{settings().warehouse_url.rstrip('/')}/{schema}.db/{table}"
        case Kind.FILES:
            return str(settings().landing / table.partition("__")[0])
        case Kind.REPORT:
            return str(settings().reports_dir)
        case Kind.SEED:
            return f"dbt/seeds/{table}.csv"
        case _:
            return None
