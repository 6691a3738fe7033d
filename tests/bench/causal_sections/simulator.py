"""The simulator's plans, whose truth is known: does the path of the nightly programs find what there is to find?

python tests/bench/causal_sections/simulator.py [--full]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from simulator_world import Design, People, SimulatedPlan, simulated_plan

from causal.encoding import FeatureEncoder, fit_encoder
from causal.options import TrainOptions
from causal.train import TrainedStudy, train_study
from causal_sections._studies import table
from contracts.programs import programs
from jobs.train import MAX_TRAIN_ROWS

TITLE = "The simulator: effects and lists against the truth"

CAPACITY = 0.2
PROGRAMS = ("ed_diversion", "medication_adherence")
LARGE = 100_000
# Members, the share of them that each month of the pilot randomises, and the seed.
PLANS = (
    (5_000, 0.13, 41),
    (20_000, 0.13, 41),
    *((LARGE, share, seed) for share in (0.13, 0.5) for seed in (41, 42, 43)),
)
REPEATS, SMALL_PLAN = 3, 6_000
REFERENCE_MEMBERS = 100_000


@dataclass(frozen=True)
class Listed:
    """One study scored on the night after the history.

    Attributes:
        value: true mean benefit of the members whom the capacity reaches, by who ranks: `model`; `limited` (the same, with
            the program's limit on the chance of harm); `risk` (predicted untreated outcome); `everyone` (no ranking);
            `features` (the oracle of all that is recorded, `FeatureEffects`); `own` (knows every member's own effect, which
            no table tells).
        called, harmed: members whom the model alone calls, and those of the harmed slice among them.
        called_if_limited, harmed_if_limited: the same with the limit on the chance of harm.
        covers_like: share of intervals that hold the effect of people with the same features.
        covers_own: share that hold the member's own effect, which also depends on what no table holds.
    """

    study: TrainedStudy
    value: dict[str, float]
    called: int
    harmed: int
    called_if_limited: int
    harmed_if_limited: int
    covers_like: float
    covers_own: float

    def gain(self, best: str, who: str = "model") -> float:
        """Share of the best ranking's gain over ranking by risk."""
        v = self.value
        return (v[who] - v["risk"]) / (v[best] - v["risk"])


class FeatureEffects:
    """Mean true effects of people by their features: true effects, which nobody has, regressed on the features.

    Learnt from the members of another plan: of members whom it has seen, a regression without noise learns each one's own
    effect, frailty and all.
    """

    def __init__(self, plan: SimulatedPlan) -> None:
        self.plan = plan
        self._learnt: dict[str, tuple[FeatureEncoder, lgb.Booster]] = {}

    def of(self, program: str, people: People) -> np.ndarray:
        """Natural sign, outcome units; (n,)."""
        if program not in self._learnt:
            past = self.plan.past(program)
            encoder = fit_encoder(past.X)
            data = lgb.Dataset(encoder.transform(past.X), past.truth["effect"].to_numpy())
            params = {"num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 200, "num_threads": 1, "seed": 1,
                      "deterministic": True, "force_row_wise": True, "verbose": -1}  # fmt: skip
            self._learnt[program] = encoder, lgb.train(params, data, num_boost_round=400)
        encoder, regression = self._learnt[program]
        return np.asarray(regression.predict(encoder.transform(people.X), num_threads=1))


FULL = TrainOptions(budget_fraction=CAPACITY, threads=1)
QUICK = replace(FULL, n_trees=48, refutation_rows=1_000, refutation_simulations=2)


def study_of(
    plan: SimulatedPlan, program: str, design: Design = "pilot", *, options: TrainOptions = FULL, seed: int = 1
) -> TrainedStudy:
    """The path of a nightly program, with its cap on rows."""
    trial, _ = plan.trial(program, design, rows=MAX_TRAIN_ROWS)
    return train_study(trial, options, seed)


def listed(plan: SimulatedPlan, program: str, study: TrainedStudy, effects: FeatureEffects) -> Listed:
    """Score everybody eligible that night and call whom the capacity reaches; nobody with an expected harm, or with more
    than the chance of it that the program's configuration accepts."""
    night = plan.night(program)
    scored = study.scorer.score(night.X)
    benefit = -scored["cate"].fillna(0.0).to_numpy()
    own, like = -night.truth["effect"].to_numpy(), -effects.of(program, night)
    reach = round(CAPACITY * len(own))
    scores = {"risk": scored["baseline_risk"].to_numpy(), "features": like, "own": own}
    low, high = -scored["cate_upper"].to_numpy(), -scored["cate_lower"].to_numpy()
    chance = norm.cdf(0, loc=benefit, scale=np.maximum((high - low) / 2 / norm.isf(0.025), 1e-9))
    scores["model"] = benefit
    limit = programs().programs[program].largest_chance_of_harm or 1.0
    scores["limited"] = np.where(chance <= limit, benefit, -np.inf)
    top = {who: np.argsort(-score, kind="stable")[:reach] for who, score in scores.items()}
    for who in ("model", "limited"):
        top[who] = top[who][scores[who][top[who]] > 0]
    harmed = night.truth["is_harmed_slice"].to_numpy()
    value = {who: float(own[rows].sum()) / reach for who, rows in top.items()}
    return Listed(
        study,
        value | {"everyone": float(own.mean())},
        len(top["model"]),
        int(harmed[top["model"]].sum()),
        len(top["limited"]),
        int(harmed[top["limited"]].sum()),
        float(np.mean((low <= like) & (like <= high))),
        float(np.mean((low <= own) & (own <= high))),
    )


def growth(plans: Sequence[tuple[int, float, int]]) -> str:
    """(a), (d), (e): the pilot of ever larger plans, and what several large ones say together."""
    rows = []
    large: dict[tuple[str, str], list[Listed]] = {}
    effects = FeatureEffects(simulated_plan(REFERENCE_MEMBERS, seed=141))
    for members_count, share, seed in plans:
        plan = simulated_plan(members_count, seed=seed, pilot_share=share)
        for program in PROGRAMS:
            study = study_of(plan, program)
            found = listed(plan, program, study, effects)
            v, serves = found.value, study.verdict == "publish"
            print(members_count, share, seed, program, study.verdict, v, flush=True)
            if members_count == LARGE and serves:
                large.setdefault((f"{share:.0%}", program), []).append(found)
            rows.append(
                (f"{members_count:,}", f"{share:.0%}", str(seed), program, f"{study.n:,}", study.learner, study.verdict,
                 *(f"{v[who]:.3g}" for who in ("everyone", "risk", "model")), f"{v['limited']:.3g}" if serves else "",
                 *(f"{v[who]:.3g}" for who in ("features", "own")),
                 *(f"{found.gain(best, 'limited' if serves else 'model'):.0%}" for best in ("features", "own")),
                 f"{found.harmed} of {found.called}",
                 f"{found.harmed_if_limited} of {found.called_if_limited}" if serves else "",
                 f"{found.covers_like:.1%}", f"{found.covers_own:.1%}")
            )  # fmt: skip
        plan.db.close()
    effects.plan.db.close()
    head = (
        "members", "pilot", "seed", "program", "person-trials", "learner", "verdict", "no ranking", "by risk",
        "model", "harm limited", "best of features", "own effects", "gain / best of features'", "gain / own effects'",
        "harmed slice called", "harm limited", "intervals hold: people like this", "own effect",
    )  # fmt: skip
    return table(head, rows) + _together(large)


def _together(large: dict[tuple[str, str], list[Listed]]) -> str:
    """Means over plans. People of one plan share a model, so that coverage is of plans, not of people."""
    if not large:
        return ""
    rows = [(*key, str(len(found)), *_means(found)) for key, found in sorted(large.items(), key=lambda item: item[0])]
    everything = [one for found in large.values() for one in found]
    rows.append(("all", "both", str(len(everything)), *_means(everything)))
    head = (
        "pilot", "program", "studies", "gain / best of features'", "lowest", "gain / own effects'", "harmed slice called",
        "without the limit", "intervals hold: people like this", "s.e.",
    )  # fmt: skip
    return f"\n\nPlans of {LARGE:,} whose verdict is `publish`, together:\n\n{table(head, rows)}"


def _means(found: Sequence[Listed]) -> tuple[str, ...]:
    gain = [one.gain("features", "limited") for one in found]
    covers = [one.covers_like for one in found]
    error = f"{np.std(covers, ddof=1) / np.sqrt(len(covers)):.1%}" if len(covers) > 1 else ""
    return (
        f"{np.mean(gain):.1%}", f"{min(gain):.1%}", f"{np.mean([one.gain('own', 'limited') for one in found]):.1%}",
        f"{sum(one.harmed_if_limited for one in found)} of {sum(one.called_if_limited for one in found):,}",
        f"{sum(one.harmed for one in found)} of {sum(one.called for one in found):,}", f"{np.mean(covers):.1%}", error,
    )  # fmt: skip


def verdicts(plans: int, design: Design, **changes: object) -> tuple[Counter[str], Counter[str]]:
    """Verdicts of both programs over plans, and which gates blocked."""
    found: Counter[str] = Counter()
    gates: Counter[str] = Counter()
    for seed in range(plans):
        plan = simulated_plan(SMALL_PLAN, seed=600 + seed, **changes)
        for program in PROGRAMS:
            study = study_of(plan, program, design, options=QUICK, seed=seed)
            found[study.verdict] += 1
            print(design, seed, program, study.n, study.verdict, flush=True)
            gates.update(g.name for g in study.gates if g.hard and g.status == "fail")
        plan.db.close()
    return found, gates


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"`{name}` {count}" for name, count in counts.most_common()) or "none"


def run(full: bool) -> str:
    """Markdown: growth, hidden confounding, no effect."""
    plans = REPEATS if full else 1
    grown = growth(PLANS if full else PLANS[:1])
    hidden, by = verdicts(plans, "chosen", confounding=2.0)
    nothing, _ = verdicts(plans, "pilot", effects={"ed_diversion": 0.0, "medication_adherence": 0.0})
    return (
        "Plans drawn by the simulator's own formulas, run by DuckDB (`tests/simulator_world.py`), each trained and judged "
        "like a nightly program with all gates that its data allow, and scored on everybody eligible the night after. "
        f"Capacity {CAPACITY:.0%} of them. Values are true mean benefits per place of the capacity, in fewer emergency "
        "visits in 90 days and fewer days without medicine in 180.\n\n"
        "The model calls nobody whom it expects to harm; *harm limited*, as the programs are configured, nobody whose chance "
        "of harm is above their `largest_chance_of_harm` either (`contracts/programs.yaml`). Gains are those of that list where "
        "the verdict is `publish`, and of the model's ranking where the fallback rule would serve.\n\n"
        f"**Randomised pilot, growing plan.**\n\n{grown}\n\n"
        "*Best of features* is the oracle of all that is recorded: a regression of true effects, which nobody has, on the "
        f"features of a plan of {REFERENCE_MEMBERS:,} other members. *Own effects* knows each member's own, which hangs on frailty, hunches and crises that no table "
        "holds: no list made of the tables reaches it. A member's own effect varies around that of people like them by what "
        "cannot be learnt from any outcome, so only the latter is what an interval can promise.\n\n"
        f"**Hidden confounding** ({plans} plans of {SMALL_PLAN:,}, care managers' own choice by strong hunches, both "
        f"programs): {_said(hidden)}; failed hard gates: {_said(by)}.\n\n"
        f"**No effect** ({plans} plans of {SMALL_PLAN:,}, randomised pilot, both programs): {_said(nothing)}."
    )


if __name__ == "__main__":
    print(run("--full" in sys.argv))
