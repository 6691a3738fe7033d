"""Rules of what a delivered row says of itself: that it can be read, and that it does not come from the future."""

from __future__ import annotations

from contracts.quality.rules import refuse, warn

_AHEAD = "datediff(cast(known_at as date), cast(ingested_at as date))"

# A plan simulated ahead of the calendar lands files of next year; 9999-12-31 as the date of a file is a slip, and would
# make every open span last until then.
DELIVERY = (
    refuse("delivery_is_not_years_ahead", f"{_AHEAD} <= 731", "A delivery is dated within two years of its landing."),
    warn("delivery_is_not_ahead", f"{_AHEAD} <= 1", "A delivery is dated on the day of its landing at the latest."),
    warn("all_columns_are_readable", "unreadable_columns is null", "Every delivered date, amount, number and flag can be read as one."),
)  # fmt: skip
