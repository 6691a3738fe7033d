"""The feature registry: what each column of `features.member_feature` means, and how a care manager hears of it.

Each feature is defined once here (meaning, unit, window, words) and computed once in `dbt/models/features` and the
intermediate models below it. `version()` changes when either does. Features as of D use facts with service date < D
that were known before D.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Literal

from contracts.errors import ConfigError
from contracts.model import Phi
from contracts.programs import programs
from contracts.tables.core import CONDITION_CATEGORIES

Dtype = Literal["int", "double", "bool", "string"]
WINDOWS = (30, 90, 365)
MAINTENANCE_CLASSES = {
    "diabetes": "diabetes medicines",
    "ras_antagonist": "blood-pressure medicines (ACE inhibitors, ARBs)",
    "statin": "statins",
}
VISITS = {
    "ed_visit": ("emergency visit", "emergency visits"),
    "acute_admission": ("hospital admission", "hospital admissions"),
    "observation_stay": ("observation stay", "observation stays"),
    "outpatient_visit": ("hospital outpatient visit", "hospital outpatient visits"),
    "office_visit": ("office visit", "office visits"),
    "urgent_care_visit": ("urgent-care visit", "urgent-care visits"),
    "telehealth_visit": ("telehealth visit", "telehealth visits"),
    "post_acute_stay": ("nursing or home-health episode", "nursing or home-health episodes"),
}
SPENDING = {
    "total": "all care",
    "inpatient": "hospital stays",
    "emergency": "emergency care",
    "outpatient": "hospital outpatient care",
    "professional": "doctors and other professionals",
    "post_acute": "nursing, home health and hospice",
    "pharmacy": "medicines",
}
_CONDITION_WORDS = {
    "copd": "COPD",
    "ckd": "chronic kidney disease",
    "esrd": "kidney failure",
    "serious_mental_illness": "a serious mental illness",
    "substance_use": "a substance use disorder",
    "stroke": "a stroke",
}
_SQL = Path(__file__).resolve().parents[1] / "dbt"


@dataclass(frozen=True)
class Feature:
    """One column of the feature table.

    Attributes:
        meaning: what it measures, for the data dictionary.
        unit: `count`, `days`, `usd`, `years`, `rate`, `share`, `score`; None for booleans and text.
        window: days before the as-of date, e.g. `1-90`; None where the feature has no window.
        reason: words for a care manager; `{value}` stands for the value. Empty: never given as a reason.
        reason_zero: words when the value is 0, false or missing. Empty: not given as a reason then.
        reason_one: words when a count is 1, where the plural would be wrong.
        is_covariate: may enter a model. Race, ethnicity and columns that only steer the cohort never do.
        nullable: NULL means that it never happened.
    """

    name: str
    meaning: str
    dtype: Dtype
    unit: str | None = None
    window: str | None = None
    reason: str = ""
    reason_zero: str = ""
    reason_one: str = ""
    is_covariate: bool = True
    nullable: bool = False
    phi: Phi = Phi.NONE

    def say(self, value: float | bool | None) -> str:
        """The reason for this value in words; empty when the feature gives none."""
        if value is None or value != value or value == 0:
            return self.reason_zero
        if value == 1 and self.reason_one:
            return self.reason_one
        return self.reason.format(value=value)


def _helpers() -> list[Feature]:
    def helper(name: str, meaning: str, dtype: Dtype = "bool", unit: str | None = None) -> Feature:
        return Feature(name, meaning, dtype, unit, is_covariate=False)

    return [
        helper("is_enrolled", "Covered on the as-of date, as known then."),
        helper("is_deceased", "Died before the as-of date, as known then."),
        helper("is_hospice", "In a hospice span, or with a hospice claim in the last 180 days."),
        helper("is_claims_complete", "No covered day of the last 365 had its claims paid elsewhere."),
        helper("lookback_days", "Covered days among the last 365.", "int", "days"),
        helper("language_code", "Preferred language, ISO 639-1, as known then.", "string"),
    ]


def _demographics() -> list[Feature]:
    return [
        Feature("age", "Age in completed years.", "int", "years", reason="Age {value:.0f}"),
        Feature("is_female", "Administrative sex is female.", "bool"),
        Feature("is_other_language", "Prefers a language other than English.", "bool", reason="Prefers a language other than English"),
        Feature("is_commercial", "The current payer is commercial.", "bool"),
        Feature("is_medicare", "The current payer is Medicare.", "bool", reason="Covered by Medicare"),
        Feature("is_medicaid", "The current payer is Medicaid.", "bool", reason="Covered by Medicaid"),
        Feature("is_dual", "Full or partial dual eligibility.", "bool", reason="Covered by Medicare and Medicaid"),
        Feature("is_disability_entitled", "First entitled to Medicare by disability.", "bool", reason="Entitled to Medicare by disability"),
        Feature("is_high_deductible", "The current plan's name says high deductible (also HDHP, CDHP).", "bool", reason="In a plan with a high deductible"),
        Feature("months_enrolled_count", "Covered months so far.", "int", "count", reason="With the plan for {value:.0f} months", reason_zero="New to the plan"),
    ]  # fmt: skip


def _utilisation() -> list[Feature]:
    found = [
        Feature(
            f"{kind}_{window}d_count",
            f"{many.capitalize()} that began in the last {window} days.",
            "int",
            "count",
            f"1-{window}",
            reason=f"{{value:.0f}} {many} in the last {window} days",
            reason_one=f"1 {one} in the last {window} days",
            reason_zero=f"No {one} in the last {window} days" if window == 365 or kind == "office_visit" else "",
        )
        for kind, (one, many) in VISITS.items()
        for window in WINDOWS
    ]
    found += [
        Feature(
            f"{kind}_91_to_180d_count",
            f"{VISITS[kind][1].capitalize()} that began 91 to 180 days before.",
            "int",
            "count",
            "91-180",
            reason=f"{{value:.0f}} {VISITS[kind][1]} between 3 and 6 months ago",
            reason_one=f"1 {VISITS[kind][0]} between 3 and 6 months ago",
        )
        for kind in ("ed_visit", "acute_admission")
    ]
    found += [
        Feature(
            f"inpatient_{window}d_days",
            f"Calendar days in hospital in the last {window} days.",
            "int",
            "days",
            f"1-{window}",
            reason=f"{{value:.0f}} days in hospital in the last {window} days",
            reason_one=f"1 day in hospital in the last {window} days",
        )
        for window in WINDOWS
    ]
    return [
        *found,
        Feature("unplanned_admission_365d_count", "Admissions that were not elective, last 365 days.", "int", "count", "1-365", "{value:.0f} unplanned admissions in the last year", reason_one="1 unplanned admission in the last year"),
        Feature("readmission_30d_365d_count", "Unplanned admissions 1 to 30 days after a discharge, last 365 days.", "int", "count", "1-365", "{value:.0f} readmissions within 30 days in the last year", reason_one="1 readmission within 30 days in the last year"),
        Feature("office_provider_365d_count", "Different practices visited in the last 365 days.", "int", "count", "1-365", "Saw {value:.0f} different practices in the last year", reason_one="Saw one practice in the last year"),
    ]  # fmt: skip


def _cost() -> list[Feature]:
    found = [
        Feature(
            f"paid_{category}_{window}d_usd",
            f"Paid for {words} in the last {window} days.",
            "double",
            "usd",
            f"1-{window}",
            reason=f"${{value:,.0f}} paid for {words} in the last {window} days",
        )
        for category, words in SPENDING.items()
        for window in WINDOWS
    ]
    return [
        *found,
        Feature("medical_claim_365d_count", "Medical claims in the last 365 days.", "int", "count", "1-365", "{value:.0f} medical claims in the last year", "No medical claim in the last year"),
    ]  # fmt: skip


def _medication() -> list[Feature]:
    fills = [
        Feature(
            f"fill_{window}d_count",
            f"Prescriptions filled in the last {window} days.",
            "int",
            "count",
            f"1-{window}",
            f"{{value:.0f}} prescriptions filled in the last {window} days",
            f"No prescription filled in the last {window} days" if window == 365 else "",
            f"1 prescription filled in the last {window} days",
        )
        for window in WINDOWS
    ]
    held = [
        Feature(
            f"pdc_{key}_180d",
            f"Share of the last 180 days (from the first fill on) covered by {words}; NULL without a fill in 365 days.",
            "double",
            "share",
            "1-180",
            reason=f"{words.capitalize()} on hand on {{value:.0%}} of the last 180 days",
            nullable=True,
        )
        for key, words in MAINTENANCE_CLASSES.items()
    ]
    return [
        *fills,
        *held,
        Feature("lowest_pdc_180d", "Lowest share of days covered over the maintenance classes in use.", "double", "share", "1-180", "Long-term medicine on hand on only {value:.0%} of the last 180 days", "", nullable=True),
        Feature("maintenance_class_count", "Maintenance classes (diabetes, RAS antagonists, statins) filled in 365 days.", "int", "count", "1-365", "Takes {value:.0f} kinds of long-term medicine", reason_one="Takes 1 kind of long-term medicine"),
        Feature("medication_gap_180d_days", "Days without supply of a maintenance class already begun, summed over classes, last 180 days.", "int", "days", "1-180", "{value:.0f} days without long-term medicine in the last 180 days", "No gap in long-term medicine in the last 180 days"),
        Feature("medication_gap_181_to_360d_days", "The same in the 180 days before.", "int", "days", "181-360", "{value:.0f} days without long-term medicine 6 to 12 months ago"),
        Feature("medication_out_of_supply_days", "Days since the supply of a maintenance class in use ended, the longest.", "int", "days", "1-365", "Long-term medicine ran out {value:.0f} days ago"),
        Feature("drug_class_365d_count", "Different therapeutic classes filled.", "int", "count", "1-365", "Takes medicines of {value:.0f} classes"),
        Feature("opioid_fill_90d_count", "Opioid fills.", "int", "count", "1-90", "{value:.0f} opioid fills in the last 90 days", reason_one="1 opioid fill in the last 90 days"),
        Feature("inhaler_fill_365d_count", "Inhaler fills.", "int", "count", "1-365", "{value:.0f} inhaler fills in the last year", reason_one="1 inhaler fill in the last year"),
    ]  # fmt: skip


def _conditions() -> list[Feature]:
    def words(category: str) -> str:
        return _CONDITION_WORDS.get(category, category.replace("_", " "))

    flags = [
        Feature(f"has_{category}", f"Recorded with {words(category)} at any time before.", "bool", reason=f"Has {words(category)}")
        for category in CONDITION_CATEGORIES
    ]  # fmt: skip
    return [
        *flags,
        Feature("chronic_condition_count", "Chronic condition groups recorded so far.", "int", "count", None, "{value:.0f} chronic conditions", "No chronic condition on record", "1 chronic condition"),
        Feature("hcc_365d_count", "CMS-HCC (V28) categories recorded in the last 365 days, no hierarchies.", "int", "count", "1-365", "{value:.0f} risk-adjusted conditions recorded in the last year", reason_one="1 risk-adjusted condition recorded in the last year"),
        Feature("hcc_weight_365d_score", "Sum of their relative factors (community, non-dual, aged), no hierarchies.", "double", "score", "1-365", "High burden of recorded conditions (weight {value:.1f})"),
    ]  # fmt: skip


def _gaps_and_recency() -> list[Feature]:
    recency = {
        "days_since_ed_visit": ("the last emergency visit", "Last emergency visit {value:.0f} days ago"),
        "days_since_acute_discharge": ("the last discharge from hospital", "Discharged from hospital {value:.0f} days ago"),
        "days_since_office_visit": ("the last office visit", "Last office visit {value:.0f} days ago"),
        "days_since_last_fill": ("the last filled prescription", "Last prescription filled {value:.0f} days ago"),
        "days_since_outreach_offer": ("the last outreach offer", "Last offered outreach {value:.0f} days ago"),
    }  # fmt: skip
    gaps = {
        "has_no_office_visit_365d": ("No office visit", "No office visit in the last year"),
        "has_no_a1c_test_365d": (
            "Diabetes without a haemoglobin A1c test",
            "Diabetes, and no A1c test in the last year",
        ),
        "has_no_eye_exam_365d": ("Diabetes without an eye examination", "Diabetes, and no eye exam in the last year"),
    }
    return [
        *(Feature(name, f"Days since {meaning} within the year before; NULL when there was none.", "int", "days", "1-365" if name != "days_since_outreach_offer" else None, reason, nullable=True) for name, (meaning, reason) in recency.items()),
        *(Feature(name, f"{meaning} in the last 365 days.", "bool", window="1-365", reason=reason) for name, (meaning, reason) in gaps.items()),
        Feature("has_no_visit_after_discharge_30d", "Discharged in the last 30 days and no office or telehealth visit since.", "bool", window="1-30", reason="Left hospital within 30 days and has seen no doctor since"),
        *(
            Feature(f"trend_{kind}_rate", f"{VISITS[kind][1].capitalize()} per 30 days in the last 90 days less those in the 275 days before.", "double", "rate", "1-365", f"{VISITS[kind][1].capitalize()} changed by {{value:+.1f}} a month against the months before")
            for kind in ("ed_visit", "acute_admission", "office_visit")
        ),
        Feature("trend_paid_usd", "Paid per 30 days in the last 90 days less that in the 275 days before.", "double", "usd", "1-365", "Spending changed by {value:+,.0f} dollars a month against the months before"),
    ]  # fmt: skip


def _outreach_and_area() -> list[Feature]:
    offered = [
        Feature(f"outreach_{key}_365d_count", f"Offers of {program.title} in the last 365 days.", "int", "count", "1-365", f"Offered {program.title.lower()} {{value:.0f}} times in the last year", reason_one=f"Offered {program.title.lower()} once in the last year")
        for key, program in programs().programs.items()
    ]  # fmt: skip
    return [
        *offered,
        Feature("outreach_offer_365d_count", "Offers of any program in the last 365 days.", "int", "count", "1-365", "Offered outreach {value:.0f} times in the last year", "Not offered outreach in the last year", "Offered outreach once in the last year"),
        Feature("outreach_reached_365d_count", "Of these, offers that reached the member, as known then.", "int", "count", "1-365", "Reached {value:.0f} times in the last year", reason_one="Reached once in the last year"),
        Feature("outreach_reached_365d_rate", "Share of offers that reached the member; NULL without an offer.", "double", "share", "1-365", "Reached in {value:.0%} of earlier attempts", nullable=True),
        Feature("area_primary_care_365d_rate", "Office and telehealth visits per 1,000 members of the ZIP3 area.", "double", "rate", "1-365", "Lives where members made {value:,.0f} primary-care visits per 1,000 in a year"),
        Feature("area_urgent_care_365d_rate", "Urgent-care visits per 1,000 members of the ZIP3 area.", "double", "rate", "1-365", "Lives where members made {value:,.0f} urgent-care visits per 1,000 in a year"),
        Feature("area_provider_365d_rate", "Different practices seen per member, summed per 1,000 members of the ZIP3 area (stands for distance).", "double", "rate", "1-365", "Lives where 1,000 members saw {value:,.0f} practices"),
        Feature("area_ed_365d_share", "Emergency visits among emergency, urgent-care and primary-care visits of the ZIP3 area.", "double", "share", "1-365", "Lives where {value:.0%} of visits are emergency visits"),
    ]  # fmt: skip


@cache
def registry() -> dict[str, Feature]:
    """All features by name, in a stable order; helper columns first.

    Raises:
        ConfigError: the programs file asks for a feature that is none of them, or its SQL cannot be read.
    """
    families = (
        _helpers(), _demographics(), _utilisation(), _cost(), _medication(), _conditions(), _gaps_and_recency(),
        _outreach_and_area(),
    )  # fmt: skip
    found = {feature.name: feature for feature in chain(*families)}
    for key, program in programs().programs.items():
        for field in ("eligibility", "fallback"):
            _check_names(f"programs.{key}.{field}", _read_by(getattr(program, field), f"programs.{key}.{field}"), found)
        for measure in program.placebos:
            _check_names(f"programs.{key}.placebos: {measure.name}", {measure.feature, *measure.less}, found)
    for measure in programs().negative_controls:
        _check_names(f"negative_controls: {measure.name}", {measure.feature, *measure.less}, found)
    return found


def _read_by(sql: str, field: str) -> set[str]:
    """The columns that an SQL expression of the programs file names, in small letters: SQL knows no others."""
    import sqlglot
    from sqlglot import exp

    try:
        parsed = sqlglot.parse_one(sql, read="spark")
    except sqlglot.errors.SqlglotError:
        parsed = None
    # One value of one row: no query, no aggregate, no statement.
    if not isinstance(parsed, exp.Condition) or parsed.find(exp.Query, exp.AggFunc, exp.Window):
        raise ConfigError(
            f"programs.yaml: field {field}: `{sql}` is not an SQL expression over a member's features.",
            todo="mend the field",
        )
    return {column.name.lower() for column in parsed.find_all(exp.Column)}


def _check_names(field: str, names: set[str], known: Collection[str]) -> None:
    if unknown := sorted(names - set(known)):
        near = difflib.get_close_matches(unknown[0], known, n=3)
        raise ConfigError(
            f"programs.yaml: field {field}: there is no feature {', '.join(unknown)}.",
            expected=f"{' or '.join(near)}" if near else "names of docs/features.md",
            todo="mend the field",
        )


def covariates() -> tuple[str, ...]:
    """Names of the features that a model may use."""
    return tuple(name for name, feature in registry().items() if feature.is_covariate)


@cache
def version() -> str:
    """Twelve hex digits over the definitions: this registry and the SQL that computes it."""
    digest = sha256(repr(sorted(registry().items())).encode())
    for path in sorted(_sql_files()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _sql_files() -> list[Path]:
    return [
        *_SQL.glob("models/intermediate/int_as_of__*.sql"),
        *_SQL.glob("models/intermediate/int_feature__*.sql"),
        *_SQL.glob("models/features/*.sql"),
        *_SQL.glob("macros/feature_*.sql"),
        *_SQL.glob("macros/core_encounters.sql"),
    ]
