"""What outreach does: the true effect of each program on each member, as Spark SQL over members.

The effect works through being reached. None follows risk: emergency diversion helps those whom barriers keep from
primary care, at moderate risk, and harms a slice; transitions do nothing; adherence help depends on pills, plan, age.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.simulate.clinic import has
from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import logistic, num


@dataclass(frozen=True)
class SimulatedProgram:
    """How the simulator runs one program.

    Attributes:
        months: calendar months over which an offer works; also the wash-out between offers.
        pilot_factor: multiplies the pilot's share (few members are discharged in a month).
    """

    key: str
    short: str
    team: str
    months: int
    horizon_days: int
    pilot_factor: float


ED = SimulatedProgram("ed_diversion", "ed", "nurse_line", 3, 90, 1.0)
TRANSITIONS = SimulatedProgram("transitions_of_care", "toc", "transition_coaches", 3, 90, 4.0)
ADHERENCE = SimulatedProgram("medication_adherence", "med", "pharmacists", 6, 180, 1.5)
PROGRAMS = (ED, TRANSITIONS, ADHERENCE)

# Maintenance classes whose fills the adherence program moves, with who takes them.
MAINTENANCE = ("diabetes", "ras_antagonist", "statin")

HARMED = f"({has('serious_mental_illness')} or ({has('dementia')} and age >= 75D))"


def effect_columns(config: SimulationConfig) -> dict[str, str]:
    """Static effect of each program if reached.

    `ed_ratio`, `adm_ratio`: rate multipliers; `med_shift`: added to the monthly log-odds of refilling each drug.
    """
    e = config.effects
    moderate = "exp(-0.5D * pow((ln(greatest(ed_rate, 1E-4D)) + 3.4D) / 1.1D, 2D))"
    help_ = f"{num(0.72 * e.ed_diversion)} * {logistic('2.6D * (barrier - 0.1D)')} * {moderate}"
    return {
        "is_harmed": HARMED,
        "ed_ratio": f"if({HARMED}, {num(1 + 0.45 * e.ed_diversion)}, 1D - {help_})",
        "adm_ratio": num(1 - 0.4 * e.transitions_of_care),
        "on_diabetes": f"{has('diabetes')} and member_no <> 1",
        "on_ras": f"({has('hypertension')} or {has('heart_failure')}) and pmod(member_no, 10L) < 7L and member_no <> 1",
        "on_statin": f"age >= 40D and ({has('ischemic_heart_disease')} or {has('diabetes')} or "
        f"({has('hypertension')} and pmod(member_no, 7L) < 3L)) and member_no <> 1",
        "n_drugs": "cast(on_diabetes as int) + cast(on_ras as int) + cast(on_statin as int)",
        "refill_logit": "1.75D + 0.8D * primary_care * 0.6D + 0.02D * (least(age, 75D) - 55D) - if(is_costly_plan, 0.5D, 0D) "
        f"- 0.35D * (2D * deprivation - 1D) - {num(0.5 * config.confounding)} * hidden",
        "med_shift": f"{num(1.9 * e.medication_adherence)} * "
        + logistic("1.4D * (n_drugs - 1.8D) + if(is_costly_plan, 1.3D, -0.7D) - 0.05D * (age - 62D)"),
    }
