"""`raw`: delivered files land here, each once, whatever source they come from."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from contracts.catalog import layer
from contracts.settings import settings
from contracts.tables.shapes import SOURCES
from dagster_project.assets.reported import materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import described_spec
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

_tables = layer("raw")


class LandingConfig(dg.Config):
    """Which inboxes to look into; default all."""

    sources: list[str] = Field(default_factory=lambda: list(SOURCES))


@dg.multi_asset(
    name="landing",
    specs=[described_spec(table.name, kinds={"spark", "delta"}) for table in _tables],
    check_specs=check_specs(_tables),
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
    can_subset=False,
)
def landing(context: dg.AssetExecutionContext, config: LandingConfig) -> Iterator[dg.MaterializeResult[None]]:
    """Land what is in `<home>/landing/<source>/`; files already landed are known by their hash and left alone."""
    from jobs.landing import land_inboxes

    outcome = land_inboxes({name: settings().landing / name for name in config.sources}, run_id=context.run_id)
    for report in outcome.reports:
        context.log.info("%s: %s rows landed; files: %s", report.source, report.rows, report.not_landed)
    yield from materialized(outcome.audits)
