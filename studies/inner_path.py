"""How far does the stochastic inner path stray from the exact one? (Proposition 2)

Sweeps N, alpha L and S over three problems: the concave quadratic, which attains the sharp second moment; a random
indefinite quadratic; and trigonometric tasks with random-phase noise. Run ``python studies/inner_path.py --help``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.claims.claim import footprint
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric
from maml_bench.study.facts import bound_slope, measured_slope
from maml_bench.study.figures import COLORS, bound_line, key, measured, panels, save
from maml_bench.study.findings import Finding
from maml_bench.study.run import Cell, Study
from maml_bench.study.tables import (
    VERDICT_NOTE,
    attainment_gap,
    looseness_table,
    markdown_table,
    outcome_table,
    select,
    summary_sentence,
    where,
)

CONCAVE, INDEFINITE, TRIGONOMETRIC = "concave quadratic", "indefinite quadratic", "trigonometric"
CLAIMS = ("prop2-first", "prop2-second", "prop2-mean")
SHRINKING = "1/(8N)"
ALPHA_L = (SHRINKING, "0.05", "0.3")


def problems() -> dict[str, object]:
    """The three problems: one task in 20 dimensions, one in 5, and 4 tasks in 5 dimensions."""
    return {
        CONCAVE: Quadratic.concave(dim=20).with_noise(AdditiveGaussian(sigma_g=1.0)),
        INDEFINITE: Quadratic.random(dim=5, tasks=1, rng=1).with_noise(AdditiveGaussian(sigma_g=1.0)),
        TRIGONOMETRIC: Trigonometric.random(dim=5, tasks=4, rng=2).with_noise(RandomPhase(amplitude=1.0, kappa=1.0)),
    }


def alpha_times_l(label: str, steps: int) -> float:
    """The value of alpha L that a label stands for."""
    return 1 / (8 * steps) if label == SHRINKING else float(label)


def cells(quick: bool) -> list[Cell]:
    """The sweep; ``quick`` keeps its corners. The budget of a cell is a number of gradient entries,
    so cells cost alike.
    """
    out = []
    work, precision = (2e7, 0.2) if quick else (4e8, 0.05)
    for problem, tasks in problems().items():
        for label in ALPHA_L:
            for steps in (1, 5, 20) if quick else (1, 2, 5, 10, 20):
                for S in (1, 16) if quick else (1, 4, 16):
                    inner = InnerLoop(alpha_times_l(label, steps) / tasks.regularity.L, steps, S=S)
                    setting = Setting(tasks, np.ones(tasks.dim), inner)
                    parameters = {"αL": label, "N": steps, "S": S}
                    budget = int(work / (steps * footprint(setting)))
                    out.append(Cell(problem, parameters, setting, CLAIMS, budget, precision))
    return out


def _sweep(findings, claim, form, problem, label, S):
    chosen = select(findings, claim, form, problem, αL=label, S=S)
    return [f.parameters["N"] for f in chosen], chosen


def _figure(findings, claim, path, ylabel, views, forms):
    """Measured values and bounds against N, one panel for each (problem, S)."""
    figure, axes = panels(1, len(views), sharey=True)
    for column, (problem, S) in zip(axes[0], views, strict=True):
        for label, color in zip(ALPHA_L, COLORS, strict=False):
            steps, chosen = _sweep(findings, claim, "sharp", problem, label, S)
            measured(column, steps, chosen, color)
            for form in forms:
                bound_line(column, steps, _sweep(findings, claim, form, problem, label, S)[1], color)
        column.set(xscale="log", yscale="log", xlabel="inner steps N", title=f"{problem}, S = {S}")
        column.set_xlim(0.8, 25)  # more than a decade, so that its labels are powers of ten
    axes[0, 0].set_ylabel(ylabel)
    colors = {f"αL = {label}": color for label, color in zip(ALPHA_L, COLORS, strict=False)}
    shown = [f for problem, _ in views for f in select(findings, claim, problem=problem)]
    key(figure, colors, forms, exact=any(f.verdict.method == "exact" for f in shown))
    save(figure, path)


def _exponents(findings) -> str:
    """Exponents in N of the first moment in units of alpha, where alpha L = 1/(8N) keeps (1 + alpha L)^N bounded."""
    rows = []
    for problem in (CONCAVE, INDEFINITE, TRIGONOMETRIC):
        steps, sharp = _sweep(findings, "prop2-first", "sharp", problem, SHRINKING, 1)
        _, paper = _sweep(findings, "prop2-first", "paper", problem, SHRINKING, 1)
        slopes = measured_slope(sharp, "N", steps), bound_slope(sharp, "N", steps), bound_slope(paper, "N", steps)
        rows.append([problem, *map(str, slopes)])
    return markdown_table(["problem", "measured", "sharp bound", "paper's bound"], rows)


def tell(findings: Sequence[Finding], directory: Path) -> str:
    """Figures and report."""
    sizes = sorted({f.parameters["S"] for f in findings})
    each = [(problem, 1) for problem in (CONCAVE, INDEFINITE, TRIGONOMETRIC)]
    both = ("paper", "sharp")
    _figure(findings, "prop2-second", directory / "second-moment.svg", r"$E\|w_N-\tilde w_N\|^2$", each, both)
    _figure(findings, "prop2-first", directory / "first-moment.svg", r"$E\|w_N-\tilde w_N\|$", each, both)
    drifting = [f for f in findings if f.parameters["N"] > 1]
    views = [(TRIGONOMETRIC, S) for S in sizes]
    _figure(drifting, "prop2-mean", directory / "mean.svg", r"$\|E w_N-\tilde w_N\|$", views, ("sharp",))

    attained = select(findings, "prop2-second", "sharp", CONCAVE)
    gap = attainment_gap(attained)
    first = select(findings, "prop2-first", "sharp", CONCAVE)
    dim = problems()[CONCAVE].dim
    near = max(f.verdict.ratio for f in first)
    paper = select(findings, "prop2-second", "paper", CONCAVE)
    loosest = max(paper, key=lambda f: 1 / f.verdict.ratio)
    steps = max(f.parameters["N"] for f in first)
    loose_first = max(select(findings, "prop2-first", "paper", CONCAVE), key=lambda f: 1 / f.verdict.ratio)
    drifts = select(findings, "prop2-mean", "sharp", TRIGONOMETRIC, αL="0.3", N=steps)

    return f"""# {STUDY.title}

One task is adapted twice from the same point: with exact gradients ($\\tilde w_j$) and with batches of S samples
($w_j$). Proposition 2 bounds the first and the second moment of the distance $e_j = w_j - \\tilde w_j$; the mean
$E e_j$ has a bound of its own. The sweep crosses N, αL and S on three problems with certified constants.

## What was found

- {summary_sentence(findings)}
- **The extremal instance attains the sharp second moment.** On the concave quadratic the exact value equals $s_N^2$
  in all {len(attained)} settings: the ratio differs from 1 by at most {gap:.1e}. No smaller bound in L and
  $\\sigma_g$ alone exists.
- **The paper's second moment is loose by a factor of
  {1 / min(paper, key=lambda f: 1 / f.verdict.ratio).verdict.ratio:.3g} to {1 / loosest.verdict.ratio:.3g}** even
  there (most at {where(loosest)}); its cross term doubles the noise, and doubles the growth rate's second-order part.
- **First moment: √N against N.** With αL = 1/(8N), and in units of α, the measured distance and the sharp bound grow
  like $N^{{1/2}}$, the paper's bound like $N$: the table of exponents below. At {where(loose_first)} the paper's
  bound is {1 / loose_first.verdict.ratio:.3g} times the measured value.
- In d = {dim} dimensions the first moment reaches {near:.3f} of the sharp bound (it tends to 1 as d grows).
- **The mean drifts far less than the path scatters**, and not at all on quadratics
  (computed: 0).{_drift_sentence(drifts, steps)}

## Verdicts

{outcome_table(findings)}
{VERDICT_NOTE.format(confidence=STUDY.confidence)}
## Second moment

![Second moment against N](second-moment.svg)

## First moment

![First moment against N](first-moment.svg)

Exponents of the first moment in N, in units of α, with αL = 1/(8N) and S = 1; brackets are limits over all N jointly:

{_exponents(findings)}
## Mean

![Norm of the mean error against N](mean.svg)

On the quadratics, and after one step, the drift is exactly 0, and so is $m_N$.
Limits that reach 0 are cut by the logarithmic axis.

## How loose

Bound over measured value, over the sweep:

{looseness_table(findings)}"""


def _drift_sentence(drifts, steps) -> str:
    if any(f.verdict.lower <= 0 for f in drifts):
        return ""
    slope = measured_slope(drifts, "S")
    return (
        f" On the trigonometric tasks (αL = 0.3, N = {steps}) it falls like $S^p$ with p = {slope}; the theory says −1."
    )


STUDY = Study("inner-path", "Distance of the stochastic from the exact inner path", cells, tell)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(STUDY)
