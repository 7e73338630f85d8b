"""Which radius should Gaussian smoothing have when gradients are noisy? (Propositions 6 and 7)

A small radius has little bias and much noise. Bias^2 + variance against the radius, for three batch sizes, on a kink
(where the bias is of order nu) and on trigonometric tasks (of order nu^2). Told in ``smoothing_radius.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import GaussianSmoothing
from maml_bench.problems import AdditiveGaussian, Kink, Trigonometric
from maml_bench.study import Figure, Study, exponent, minimum, pick, sweep

KINK, TRIGONOMETRIC = "kink", "trigonometric"
PROBLEMS = {KINK: Kink(np.zeros((1, 1)), np.zeros((1, 1))), TRIGONOMETRIC: Trigonometric.random(4, 1, rng=2)}
Q, RADII = 10_000, tuple((2.0 ** -np.arange(0, 8.1, 0.5)).tolist())
BALANCED = {KINK: ("sharp", -1 / 4), TRIGONOMETRIC: ("smooth", -1 / 6)}
"""Form of the bias bound, and exponent in D of the radius that balances it against the noise."""


def setting(problem, ν, D):
    """The kink is looked at where it is, the other at a point without symmetry; sigma_g = 1."""
    w = np.zeros(1) if problem.dim == 1 else np.linspace(-0.5, 1.0, problem.dim)
    tasks = problem.with_noise(AdditiveGaussian(1.0))
    return Setting(tasks, w, InnerLoop(alpha=0.1, steps=1, D=D), GaussianSmoothing(ν, Q))


def trade_off(t):
    """Bias^2 + variance, measured and of the bounds, for each radius."""
    rows = []
    for problem, (form, _) in BALANCED.items():
        bias = pick(t, problem=problem, claim="prop6", form=form).sort_values(["D", "ν"])
        spread = pick(t, problem=problem, claim="prop7-vector", form="sharp").sort_values(["D", "ν"])
        both = bias.reset_index(drop=True).assign(claim="trade-off", quantity="bias² + variance", outcome="")
        for side in ("value", "lower", "upper", "bound"):
            both[side] = both[side] ** 2 + spread[side].to_numpy()
        rows += both.assign(ratio=both["value"] / both["bound"]).to_dict("records")
    return rows


def facts(t):
    """Exponents of the noise, and of the radius at which the sum is least."""
    noisy = pick(t, claim="prop7-vector", form="sharp", problem=TRIGONOMETRIC)
    found = [
        exponent("variance, D = 1, ν ≤ 1/16: exponent in ν", pick(noisy, D=1, ν=lambda ν: ν <= 1 / 16), "ν", -2),
        exponent("variance, ν = 1/256: exponent in D", pick(noisy, ν=1 / 256), "D", -1),
    ]
    for problem, (_, expected) in BALANCED.items():
        best = minimum(pick(t, claim="trade-off", problem=problem), "ν", "D")
        found.append(exponent(f"best radius, {problem}: exponent in D", best, "D", expected, within=0.15))
    return found


STUDY = Study(
    "smoothing-radius",
    "Which radius should Gaussian smoothing have when gradients are noisy?",
    sweep(setting, ("prop6", "prop7-vector"), {"problem": PROBLEMS, "D": (1, 16, 256), "ν": RADII}, {"ν": RADII[::2]}),
    figures={"trade-off": Figure("trade-off", x="ν", across="problem", by="D")},
    facts=facts,
    derive=trade_off,
)
