"""Hessian estimators from Gaussian directions: bias, variance, and what losses alone cost. (Propositions 5 to 7)

Sweeps the smoothing radius nu, the directions Q and the dimension d over a kink (the worst case for
the bias), a bowl (the worst case for the variance, but for one direction in d + 2), trigonometric tasks and a softmax
bandit, whose values are sampled. What was found is told in ``hessian_estimators.md``.
"""

from functools import partial

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import Kink, Quadratic, SoftmaxBandit, Trigonometric
from maml_bench.study import Figure, Study, attained, between, confirmed, equal, exponent, pick, sweep

KINK, BOWL, TRIGONOMETRIC, BANDIT = "kink", "bowl", "trigonometric", "softmax bandit"
FAMILIES = {
    KINK: lambda d: Kink(np.zeros((1, d)), np.zeros((1, d))),
    BOWL: lambda d: Quadratic(np.eye(d), np.zeros((1, d))),
    TRIGONOMETRIC: lambda d: Trigonometric.random(d, 1, rng=2),
    BANDIT: lambda d: SoftmaxBandit.random(d, 1, rng=2),
}
HESSIANS = {"GGS": GaussianSmoothing, "ZO": ZerothOrder, "ZO, Stein": partial(ZerothOrder, stein=True)}
VARIANCE = {"GGS": "prop7-vector", "ZO": "zo-vector", "ZO, Stein": "zo-stein-vector"}
PROP7 = ("prop7-vector", "prop7-frobenius", "prop7-spectral")


def setting(problem, hessian, d, ν, Q, sweep):
    """The kink is looked at where it is, the others at a point without symmetry."""
    w = np.zeros(d) if problem == KINK else np.linspace(-0.5, 1.0, d)
    return Setting(FAMILIES[problem](d), w, InnerLoop(alpha=0.1, steps=1), HESSIANS[hessian](ν, Q, data="population"))


def along(swept, problem, claims, hessian="GGS", quick=None, *, d=4, ν=1 / 16, Q=16, budget=300_000):
    """A sweep of the parameters that are tuples."""
    axes = {"problem": problem, "hessian": hessian, "d": d, "ν": ν, "Q": Q, "sweep": swept}
    return sweep(setting, claims, axes, {"budget": 10_000, "precision": 0.1} | (quick or {}), budget=budget)


RADII = {"ν": tuple((2.0 ** -np.arange(1, 9)).tolist()), "quick": {"ν": (1 / 2, 1 / 16, 1 / 128)}}
SIZES, FEW = (1, 4, 16, 64, 256), {"Q": (1, 16, 64)}


def facts(t):
    """Exponents, attained bounds, and the price of losses."""
    kink = pick(t, claim="prop6", problem=KINK, sweep="ν", ν=lambda ν: ν <= 1 / 8)
    bowl, waves = (pick(t, problem=name) for name in (BOWL, TRIGONOMETRIC))
    ggs, zo = (pick(bowl, claim=VARIANCE[name], form="sharp", sweep="d") for name in ("GGS", "ZO"))
    price = zo["value"].max() / ggs["value"].max()
    H = FAMILIES[TRIGONOMETRIC](4).hess(np.linspace(-0.5, 1.0, 4))[0]
    error = pick(waves, claim="prop8-mean", ν=lambda ν: ν <= 1 / 128)["value"].iloc[-1] - np.linalg.norm(H, 2)
    short = ggs["ratio"] - (ggs["d"] + 1) / (ggs["d"] + 2)
    paper = 1 / pick(kink, form="paper")["ratio"]
    found = [
        attained("the kink attains the sharp bias, d = 1, ν ≤ 1/8", pick(kink, form="sharp"), within=1e-6),
        between("the paper's bias bound over the truth, there", paper, 1.2533, 1.2534, "√(π/2) = 1.25331"),
        between("variance on the bowl over the sharp bound, less (d+1)/(d+2)", short, -1e-9, 1e-9),
        attained("the bowl attains the refined variance of GGS", pick(bowl, claim="prop7-vector", form="refined")),
        equal("ZO at the smallest ν: ‖EĤ‖ − ‖H‖ is half the trace of H", error, np.trace(H) / 2, 1e-3),
        confirmed("equalities of Proposition 5", pick(t, claim="prop5", form=("identity", "stein"))),
        equal("directions of ZO for one of GGS, d = 256", price, (258 * 260 * 262 - 258**2) / 4 / 257),
    ]
    flat = pick(t, claim="prop6", form="sharp", problem=KINK, sweep="d")
    lines = [("bias, kink", pick(kink, form="sharp"), "ν", 1), ("bias, kink in d dimensions", flat, "d", 0)]
    for words, claim, form, names, x, power in (
        ("bias", "prop6", "smooth", (TRIGONOMETRIC, BANDIT), "ν", 2),
        ("variance", "prop7-vector", "sharp", (BOWL, TRIGONOMETRIC, BANDIT), "Q", -1),
        ("deviation in the spectral norm", "prop7-spectral", "refined", (BOWL, TRIGONOMETRIC), "Q", -0.5),
    ):
        chosen = pick(t, claim=claim, form=form, sweep=x)
        lines += [(f"{words}, {name}", pick(chosen, problem=name), x, power) for name in names]
    for name, rows, power in (("GGS", ggs, 1), ("ZO", zo, 3)):
        lines.append((f"variance of {name}, bowl, d ≥ 64", pick(rows, d=(64, 256)), "d", power))
    return found + [exponent(f"{words}: exponent in {x}", r, x, power, within=0.15) for words, r, x, power in lines]


STUDY = Study(
    "hessian-estimators",
    "What do Gaussian directions cost, and losses in place of gradients?",
    [
        along("ν", KINK, ("prop6",), d=1, **RADII),
        along("ν", TRIGONOMETRIC, ("prop6", "prop7-vector"), **RADII),
        along("ν", BANDIT, ("prop6",), budget=100_000, **RADII),
        along("ν", TRIGONOMETRIC, ("prop5", "prop8-mean", "zo-vector"), "ZO", budget=100_000, **RADII),
        along("ν", TRIGONOMETRIC, ("prop5", "zo-stein-vector"), "ZO, Stein", budget=100_000, **RADII),
        along("Q", (BOWL, TRIGONOMETRIC), PROP7, Q=SIZES, ν=0.02, quick=FEW),
        along("Q", BANDIT, PROP7[:2], Q=SIZES[:4], ν=0.02, quick=FEW, budget=20_000),
        *(along("d", BOWL, (claim,), name, d=SIZES, Q=64) for name, claim in VARIANCE.items()),
        along("d", KINK, ("prop6",), d=SIZES[:4], Q=64),
    ],
    figures={
        "bias": Figure("prop6", x="ν", across="problem", where={"sweep": "ν"}),
        "bias-dimension": Figure("prop6", x="d", where={"sweep": "d"}),
        "variance": Figure("prop7-vector", x="Q", across="problem", where={"sweep": "Q"}),
        "spectral": Figure("prop7-spectral", x="Q", across="problem"),
        "zeroth-order": Figure("zo-vector", x="d", where={"sweep": "d"}),
    },
    facts=facts,
)
