"""Are the verdicts themselves right? Claims whose truth is known exactly, checked by sampling with hundreds of seeds.

For each claim the bound is set to 0.97, 1 and 1.03 times the exact value: the bench should say ``violated``, (almost)
never ``violated``, and ``holds``. Run ``python studies/calibration.py --help``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting, claims
from maml_bench.adaptation import stochastic_path
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.power import Power
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric
from maml_bench.study.figures import COLORS, panels, save
from maml_bench.study.findings import Finding
from maml_bench.study.run import Cell, Study
from maml_bench.study.tables import markdown_table

CONFIDENCE = 0.95
TOO_LOW, TOO_HIGH = 0.97, 1.03


def cells(quick: bool) -> list[Cell]:
    """One cell a claim, each with an exact value; budgets are what the claim's scatter asks for."""
    quadratic = Quadratic.random(dim=4, tasks=1, rng=0).with_noise(AdditiveGaussian(sigma_g=1.0))
    trigonometric = Trigonometric.random(dim=4, tasks=1, rng=1)
    one = Trigonometric.random(dim=1, tasks=1, rng=2).with_noise(AdditiveGaussian(sigma_g=1.0))
    inner = InnerLoop(alpha=0.05, steps=3, S=4, D=4, T=4)
    rough = GaussianSmoothing(nu=0.5, directions=4, data="population")
    zeroth = ZerothOrder(nu=0.1, directions=16, data="population")
    population, plane = (Quadratic.random(dim=dim, tasks=1, rng=0) for dim in (4, 2))
    plan = [
        ("prop2-second", "a mean, skewed", Setting(quadratic, np.ones(4), inner), 60_000),
        ("prop4", "a mean, nearly normal", Setting(quadratic, np.ones(4), inner), 60_000),
        ("prop3", "norm of a mean vector", Setting(one, np.ones(1), inner), 20_000),
        ("prop6", "spectral norm of a mean matrix", Setting(trigonometric, np.ones(4), inner, rough), 200_000),
        ("prop7-vector", "a variance, heavier tails", Setting(population, np.ones(4), inner, rough), 200_000),
        ("zo-vector", "a variance, tails of degree 8", Setting(plane, np.ones(2), inner, zeroth), 200_000),
    ]
    if quick:
        plan = plan[:4]
    repeats = 20 if quick else 200
    return [
        Cell(words, {"claim": name}, setting, (name,), budget, 1.0, repeats, ("sharp",))
        for name, words, setting, budget in plan
    ]


def relative(finding: Finding) -> Power:
    """The repeated runs, with factors on the exact value in place of factors on the bound."""
    noticed, confirmed = (np.array(finding.repeated[name]) / finding.verdict.ratio for name in ("noticed", "confirmed"))
    return Power(noticed, confirmed, finding.budget)


def _figure(findings, path):
    figure, (axes,) = panels(1, 2, width=4.6, height=3.2, sharey=True)
    for finding, color in zip(findings, [*COLORS, "#c02f6d"], strict=False):
        found = relative(finding)
        runs = len(found.noticed)
        rates = np.arange(1, runs + 1) / runs
        axes[0].step(np.sort(found.noticed), rates[::-1], color=color, label=finding.verdict.claim)
        axes[1].step(np.sort(found.confirmed), rates, color=color)
    for column, title in zip(axes, ("says violated", "says holds"), strict=True):
        column.set(xlabel="bound / truth", title=title, xlim=(0.94, 1.06))
        for factor in (TOO_LOW, 1.0, TOO_HIGH):
            column.axvline(factor, color="#999999", linewidth=0.8, linestyle=":")
    axes[0].set_ylabel("share of runs")
    figure.legend(loc="outside lower center", ncols=4)
    save(figure, path)


def gains() -> list[list]:
    """Variance of a plain replicate over that of the replicate which the bench draws, with what was done to it."""
    noisy = Trigonometric.random(dim=5, tasks=1, rng=3).with_noise(RandomPhase(amplitude=1.0, kappa=1.0))
    population = Trigonometric.random(dim=20, tasks=1, rng=4)
    loop = InnerLoop(alpha=0.05, steps=3, S=64, D=64, T=64)
    path, smoothing = Setting(noisy, np.ones(5), loop), GaussianSmoothing(nu=1e-3, directions=1)
    curved = Setting(population.with_noise(AdditiveGaussian(sigma_g=1.0)), np.ones(20), loop, smoothing)

    def start(setting, count):
        return np.broadcast_to(setting.w, (count, 1, setting.tasks.dim))

    def errors(rng, count):
        return stochastic_path(noisy, start(path, count), loop, rng)[-1]

    def gradients(rng, count):
        return stochastic_meta_gradient(noisy, start(path, count), loop, path.hessian, rng)

    def squares(rng, count):
        return np.sum(gradients(rng, count) ** 2, axis=-1)

    def hessians(rng, count):
        operator = smoothing.operator(curved.tasks, start(curved, count), loop.D, rng)
        return np.moveaxis(operator(np.eye(20)[:, None, None, :]), 0, -1)

    plan = [
        ("prop2-mean", "mirrored noise", path, errors, 4000),
        (
            "prop3",
            "fresh batches replaced by their means, mirrored noise, second-order expansion",
            path,
            gradients,
            4000,
        ),
        ("prop4", "mirrored noise", path, squares, 4000),
        ("prop6", "population gradients, Hessian at w, mirrored directions, regression", curved, hessians, 400),
    ]
    rows = []
    for name, how, setting, plain, count in plan:
        reduced = claims.get(name).measurement.sampled.draw(setting)
        spread = [np.var(draw(np.random.default_rng(0), count), axis=0).sum() for draw in (plain, reduced)]
        rows.append([name, how, f"{spread[0] / spread[1]:.1g}"])
    return rows


def tell(findings: Sequence[Finding], directory: Path) -> str:
    """Figure and table."""
    _figure(findings, directory / "power.svg")
    rows, false_alarms, weakest = [], [], []
    for finding in findings:
        found = relative(finding)
        alarm, wrong = found.violated(1.0), found.holds(1.0 - 1e-9)
        low, high = found.violated(TOO_LOW), found.holds(TOO_HIGH)
        rows.append(
            [
                finding.verdict.claim,
                finding.problem,
                f"{finding.budget:,}",
                *(_rate(r) for r in (alarm, wrong, low, high)),
            ]
        )
        false_alarms += [alarm.lower, wrong.lower]
        weakest += [low.value, high.value]
    header = [
        "claim",
        "what is estimated",
        "budget",
        "violated at 1",
        "holds just below 1",
        "violated at 0.97",
        "holds at 1.03",
    ]
    runs = len(findings[0].repeated["noticed"])
    stated = 1 - STUDY.confidence
    calibrated = (
        f"**The stated error rate is kept:** no frequency of wrong decisions is significantly above {stated:.0%}."
        if max(false_alarms) <= stated
        else f"**The stated error rate of {stated:.0%} is exceeded** by at least one claim; see the table."
    )
    return f"""# {STUDY.title}

Each claim here has an exact left-hand side. It is checked by sampling, {runs} times with different seeds, at
confidence {STUDY.confidence:.0%}: a decision, at whichever look it is made, is to be wrong in at most {stated:.0%} of
the runs. One run to the end of its budget tells the outcome for every factor on the bound, so all columns come from
the same runs; brackets are 95 % Clopper-Pearson intervals.

## What was found

- {calibrated}
- **A bound 3 % too low is noticed, one 3 % too high confirmed:** in at least {min(weakest):.0%} of the runs,
  for every claim, within its budget.

{markdown_table(header, rows)}
`violated at 1` counts wrong decisions, as the bound is exactly the truth; so does `holds just below 1`, as it is a hair
too low.

![Share of runs that decide, against bound over truth](power.svg)

How far this goes: these {len(findings)} cases were not chosen blind. Budgets, and for zo-vector also d and Q, were set
after trial runs so that 3 % can be decided in reasonable time, and the rule for a dominant batch was changed after a
first run of this study with the same seeds (prop3 was then decided in 93 % of the runs). And the error rate is measured
at confidence {STUDY.confidence:.0%} only: the studies test single rows at levels near 1e-5, which runs of this size
cannot check. There replicates with very heavy tails are known to fail: zo-vector with d = 2, Q = 1 and 4096 replicates
said `holds` of a bound 2 % too low in 18 of 800 runs at a stated 1 %, and in 2 of 800 at a stated 2e-5.

## What the variance reduction gains

Variance of a plain replicate over that of the replicate drawn, one task, S = 64 (for prop6 d = 20, ν = 0.001, Q = 1);
a replicate that is averaged over a mirrored pair costs two. So many times fewer replicates reach the same precision:

{markdown_table(["claim", "what is done", "gain"], gains())}"""


def _rate(rate) -> str:
    return f"{rate.value:.3f} [{rate.lower:.3f}, {rate.upper:.3f}]"


STUDY = Study("calibration", "Are the verdicts right? Calibration on known truths", cells, tell, confidence=CONFIDENCE)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(STUDY)
