"""Every verdict on the reference problems, to the last bit: run before and after a change that must change none.

``python tests/snapshot.py before.json``, then, on the changed tree, ``python tests/snapshot.py after.json before.json``
which prints what differs and exits 1 if anything does.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    FiniteSum,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)

NUMBERS = ("value", "lower", "upper", "bound", "ratio")


def problems() -> dict:
    """A problem and a point for each family, in one and in several dimensions, quiet and noisy."""
    additive, phase = AdditiveGaussian(sigma_g=0.5), RandomPhase(amplitude=0.5, kappa=1.0)
    first, second = (Trigonometric.random(dim=4, tasks=4, rng=seed) for seed in (5, 6))
    moved = Trigonometric(first.A, second.b, first.amplitude, first.frequency, first.phase)
    return {
        "quadratic": (Quadratic.random(dim=4, tasks=4, rng=1).with_noise(additive), 1.0),
        "quadratic phase": (Quadratic.random(dim=3, tasks=2, rng=1).with_noise(phase), 1.0),
        "concave": (Quadratic.concave(dim=4).with_noise(additive), 1.0),
        "trigonometric": (Trigonometric.random(dim=4, tasks=4, rng=2).with_noise(phase), 1.0),
        "trigonometric 1": (Trigonometric.random(dim=1, tasks=2, rng=2).with_noise(additive), 1.0),
        "quiet": (Trigonometric.random(dim=4, tasks=4, rng=2), 1.0),
        "kink": (Kink.random(dim=4, tasks=4, rng=3).with_noise(additive), 1.0),
        "kink 1": (Kink.random(dim=1, tasks=2, rng=3).with_noise(additive), 1.0),
        "rank-one": (RankOne.random(dim=4, tasks=4, rng=4, radius=3.0).with_noise(phase), 0.25),
        "bandit": (SoftmaxBandit.random(dim=4, tasks=4, rng=5), 0.0),
        "pairs": (FiniteSum.pair(first, moved), 1.0),
        "logistic": (Logistic.random(dim=4, tasks=4, rng=6), 1.0),
    }


ESTIMATORS = {
    "exact": ExactHessian(),
    "first": FirstOrder(),
    "central": CentralDifference(1e-3),
    "ggs": GaussianSmoothing(nu=0.1, directions=8),
    "ggs population": GaussianSmoothing(nu=0.1, directions=8, data="population"),
    "zo": ZerothOrder(nu=0.1, directions=8, data="population"),
    "zo stein": ZerothOrder(nu=0.1, directions=8, stein=True, data="population"),
}


def verdicts(budget: int = 4096) -> dict[str, dict]:
    """Outcome and numbers (hexadecimal) of every claim in every form, problem by problem, estimator by estimator."""
    found = {}
    for problem, (tasks, point) in problems().items():
        inner = InnerLoop(0.05 / tasks.regularity.L, 3, S=4, D=4, T=4)
        for estimator, hessian in ESTIMATORS.items():
            setting = Setting(tasks, np.full(tasks.dim, point), inner, hessian)
            for name in claims.names():
                for form in claims.forms(name):
                    key = f"{problem} | {estimator} | {name} | {form}"
                    try:
                        verdict = check(name, setting, form=form, seed=7, budget=budget)
                    except (ValueError, OverflowError) as error:
                        found[key] = {"error": str(error)}
                        continue
                    row = {number: float(getattr(verdict, number)).hex() for number in NUMBERS}
                    found[key] = row | {"outcome": str(verdict.outcome), "method": verdict.method}
    return found


def _renamed(row: dict) -> dict:
    """A row as it is written today: a search that did not exceed the bound was once said to hold."""
    searched = row.get("method") == "search" and row["outcome"] == "holds"
    return row | {"outcome": "not refuted"} if searched else row


def main(path: str, before: str = "") -> int:
    found = verdicts()
    Path(path).write_text(json.dumps(found, indent=1))
    outcomes = [row.get("outcome", "error") for row in found.values()]
    print({outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))})
    if not before:
        return 0
    known = {key: _renamed(row) for key, row in json.loads(Path(before).read_text()).items()}
    different = [key for key in found.keys() | known.keys() if found.get(key) != known.get(key)]
    for key in sorted(different):
        print(key, known.get(key), found.get(key), sep="\n  ")
    print(f"{len(different)} of {len(known)} differ")
    return bool(different)


if __name__ == "__main__":
    warnings.simplefilter("error", RuntimeWarning)
    sys.exit(main(*sys.argv[1:]))
