"""Hessian estimators from Gaussian directions: bias, variance, and what losses alone cost. (Propositions 5 to 7)

Sweeps the smoothing radius nu, the directions Q, the dimension d and the batch size D over a kink (the worst case for
the bias), a bowl (the worst case for the variance, but for one direction in d + 2), trigonometric tasks and a softmax
bandit, whose values are sampled. What was found is told in ``hessian_estimators.md``.
"""

from functools import partial

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, SoftmaxBandit, Trigonometric
from maml_bench.study import Figure, Study, attained, between, confirmed, equal, exponent, minimum, pick, sweep

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
TRADE_OFFS = {KINK: ("sharp", -1 / 4), TRIGONOMETRIC: ("smooth", -1 / 6)}
"""Form of the bias bound, and exponent in D of the radius that balances it against the noise."""


def setting(problem, hessian, d, ν, Q, D, σ, sweep):
    """The kink is looked at where it is, the others at a point without symmetry."""
    tasks = FAMILIES[problem](d)
    tasks = tasks.with_noise(AdditiveGaussian(σ)) if σ else tasks
    w = np.zeros(d) if problem == KINK else np.linspace(-0.5, 1.0, d)
    estimator = HESSIANS[hessian](ν, Q, data="resampled" if σ else "population")
    return Setting(tasks, w, InnerLoop(alpha=0.1, steps=1, D=D), estimator)


def along(swept, problem, claims, hessian="GGS", quick=None, *, d=4, ν=1 / 16, Q=16, D=1, σ=0.0, budget=300_000):
    """A sweep of the parameters that are tuples."""
    axes = {"problem": problem, "hessian": hessian, "d": d, "ν": ν, "Q": Q, "D": D, "σ": σ, "sweep": swept}
    axes = {name: values if isinstance(values, tuple) else (values,) for name, values in axes.items()}
    return sweep(setting, claims, axes, {"budget": 10_000, "precision": 0.1} | (quick or {}), budget=budget)


RADII = {"ν": tuple((2.0 ** -np.arange(1, 9)).tolist()), "quick": {"ν": (1 / 2, 1 / 16, 1 / 128)}}
SIZES, FEW = (1, 4, 16, 64, 256), {"Q": (1, 16, 64)}
NOISE = {"Q": 10_000, "D": (1, 16, 256), "σ": 1.0, "ν": tuple((2.0 ** -np.arange(0, 8.1, 0.5)).tolist())}


def trade_off(t):
    """Bias^2 + variance, measured and of the bounds, for each radius."""
    rows = []
    for problem, (form, _) in TRADE_OFFS.items():
        bias = pick(t, sweep="noise", problem=problem, claim="prop6", form=form).sort_values(["D", "ν"])
        spread = pick(t, sweep="noise", problem=problem, claim="prop7-vector", form="sharp").sort_values(["D", "ν"])
        both = bias.reset_index(drop=True).assign(claim="trade-off", quantity="bias² + variance", outcome="")
        for side in ("value", "lower", "upper", "bound"):
            both[side] = both[side] ** 2 + spread[side].to_numpy()
        rows += both.assign(ratio=both["value"] / both["bound"]).to_dict("records")
    return rows


def facts(t):
    """Exponents, attained bounds, and the price of losses."""
    kink = pick(t, claim="prop6", problem=KINK, sweep="ν")
    near = pick(kink, ν=lambda ν: ν <= 1 / 8)
    bowl, trigonometric = pick(t, problem=BOWL), pick(t, problem=TRIGONOMETRIC)
    variance = {
        name: pick(bowl, claim=claim, form="sharp", sweep="d").set_index("d")["value"]
        for name, claim in VARIANCE.items()
    }
    price = variance["ZO"] / variance["GGS"]
    H = FAMILIES[TRIGONOMETRIC](4).hess(np.linspace(-0.5, 1.0, 4))[0]
    mean = pick(trigonometric, claim="prop8-mean", form="sharp", sweep="ν").sort_values("ν").iloc[0]["value"]
    ggs = pick(bowl, claim="prop7-vector", form="sharp")
    noisy = pick(t, claim="prop7-vector", form="sharp", problem=TRIGONOMETRIC, sweep="noise")
    found = [
        attained("the kink attains the sharp bias, d = 1, ν ≤ 1/8", pick(near, form="sharp"), within=1e-6),
        between(
            "the paper's bias bound over the truth, there",
            1 / pick(near, form="paper")["ratio"],
            1.2533,
            1.2534,
            "√(π/2) = 1.25331",
        ),
        between(
            "ratio of the variance on the bowl to the sharp bound, less (d+1)/(d+2)",
            ggs["ratio"] - (ggs["d"] + 1) / (ggs["d"] + 2),
            -1e-9,
            1e-9,
        ),
        attained("the bowl attains the refined variance of GGS", pick(bowl, claim="prop7-vector", form="refined")),
        equal(
            "ZO at the smallest ν: ‖EĤ‖ − ‖H‖ is half the trace of H",
            mean - np.linalg.norm(H, 2),
            np.trace(H) / 2,
            1e-3,
        ),
        confirmed(
            "equalities of Proposition 5, plain and corrected mean", pick(t, claim="prop5", form=("identity", "stein"))
        ),
        equal(
            "directions that ZO needs in place of one of GGS, d = 256, bowl",
            price[256],
            (258 * 260 * 262 - 258**2) / 4 / 257,
        ),
    ]
    for words, chosen, x, expected in (
        ("bias, kink", pick(kink, form="sharp"), "ν", 1),
        ("bias, trigonometric", pick(trigonometric, claim="prop6", form="smooth", sweep="ν"), "ν", 2),
        ("bias, softmax bandit", pick(t, claim="prop6", problem=BANDIT, form="smooth"), "ν", 2),
        ("bias, kink in d dimensions", pick(t, claim="prop6", form="sharp", problem=KINK, sweep="d"), "d", 0),
        *(
            (f"variance, {name}", pick(t, claim="prop7-vector", form="sharp", problem=name, sweep="Q"), "Q", -1)
            for name in (BOWL, TRIGONOMETRIC, BANDIT)
        ),
        *(
            (
                f"deviation in the spectral norm, {name}",
                pick(t, claim="prop7-spectral", form="refined", problem=name),
                "Q",
                -0.5,
            )
            for name in (BOWL, TRIGONOMETRIC)
        ),
        *(
            (
                f"variance of {name}, bowl, d ≥ 64",
                pick(bowl, claim=VARIANCE[name], form="sharp", sweep="d", d=(64, 256)),
                "d",
                power,
            )
            for name, power in (("GGS", 1), ("ZO", 3))
        ),
        ("variance with noise, D = 1, ν ≤ 1/16", pick(noisy, D=1, ν=lambda ν: ν <= 1 / 16), "ν", -2),
        ("variance with noise, ν = 1/256", pick(noisy, ν=1 / 256), "D", -1),
    ):
        found.append(exponent(f"{words}: exponent in {x}", chosen, x, expected))
    for problem, (_, expected) in TRADE_OFFS.items():
        chosen = pick(t, claim="trade-off", problem=problem)
        found.append(
            exponent(f"best radius, {problem}: exponent in D", minimum(chosen, "ν", "D"), "D", expected, within=0.15)
        )
    return found


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
        along("d", BOWL, ("prop7-frobenius",), d=SIZES, Q=64),
        along("d", KINK, ("prop6",), d=SIZES[:4], Q=64),
        *(along("noise", name, ("prop6", "prop7-vector"), d=d, **NOISE) for name, d in ((KINK, 1), (TRIGONOMETRIC, 4))),
    ],
    figures={
        "bias": Figure("prop6", x="ν", across="problem", where={"sweep": "ν"}),
        "bias-dimension": Figure("prop6", x="d", where={"sweep": "d"}),
        "variance": Figure("prop7-vector", x="Q", across="problem", where={"sweep": "Q"}),
        "spectral": Figure("prop7-spectral", x="Q", across="problem"),
        "zeroth-order": Figure("zo-vector", x="d", where={"sweep": "d"}),
        "trade-off": Figure("trade-off", x="ν", across="problem", by="D"),
    },
    facts=facts,
    derive=trade_off,
)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(__file__)
