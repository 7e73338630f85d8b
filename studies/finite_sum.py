"""Support and target losses in place of samples: what changes? (Propositions 1, 4 and 7, finite-sum case)

Sweeps N and alpha L, the distance b between the gradients of support and target, and Q Gaussian directions, on pairs
that attain a bound, trigonometric pairs and logistic regression. What was found is told in ``finite_sum.md``.
"""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from maml_bench import Setting
from maml_bench.claims.smoothness import SHORTEST
from maml_bench.hessians import ExactHessian, GaussianSmoothing
from maml_bench.problems import FiniteSum, Logistic, Piecewise, Quadratic, Trigonometric, digits
from maml_bench.study import Figure, Study, attained, between, equal, exponent, pick, sweep
from maml_bench.study.points import SHRINKING, inner_loop

CONCAVE, SAWTOOTH, WAVES = "concave pair", "sawtooth pair", "trigonometric pairs"
LOGISTIC, DIGITS = "logistic", "digits"
SMOOTHNESS, SECOND_MOMENT, VARIANCE = "finite-prop1", "finite-prop4", "finite-prop7-vector"


def concave_pair(b):
    """``-w.w/2``, and its tilt by b where the gradient -(1 - b/||w||) w has norm 1: the second moment is attained."""
    A, along = -np.eye(5), np.full(5, 5**-0.5)
    return FiniteSum.pair(Quadratic(A, np.zeros((1, 5))), Quadratic(A, -b * along[None])), (1 + b) * along


def sawtooth_pair(b):
    """Support and target of one curvature, with gradients 1 + b and 1 at the origin: the smoothness is attained."""
    support = Piecewise.sawtooth(1 / 40, 5, slope=1 + b, width=1.5 * SHORTEST * (1 + 1 / 40) ** 5)
    return FiniteSum(support, replace(support, slope=[1.0]), b), np.zeros(1)


def trigonometric_pairs(b):
    """Four targets, and the same losses tilted by b as support: the target's gradients do not depend on b."""
    target = Trigonometric.random(dim=4, tasks=4, rng=2)
    return FiniteSum.pair(replace(target, b=target.b + b / 2), target), np.ones(4)


def setting(problem, αL=None, N=1, Q=None, b=None, sweep=""):
    """A pair at its point, or a family of pairs for a distance b; with Q directions, or exact Hessians."""
    tasks, w = problem if b is None else problem(b)
    hessian = ExactHessian() if Q is None else GaussianSmoothing(1e-2, Q, data="population")
    return Setting(tasks, w, inner_loop(tasks, αL, N), hessian)


def facts(t):
    """Attained bounds, exponents in b and Q, and how far real data are from the worst case."""
    square = pick(t, claim=SECOND_MOMENT, form="local", problem=CONCAVE, sweep=("N", "b"))
    stretch = (1 + square["alphaL"]) ** square["N"]
    by_hand = (stretch * ((1 + square["b"]) * stretch - square["b"])) ** 2
    variance = pick(t, claim=VARIANCE, problem=CONCAVE)
    saw = pick(t, claim=SMOOTHNESS, form="sharp", problem=SAWTOOTH)
    found = [
        attained("the concave pair attains the local second moment for every N, αL and b", square),
        between("its value over the one worked out by hand", square["value"] / by_hand, 1 - 1e-6, 1 + 1e-6, "1"),
        between("the sawtooth pair over the sharp smoothness, every b", saw["ratio"], 0.999, 1),
        attained("variance of Gaussian smoothing, concave pair: refined", pick(variance, form="refined")),
        equal("the same over the sharp bound: (d+1)/(d+2)", pick(variance, form="sharp")["ratio"].mean(), 6 / 7),
        exponent("the same: exponent in Q", pick(variance, form="refined"), "Q", -1, within=0.01),
    ]
    for claim, names, expected in ((SMOOTHNESS, (SAWTOOTH, WAVES), 1), (SECOND_MOMENT, (CONCAVE, SAWTOOTH), 2)):
        for name in names:
            far = pick(t, claim=claim, form="sharp", problem=name, sweep="b", b=lambda b: b >= 1e4)
            found.append(exponent(f"{claim}, {name}: exponent in b ≥ 10⁴", far, "b", expected))
    for name in [name for name in (LOGISTIC, DIGITS) if name in set(t["problem"])]:
        real = pick(t, claim=SECOND_MOMENT, form="sharp", problem=name, αL=SHRINKING)
        found.append(between(f"sharp second moment over the exact one, {name}, αL = {SHRINKING}", 1 / real["ratio"], 2))
    return found


BOTH = (SMOOTHNESS, SECOND_MOMENT)
TILTED = {CONCAVE: concave_pair, SAWTOOTH: sawtooth_pair, WAVES: trigonometric_pairs}
FIXED = {CONCAVE: concave_pair(1.0), WAVES: trigonometric_pairs(1.0), LOGISTIC: (Logistic.random(5, 8, 5), np.ones(5))}
if find_spec("sklearn"):  # the report says which problems there are
    FIXED[DIGITS] = digits(5, 8, 6), np.ones(5)
STEPS = {"problem": FIXED, "αL": {SHRINKING: None, "0.1": 0.1}, "N": (1, 2, 3, 5, 10, 20), "sweep": "N"}
FAR = {"problem": TILTED, "N": 5, "b": tuple(np.geomspace(0.01, 1e6, 9).tolist()), "sweep": "b"}
MORE = {"problem": FIXED, "Q": (1, 4, 16, 64), "sweep": "Q"}
STUDY = Study(
    "finite-sum",
    "Support and target losses in place of samples: what changes?",
    [
        sweep(setting, BOTH, STEPS, {"N": (1, 3, 10)}),
        sweep(setting, BOTH, FAR, {"b": (0.01, 1.0, 1e4, 1e6)}),
        sweep(setting, (VARIANCE, SECOND_MOMENT), MORE, {"Q": (1, 64), "budget": 2_000}),
    ],
    figures={
        "smoothness": Figure(SMOOTHNESS, x="N", across="problem", where={"sweep": "N", "αL": SHRINKING}),
        "second-moment": Figure(SECOND_MOMENT, x="N", across="problem", where={"sweep": "N", "αL": SHRINKING}),
        "smoothness-b": Figure(SMOOTHNESS, x="b", across="problem", where={"sweep": "b"}),
        "second-moment-b": Figure(SECOND_MOMENT, x="b", across="problem", where={"sweep": "b"}),
        "directions": Figure(VARIANCE, x="Q", across="problem"),
        "second-moment-Q": Figure(SECOND_MOMENT, x="Q", across="problem", where={"sweep": "Q"}),
    },
    facts=facts,
)
