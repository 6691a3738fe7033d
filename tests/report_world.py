"""A night of three programs, one ranked by effect, one on its rule, one blocked, as grouped rows of the report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from contracts.programs import programs
from jobs.report.queries import NightRows

NIGHT, LAST, TRAINED = date(2026, 11, 23), date(2026, 11, 22), date(2026, 11, 20)
MADE = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
REACH = 0.28  # of everybody, called in the test of a ranking
KEYS = tuple(programs().programs)
ED, TOC, MED = KEYS


def summary(program: str, verdict: str, outreach: int, explore: int, sentence: str = "Because.") -> dict:
    return {
        "program": program, "verdict": verdict, "verdict_sentence": sentence,
        "model_version": f"outreach.tuva.{program}/3" if verdict != "blocked" else "none",
        "outreach_count": outreach, "explore_count": explore, "expected_benefit": 9.0,
        "expected_net_value_usd": 5000.0, "full_effect_count": outreach - 0.6 * (outreach // 3),
        "outreach_cost_usd": 35.0 * outreach - 31.0 * (outreach // 3), "marginal_value_usd": 41.3, "run_id": "5e1f-run",
    }  # fmt: skip


def decided(program: str, outreach: int, explore: int, deceased: int = 4) -> list[dict]:
    rows = [
        ("outreach", None, outreach), ("explore", None, explore), ("holdout", None, 212), ("below_capacity", None, 1800),
        ("outside_support", None, 77), ("suppressed", "Asked not to be contacted", 13),
        ("suppressed", "Was offered a program recently", 140), ("not_eligible", "Died", deceased),
        ("not_eligible", "Not enrolled on this date", 390), ("not_eligible", "In hospice care", 25),
        ("not_eligible", "Does not meet the program's criteria", 4200),
    ]  # fmt: skip
    return [{"program": program, "decision": d, "reason": r, "n": n} for d, r, n in rows if n]


def estimate(program: str, ranking: str, metric: str, value: float, half: float) -> dict:
    return {
        "program": program, "trained_as_of": TRAINED, "ranking": ranking, "metric": metric, "value": value,
        "se": half / 1.96, "ci_lower": value - half, "ci_upper": value + half,
    }  # fmt: skip


def trained(program: str, verdict: str) -> dict[str, list[dict]]:
    label = {"program": program, "trained_as_of": TRAINED}
    tops = {"model": 0.42, "baseline_risk": 0.11, "random": 0.14, "constant": 0.15}
    evaluation = [estimate(program, name, "top_fraction_effect", v, 0.09) for name, v in tops.items()]
    evaluation += [
        estimate(program, f"model_minus_{n}", "top_fraction_effect", 0.42 - tops[n], 0.12) for n in list(tops)[1:]
    ]
    evaluation += [estimate(program, "model", f"gates_{k}", 0.09 * k - 0.1, 0.13) for k in range(1, 6)]
    evaluation += [
        estimate(program, name, f"curve_{q}", scale * q / 100 * (2 - q / 100) + 0.15 * q / 100, 0.02)
        for name, scale in {"model": 0.1, "baseline_risk": -0.05, "random": 0.01}.items()
        for q in range(10, 101, 10)
    ]
    for k in range(1, 11):
        evaluation += [estimate(program, "model", f"decile_{k}", 0.05 * k - 0.1, 0.2)]
        evaluation += [
            {**estimate(program, "model", f"decile_{k}_predicted", 0.04 * k, 0), "ci_lower": None, "ci_upper": None}
        ]
    gates = [
        ("design", "pass", False, "812 people were offered and 4 were not; a logged draw decided who was."),
        ("balance", "inconclusive", False, "They differ most in `ed_visit_90d_count`: 0.11 standard deviations."),
        ("placebo_outcome", "fail" if verdict == "blocked" else "pass", True, "Before any offer the groups did not differ."),
    ]  # fmt: skip
    steps = [("Enrolled and alive at an index date", 120_431, 2_204), ("Meets the program's criteria", 40_017, 1_713)]
    steps += [("Not offered the program in the wash-out", 39_106, 9)]
    return {
        "models": [{
            **label, "model_version": f"outreach.tuva.{program}/3", "learner": "causal_forest", "verdict": verdict,
            "verdict_sentence": "Because of the gates.", "trial_count": 39_106, "offered_count": 1_604,
            "ate": -0.15, "ate_se": 0.03,
        }],
        "gates": [
            {**label, "gate": g, "gate_number": n, "status": s, "is_hard": h, "sentence": t}
            for n, (g, s, h, t) in enumerate(gates)
        ],
        "evaluation": evaluation,
        "flow": [
            {**label, "step_number": n, "step": s, "remaining_count": r, "offered_count": o}
            for n, (s, r, o) in enumerate(steps, start=1)
        ],
        "balance": [
            {**label, "covariate": c, "smd_before": b, "smd_after": a, "smd_after_se": 0.02}
            for c, b, a in (("ed_visit_90d_count", 0.41, 0.03), ("age missing", 0.12, 0.05))
        ],
        "overlap": [
            {**label, "bin": b, "is_offered": t, "n": n, "n_random": n // 2}
            for b, t, n in ((3, True, 640), (3, False, 2104), (9, True, 964), (9, False, 4), (15, False, 1203))
        ],
        "equity": [
            {
                **label, "dimension": d, "group_name": g, "ranking": r, "is_too_small": x is None, "selection_rate": x,
                "selection_ratio": None if x is None else x / REACH,
            }
            for d, g, r, x in (
                ("sex", "female", "model", 0.31), ("sex", "female", "baseline_risk", 0.28),
                ("sex", "male or not recorded", "model", 0.24), ("sex", "male or not recorded", "baseline_risk", 0.33),
                ("race", "asian", "model", None), ("race", "white", "model", 0.3),
            )
        ],
    }  # fmt: skip


def past(program: str, month: int, effect: float, half: float, predicted: float, offered: int = 412) -> dict:
    return {
        "program": program, "window_start": date(2026, month, 1), "offered_count": offered, "holdout_count": 58,
        "realized_effect": effect, "ci_lower": effect - half, "ci_upper": effect + half, "predicted_effect": predicted,
        "is_alarm": False,
    }  # fmt: skip


def people(program: str, parts: dict[str, dict[str, int]]) -> list[dict]:
    return [
        {"program": program, "dimension": d, "value": v, "n": n}
        for d, values in parts.items()
        for v, n in values.items()
    ]


def night_rows() -> NightRows:
    """One program ranked by effect, one on its rule, one blocked."""
    parts = {
        ED: trained(ED, "publish"), TOC: trained(TOC, "fallback"), MED: trained(MED, "blocked"),
    }  # fmt: skip
    return NightRows(
        summary=[
            summary(ED, "publish", 57, 3, "The gates passed."),
            summary(TOC, "fallback", 19, 1, "Only 7 people in the offered group; at least 50 are needed."),
            summary(MED, "blocked", 0, 0, "Before any offer, `medication_gap_181_to_360d_days` already differed."),
        ],
        decisions=[*decided(ED, 57, 3), *decided(TOC, 19, 1), *decided(MED, 0, 0)],
        limits=[
            {"resource_kind": "budget", "resource": "all", "unit": "usd", "limit_quantity": 5000.0, "marginal_value_usd": 1.37},
            {"resource_kind": "team", "resource": "nurse_line", "unit": "hours", "limit_quantity": 18.0, "marginal_value_usd": 412.7},
            {"resource_kind": "team", "resource": "message_desk", "unit": "hours", "limit_quantity": 2.5, "marginal_value_usd": 0.0},
            {"resource_kind": "team", "resource": "pharmacists", "unit": "hours", "limit_quantity": 9.0, "marginal_value_usd": None},
        ],
        who=people(ED, {
            "Age": {"18 to 34": 3, "35 to 49": 14, "50 to 64": 24, "65 to 74": 19}, "Sex": {"Women": 35, "Men, or not recorded": 25},
            "Payer": {"Medicaid": 31, "Medicare": 25, "Commercial": 4}, "How": {"Phone": 38, "Text": 22},
        }) + people(TOC, {"Age": {"65 to 74": 20}, "Sex": {"Women": 16, "Men, or not recorded": 4}, "Payer": {"Medicare": 20}}),
        reasons=[
            {"program": ED, "words": "Emergency visits in the last 90 days", "n": 44},
            {"program": ED, "words": "No office visit in the last 90 days", "n": 55},
            {"program": ED, "words": "Has COPD", "n": 6},
            {"program": TOC, "words": programs().programs[TOC].fallback_reason, "n": 20},
        ],
        previous_night=LAST,
        changes=[{"program": ED, "tonight": 60, "last": 60, "stayed": 0}, {"program": TOC, "tonight": 20, "last": 20, "stayed": 15}],
        models=[row for p in parts.values() for row in p["models"]],
        gates=[row for p in parts.values() for row in p["gates"]],
        evaluation=[row for p in parts.values() for row in p["evaluation"]],
        flow=[row for p in parts.values() for row in p["flow"]],
        balance=[row for p in parts.values() for row in p["balance"]],
        overlap=[row for p in parts.values() for row in p["overlap"]],
        equity=[row for p in parts.values() for row in p["equity"]],
        by_risk=[{"program": ED, "fifth": f, "n": n} for f, n in ((5, 24), (4, 16), (3, 14), (2, 3))],
        realized=[past(ED, 7, -0.31, 0.2, -0.4), past(ED, 8, -0.1, 0.22, -0.38), past(ED, 9, -0.4, 0.2, -0.4, offered=7)],
        audited=True,
        rules=[
            {"table_name": "staging.stg_tuva__medical_claim", "rule": "paid_usd__not_null", "verdict": "quarantined", "rows_broken": 214},
            {"table_name": "staging.stg_tuva__member", "rule": "birth_date__not_null", "verdict": "quarantined", "rows_broken": 2},
        ],
        parked=[{"entity": "pharmacy_claim", "n": 1}],
        versions={"feature_version": "0a1b2c3d4e5f", "contract_version": "1.0.0", "run_id": "5e1f-run", "code_version": "0.1.0+abc"},
    )  # fmt: skip
