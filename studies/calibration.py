"""Are the verdicts themselves right? Claims whose truth is known exactly, checked by sampling with hundreds of seeds.

For each claim the bound is set to 0.97, 1 and 1.03 times the exact value: the bench should say ``violated``, (almost)
never ``violated``, and ``holds``. What was found is told in ``calibration.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting, claims
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.power import power, rate
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric
from maml_bench.study import Figure, Study, between, curves, pick

CONFIDENCE = 0.95
FACTORS = tuple(np.round(np.linspace(0.94, 1.06, 25), 4).tolist())
INNER = InnerLoop(alpha=0.05, steps=3, S=4, D=4, T=4)
NOISY = Quadratic.random(dim=4, tasks=1, rng=0).with_noise(AdditiveGaussian(sigma_g=1.0))
PLAIN, PLANE = (Quadratic.random(dim=dim, tasks=1, rng=0) for dim in (4, 2))
WAVES = Trigonometric.random(dim=4, tasks=1, rng=1)
WAVE = Trigonometric.random(dim=1, tasks=1, rng=2).with_noise(AdditiveGaussian(sigma_g=1.0))
ROUGH = GaussianSmoothing(nu=0.5, directions=4, data="population")
ZEROTH = ZerothOrder(nu=0.1, directions=16, data="population")
CASES = {
    "prop2-second": ("a mean, skewed", Setting(NOISY, np.ones(4), INNER), 60_000),
    "prop4": ("a mean, nearly normal", Setting(NOISY, np.ones(4), INNER), 60_000),
    "prop3": ("norm of a mean vector", Setting(WAVE, np.ones(1), INNER), 20_000),
    "prop6": ("spectral norm of a mean matrix", Setting(WAVES, np.ones(4), INNER, ROUGH), 200_000),
    "prop7-vector": ("a variance, heavier tails", Setting(PLAIN, np.ones(4), INNER, ROUGH), 200_000),
    "zo-vector": ("a variance, tails of degree 8", Setting(PLANE, np.ones(2), INNER, ZEROTH), 100_000),
}


def frequencies(point, *, seed, budget, workers):
    """How often runs say ``violated`` and ``holds`` of a bound that is a multiple of the truth, with 95 % intervals.

    One run to the end of its budget tells the outcome for every factor at once. ``budget`` counts runs.
    """
    name, setting, replicates = point
    claim = claims.get(name)
    exact = claim.measurement.exact(setting).max() / claim.right_side(setting).max()
    found = power(claim, setting, runs=budget, seed=seed, confidence=CONFIDENCE, budget=replicates, workers=workers)
    noticed, confirmed = found.noticed / exact, found.confirmed / exact
    for factor in FACTORS:
        just_below = factor - 1e-9  # at the truth itself `holds` is right
        for words, runs in (("says violated", noticed > factor), ("says holds", confirmed <= just_below)):
            share = rate(int(runs.sum()), budget)
            ends = {"value": share.value, "lower": share.lower, "upper": share.upper}
            yield ends | {
                "quantity": words,
                "factor": factor,
                "replicates": replicates,
                "runs": budget,
                "confidence": 0.95,
            }


def point(claim):
    """A claim with its setting and the replicates of one run."""
    _, setting, replicates = CASES[claim]
    return claim, setting, replicates


def facts(t):
    """The stated error rate is kept, and three percent are noticed."""
    says = {words: pick(t, quantity=f"says {words}") for words in ("violated", "holds")}
    wrong = [pick(chosen, factor=1.0)["lower"].max() for chosen in says.values()]
    return [
        between("lower limits of the rates of wrong decisions at the truth", wrong, 0, 1 - CONFIDENCE),
        between(
            "a bound 3 % too low is noticed: share of runs, every claim",
            pick(says["violated"], factor=0.97)["value"],
            0.95,
            1,
        ),
        between(
            "a bound 3 % too high is confirmed: share of runs, every claim",
            pick(says["holds"], factor=1.03)["value"],
            0.95,
            1,
        ),
    ]


STUDY = Study(
    "calibration",
    "Are the verdicts themselves right?",
    curves(point, frequencies, {"claim": tuple(CASES)}, {"claim": tuple(CASES)[:3], "budget": 20}, budget=100),
    figures={
        words.split()[1]: Figure(words, x="factor", by="claim", linear=True, label="share of runs")
        for words in ("says violated", "says holds")
    },
    facts=facts,
)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(__file__)
