"""Chronic conditions and acute reasons for care: prevalence, codes, and what they do to the use of care.

Prevalence is logistic in age (per 10 years from 50) and in latent frailty; intercepts were set so that shares by age
resemble the CMS chronic-condition and NHIS tables. Codes are ICD-10-CM; most map to a CMS-HCC V28 category.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.simulate.draws import num


@dataclass(frozen=True)
class Condition:
    """One chronic condition; `*_log` are additive effects on log rates."""

    name: str
    codes: tuple[str, ...]
    intercept: float
    age_slope: float
    frailty_slope: float
    ed_log: float
    admission_log: float
    visit_log: float
    in_children: bool = False


CONDITIONS: tuple[Condition, ...] = (
    Condition("hypertension", ("I10", "I10", "I110"), -0.5, 0.65, 0.35, 0.05, 0.05, 0.15),
    Condition("diabetes", ("E119", "E1165", "E1122", "E1142"), -1.9, 0.40, 0.35, 0.15, 0.20, 0.20),
    Condition("heart_failure", ("I5032", "I5022", "I509"), -4.2, 0.75, 0.60, 0.40, 0.75, 0.15),
    Condition("copd", ("J449", "J441"), -3.1, 0.50, 0.50, 0.40, 0.50, 0.15),
    Condition("asthma", ("J45909", "J4550"), -2.4, -0.05, 0.20, 0.30, 0.10, 0.10, True),
    Condition("ckd", ("N1831", "N1832", "N184"), -2.9, 0.65, 0.40, 0.15, 0.35, 0.15),
    Condition("esrd", ("N186",), -6.0, 0.20, 0.70, 0.50, 0.90, 0.60),
    Condition("ischemic_heart_disease", ("I2510", "I25118"), -2.9, 0.80, 0.40, 0.30, 0.35, 0.15),
    Condition("stroke", ("I69354", "I6930"), -4.0, 0.65, 0.40, 0.25, 0.35, 0.10),
    Condition("depression", ("F329", "F331"), -2.0, -0.03, 0.40, 0.30, 0.10, 0.15, True),
    Condition("dementia", ("F0390", "G309"), -6.2, 1.45, 0.30, 0.60, 0.35, 0.05),
    Condition("cancer", ("C50911", "C61", "C189"), -3.4, 0.55, 0.20, 0.15, 0.45, 0.35),
    Condition("osteoporosis", ("M810",), -3.6, 0.75, 0.10, 0.05, 0.05, 0.05),
    Condition("arthritis", ("M1711", "M1990"), -1.6, 0.50, 0.20, 0.10, 0.05, 0.15),
    Condition("substance_use", ("F1020", "F1120"), -3.0, -0.15, 0.50, 0.80, 0.40, 0.00),
    Condition("serious_mental_illness", ("F319", "F209"), -3.2, -0.10, 0.40, 0.85, 0.35, 0.15),
    Condition("obesity", ("E669", "E6601"), -1.2, -0.05, 0.20, 0.05, 0.05, 0.05, True),
    Condition("liver_disease", ("K7460", "K766"), -3.9, 0.10, 0.40, 0.25, 0.45, 0.10),
)
BIT = {condition.name: bit for bit, condition in enumerate(CONDITIONS)}

# Principal diagnoses of visits that no chronic condition explains.
ED_REASONS = ("R079", "R109", "J069", "N390", "M545", "S61411A", "R51", "R42", "J189", "S93401A", "K5900", "R197")
OFFICE_REASONS = ("Z0000", "J069", "M545", "R5383", "Z23", "L309", "J029", "H6690")
# (ICD-10-CM, MS-DRG, relative weight, elective): reasons for admission, drawn uniformly where no condition explains it.
ADMISSION_REASONS: tuple[tuple[str, str, float, bool], ...] = (
    ("A419", "871", 1.9, False),
    ("J189", "194", 0.9, False),
    ("N390", "690", 0.8, False),
    ("K922", "378", 1.0, False),
    ("L03115", "603", 0.85, False),
    ("I214", "280", 1.6, False),
    ("I639", "065", 1.0, False),
    ("S72001A", "481", 2.1, False),
    ("E871", "641", 0.75, False),
    ("M1711", "470", 1.9, True),
    ("K8020", "418", 1.7, True),
    ("N179", "683", 0.9, False),
)


def has(name: str, mask: str = "cond") -> str:
    """SQL boolean: the member has the condition."""
    return f"(({mask} & {1 << BIT[name]}) <> 0)"


def log_sum(attribute: str, mask: str = "cond") -> str:
    """Sum of a log effect over the member's conditions."""
    return "(" + " + ".join(f"if({has(c.name, mask)}, {num(getattr(c, attribute))}, 0D)" for c in CONDITIONS) + ")"
