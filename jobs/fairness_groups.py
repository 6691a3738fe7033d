"""Attributes by which fairness is looked at in the nightly programs: read beside the features, never as features."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Columns of `core.member` that are joined to a sample for this purpose alone.
MEMBER_COLUMNS = ("race", "ethnicity")
AGE_EDGES = (-1, 17, 34, 49, 64, 74, 84, 200)
AGE_BANDS = ("under 18", "18 to 34", "35 to 49", "50 to 64", "65 to 74", "75 to 84", "85 and over")
# No source tells an index of deprivation; claims show how much primary care an area's members get, which is the part of
# deprivation that outreach can do something about. Fifths of the rows, the worst served first.
_AREA = "area_primary_care_365d_rate"
_FIFTHS = ("1 (least primary care)", "2", "3", "4", "5 (most primary care)")


def fairness_groups(sample: pd.DataFrame) -> pd.DataFrame:
    """Sex, age band, race, ethnicity and area deprivation of every row, as far as the sample has them; text or missing."""
    import pandas as pd

    out = pd.DataFrame(index=sample.index)
    if "is_female" in sample:
        out["sex"] = sample["is_female"].map({True: "female", False: "male or not recorded"})
    if "age" in sample:
        out["age_band"] = pd.cut(sample["age"].astype(float), AGE_EDGES, labels=AGE_BANDS).astype(object)
    for name in MEMBER_COLUMNS:
        if name in sample:
            out[name] = sample[name]
    if _AREA in sample:
        place = sample[_AREA].rank(pct=True)
        out["area_deprivation"] = pd.cut(place, [0, 0.2, 0.4, 0.6, 0.8, 1], labels=_FIFTHS).astype(object)
    return out
