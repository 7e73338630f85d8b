"""Support and target losses in place of samples: what changes? (Propositions 1, 4 and 7, finite-sum case)

Sweeps N and alpha L, the distance b between the gradients of support and target, and the number Q of Gaussian
directions. Problems: a pair of concave quadratics, which attains the second moment; a pair of sawtooth losses, which
attains the smoothness; trigonometric pairs; logistic regression on random data and, with scikit-learn, on handwritten
digits. What was found is told in ``finite_sum.md``.
"""

from dataclasses import replace

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.claims.smoothness import SHORTEST
from maml_bench.hessians import GaussianSmoothing
from maml_bench.problems import FiniteSum, Logistic, Piecewise, Quadratic, Trigonometric, digits
from maml_bench.study import Figure, Study, attained, between, equal, exponent, pick, sweep

QUADRATIC, SAWTOOTH, WAVES = "concave pair", "sawtooth pair", "trigonometric pairs"
LOGISTIC, DIGITS = "logistic", "digits"
SMOOTHNESS, SECOND_MOMENT, VARIANCE = "finite-prop1", "finite-prop4", "finite-prop7-vector"
SHRINKING = "1/(8N)"
ALPHA_L = {SHRINKING: None, "0.1": 0.1}


def concave_pair(b):
    """Support ``-w.w/2``, target ``-w.w/2 - s.w``, s along -w, ``||s|| = b``, where the target's gradient has norm 1.

    The gradients are -w and -(1 - b/||w||) w: the second moment is attained.
    """
    A, along = -np.eye(5), np.full(5, 5**-0.5)
    pair = FiniteSum.pair(Quadratic(A, np.zeros((1, 5))), Quadratic(A, -b * along[None]))
    return pair, (1 + b) * along


def sawtooth_pair(b):
    """Support and target of one curvature, with gradients 1 + b and 1 at the origin: the smoothness is attained."""
    support = Piecewise.sawtooth(1 / 40, 5, slope=1 + b, width=1.5 * SHORTEST * (1 + 1 / 40) ** 5)
    return FiniteSum(support, replace(support, slope=[1.0]), b), np.zeros(1)


def trigonometric_pairs(b):
    """Four targets, and the same losses tilted by b as support: the target's gradients do not depend on b."""
    target = Trigonometric.random(dim=4, tasks=4, rng=2)
    return FiniteSum.pair(replace(target, b=target.b + b / 2), target), np.ones(4)


def problems():
    """Problems with their points: pairs with b = 1, logistic regression and, with scikit-learn, pairs of digits."""
    found = {QUADRATIC: concave_pair(1.0), WAVES: trigonometric_pairs(1.0)}
    found[LOGISTIC] = Logistic.random(dim=5, tasks=8, rng=5), np.ones(5)
    try:
        found[DIGITS] = digits(dim=5, tasks=8, rng=6), np.ones(5)
    except ImportError:  # the report says which problems there are
        pass
    return found


def setting(problem, αL=None, N=1, Q=None, b=None, sweep=""):
    """A pair at its point, or a family of pairs for a distance b; with Q directions, or exact Hessians."""
    tasks, w = problem if b is None else problem(b)
    hessian = () if Q is None else (GaussianSmoothing(1e-2, Q, data="population"),)
    return Setting(tasks, w, InnerLoop((αL or 1 / (8 * N)) / tasks.regularity.L, N), *hessian)


def facts(t):
    """Attained bounds, exponents in b and Q, and how far real data are from the worst case."""
    square = pick(t, claim=SECOND_MOMENT, form="local", problem=QUADRATIC)
    stretch = (1 + square["alphaL"]) ** square["N"]
    by_hand = (stretch * ((1 + square["b"]) * stretch - square["b"])) ** 2
    variance = pick(t, claim=VARIANCE, problem=QUADRATIC)
    saw = pick(t, claim=SMOOTHNESS, form="sharp", problem=SAWTOOTH)
    found = [
        attained("the concave pair attains the local second moment for every N, αL and b", square),
        between("its value over the one worked out by hand", square["value"] / by_hand, 1 - 1e-6, 1 + 1e-6, "1"),
        between("the sawtooth pair over the sharp smoothness, every b", saw["ratio"], 0.999, 1),
        attained("variance of Gaussian smoothing, concave pair: refined", pick(variance, form="refined")),
        equal("the same over the sharp bound: (d+1)/(d+2)", pick(variance, form="sharp")["ratio"].mean(), 6 / 7),
        exponent("the same: exponent in Q", pick(variance, form="refined"), "Q", -1, within=0.01),
    ]
    for claim, names, expected in ((SMOOTHNESS, (SAWTOOTH, WAVES), 1), (SECOND_MOMENT, (QUADRATIC, SAWTOOTH), 2)):
        for name in names:
            far = pick(t, claim=claim, form="sharp", problem=name, sweep="b", b=lambda b: b >= 1e4)
            found.append(exponent(f"{claim}, {name}: exponent in b ≥ 10⁴", far, "b", expected))
    for name in [name for name in (LOGISTIC, DIGITS) if name in set(t["problem"])]:
        real = pick(t, claim=SECOND_MOMENT, form="sharp", problem=name, αL=SHRINKING)
        found.append(between(f"sharp second moment over the exact one, {name}, αL = {SHRINKING}", 1 / real["ratio"], 2))
    return found


BOTH, STEPS, TILTS = (SMOOTHNESS, SECOND_MOMENT), (1, 2, 3, 5, 10, 20), tuple(np.geomspace(0.01, 1e6, 9).tolist())
TILTED = {"problem": {QUADRATIC: concave_pair, SAWTOOTH: sawtooth_pair, WAVES: trigonometric_pairs}, "N": (5,)}
FIXED = {"problem": problems()}
BY_N, BY_B = {"sweep": "N", "αL": SHRINKING}, {"sweep": "b"}
STUDY = Study(
    "finite-sum",
    "Support and target losses in place of samples: what changes?",
    [
        sweep(setting, BOTH, FIXED | {"αL": ALPHA_L, "N": STEPS, "sweep": ("N",)}, {"N": (1, 3, 10)}),
        sweep(setting, BOTH, TILTED | {"b": TILTS, "sweep": ("b",)}, {"b": (0.01, 1.0, 1e4, 1e6)}),
        sweep(setting, (VARIANCE,), FIXED | {"Q": (1, 4, 16, 64), "sweep": ("Q",)}, {"Q": (1, 64), "budget": 2_000}),
    ],
    figures={
        "smoothness": Figure(SMOOTHNESS, x="N", across="problem", where=BY_N),
        "second-moment": Figure(SECOND_MOMENT, x="N", across="problem", where=BY_N),
        "smoothness-b": Figure(SMOOTHNESS, x="b", across="problem", where=BY_B),
        "second-moment-b": Figure(SECOND_MOMENT, x="b", across="problem", where=BY_B),
        "directions": Figure(VARIANCE, x="Q", across="problem"),
    },
    facts=facts,
)
