"""Lists that are not there when the working day begins: told once, of each source and night."""

from __future__ import annotations

from datetime import date

from contracts.settings import Settings
from jobs.alerts import raise_once
from jobs.status import is_published


def raise_if_late(data_source: str, night: date, *, run_id: str, config: Settings) -> bool:
    """Raise the alert where a night's list is due and not published; whether it is late.

    Args:
        data_source: whose list.
        night: the list is of this date.
        run_id: of the run that looks.
        config: settings.
    """
    if is_published(data_source, night, config):
        return False
    raise_once(
        kind="lateness",
        subject=data_source,
        run_id=run_id,
        message=f"The list of {night} for {data_source} is due and not published. Look with `outreach status --source "
        f"{data_source}`; if no night runs, start it with `outreach nightly --date {night} --source {data_source}`.",
        data_source=data_source,
        run_date=night,
    )
    return True
