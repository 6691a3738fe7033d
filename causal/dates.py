"""What counts as a date in a column, and dates as numbers."""

from __future__ import annotations

import pandas as pd

ISO_DATE = r"\d{4}-\d{2}-\d{2}([ T].*)?"
# Day, month and year in the order of a country, the year last, a time of day after it; groups 1, 3 and 4 are its numbers.
WRITTEN_DATE = r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T]\d{1,2}:\d{2}.*)?$"
# Years outside (9999-12-31 stands for "open") are no dates of a person: missing.
YEARS = range(1678, 2262)


def days(stamps: pd.Series) -> pd.Series:
    """Days since 1970 (UTC) of a column of stamps; missing outside YEARS."""
    local = stamps if stamps.dt.tz is None else stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    real = local.where(local.dt.year.isin(YEARS))
    return (real.astype("datetime64[us]") - pd.Timestamp(0)) / pd.Timedelta(days=1)
