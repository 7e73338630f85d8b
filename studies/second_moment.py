"""How large is the stochastic meta gradient in the mean square? (Proposition 4)

Sweeps N and alpha L, and then S, T and D one at a time, over three problems with random-phase noise in gradients and
Hessians: the concave quadratic of one variable, which attains the local refined form; quadratics that share a Hessian;
and trigonometric tasks. On quadratics the left side is exact. Run ``python studies/second_moment.py --help``.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.claims.claim import footprint
from maml_bench.problems import Quadratic, RandomPhase, Trigonometric
from maml_bench.study.facts import bound_slope, loglog_slope, measured_slope
from maml_bench.study.figures import forms_against, forms_key, panels, save, whole_decades
from maml_bench.study.findings import Finding
from maml_bench.study.run import Cell, Study
from maml_bench.study.tables import (
    VERDICT_NOTE,
    attainment_gap,
    looseness_table,
    markdown_table,
    number,
    outcome_table,
    select,
    summary_sentence,
)
from studies.inner_path import SHRINKING, alpha_times_l

CONCAVE, QUADRATIC, TRIGONOMETRIC = "concave quadratic", "quadratics", "trigonometric"
PROBLEMS = (CONCAVE, QUADRATIC, TRIGONOMETRIC)
ALPHA_L = (SHRINKING, "0.02", "0.1")
FIXED = "0.1"
FORMS = ("paper", "sharp", "local", "refined", "refined_local")
BATCHES = ("S", "T", "D")


def problems() -> dict[str, object]:
    """The three problems: one task of one variable, and twice 4 in 5 dimensions; sigma_H = kappa sigma_g."""
    noise = RandomPhase(amplitude=3.0, kappa=1.5)
    return {
        CONCAVE: Quadratic.concave(dim=1).with_noise(noise),
        QUADRATIC: Quadratic.random(dim=5, tasks=4, rng=1).with_noise(noise),
        TRIGONOMETRIC: Trigonometric.random(dim=5, tasks=4, rng=2).with_noise(noise),
    }


def cells(quick: bool) -> list[Cell]:
    """The sweep in N and alpha L with S = T = D = 1, and the sweeps in S, T and D, the other two being 4."""
    out = []
    work, precision = (5e6, 0.2) if quick else (3e8, 0.02)
    for name, tasks in problems().items():
        L = tasks.regularity.L
        sizes = (1, 3, 20) if quick else (1, 2, 3, 5, 10, 20)
        loops = [("N", label, InnerLoop(alpha_times_l(label, N) / L, N)) for label in ALPHA_L for N in sizes]
        base = InnerLoop(float(FIXED) / L, 3, S=4, D=4, T=4)
        sizes = (1, 16, 256) if quick else (1, 4, 16, 64, 256)
        loops += [(batch, FIXED, replace(base, **{batch: size})) for batch in BATCHES for size in sizes]
        for swept, label, inner in loops:
            setting = Setting(tasks, np.ones(tasks.dim), inner)
            parameters = {"sweep": swept, "αL": label, "N": inner.steps, "S": inner.S, "T": inner.T, "D": inner.D}
            budget = max(1000, int(work / (inner.steps * footprint(setting))))
            out.append(Cell(name, parameters, setting, ("prop4",), budget, precision))
    return out


def _sweep(findings, swept, name, label=FIXED, form="local"):
    return select(findings, "prop4", form, name, sweep=swept, αL=label)


def _figure(findings, path, rows):
    """Panels ``(sweep, problem, alpha L)``: measured values and all forms."""
    figure, axes = panels(len(rows), len(rows[0]), height=2.4, sharey="row")
    for line, names in zip(axes, rows, strict=True):
        for panel, (swept, name, label) in zip(line, names, strict=True):
            forms_against(panel, swept, _sweep(findings, swept, name, label, form=None))
            xlabel = "inner steps N" if swept == "N" else f"batch size {swept}"
            panel.set(xlabel=xlabel, title=f"{name}, αL = {label}")
        whole_decades(line[0])
        line[0].set_ylabel(r"$E_iE\|\hat G_i\|^2$")
    forms_key(figure, findings)
    save(figure, path)


def _limit(name) -> float:
    """The exponent in q^N that the bounds tend to for D = 1: they grow like ``(A q^2)^N``."""
    regularity = problems()[name].regularity
    q = 1 + float(FIXED)
    return 2 + math.log(q**2 + (float(FIXED) / regularity.L * regularity.sigma_H) ** 2) / math.log(q)


def _growth(findings) -> str:
    """Exponents in q^N at fixed alpha L, and how much the largest N adds to N = 1 at alpha L = 1/(8N)."""
    rows = []
    for name in PROBLEMS:
        local, refined = (_sweep(findings, "N", name, FIXED, form) for form in ("local", "refined_local"))
        growth = [(1 + float(FIXED)) ** f.parameters["N"] for f in local]
        slopes = measured_slope(local, growth), bound_slope(local, growth), bound_slope(refined, growth)
        first, *_, last = (f.verdict for f in _sweep(findings, "N", name, SHRINKING))
        rows.append([name, _limit(name), *map(str, slopes), last.value / first.value, last.bound / first.bound])
    last = (f"{side}, {SHRINKING}" for side in ("measured", "local"))
    return markdown_table(["problem", "theory", "measured", "local", "refined local", *last], rows)


def _excess_slope(findings, batch, field) -> str:
    """Exponent in a batch size of what a value loses to the next larger batch size; a dash where it loses nothing."""
    x = [f.parameters[batch] for f in findings]
    values = np.array([getattr(f.verdict, field) for f in findings])
    lost = values[:-1] - values[1:]
    if not np.all(lost > 1e-9 * values[:-1]):
        return "–"
    return f"{loglog_slope(x[:-1], lost, lost, lost).value:.3f}"


def _batches(findings) -> str:
    """Exponents in S, T and D of the part of the second moment due to that batch: exact problems only."""
    rows = []
    for name in (CONCAVE, QUADRATIC):
        for batch in BATCHES:
            slopes = [_excess_slope(_sweep(findings, batch, name), batch, "value")]
            slopes += [_excess_slope(_sweep(findings, batch, name, form=form), batch, "bound") for form in FORMS]
            rows.append([name, batch, *slopes])
    return markdown_table(["problem", "batch", "exact", *(form.replace("_", " ") for form in FORMS)], rows)


def _attained_sentence(findings) -> str:
    attained = select(findings, "prop4", "refined_local", CONCAVE)
    gap = attainment_gap(attained)
    if gap > 1e-9:
        return f"- On the concave quadratic the ratio to the refined local form differs from 1 by up to {gap:.2g}."
    return (
        f"- **The concave quadratic attains the refined local form** in all {len(attained)} cells (the ratio differs "
        f"from 1 by at most {gap:.0e}), Hessian noise included. For ρ = 0 no smaller bound exists in terms of L, "
        "$\\sigma_g$, $\\sigma_H$ and the task gradients."
    )


def _growth_sentence(findings) -> str:
    exact = _sweep(findings, "N", CONCAVE)
    slope = measured_slope(exact, [(1 + float(FIXED)) ** f.parameters["N"] for f in exact])
    first, *_, last = exact
    tame, *_, bounded = _sweep(findings, "N", CONCAVE, SHRINKING)
    factor, other = last.verdict.value / first.verdict.value, bounded.verdict.value / tame.verdict.value
    lead = "**At fixed α the second moment can grow exponentially in N.** " if factor > 100 * other else ""
    return (
        f"- {lead}At αL = {FIXED} on the concave quadratic it grows {number(factor)}-fold from N = "
        f"{first.parameters['N']} to N = {last.parameters['N']}, like $q^{{pN}}$ with p = {slope} (theory for large "
        f"N: p = {_limit(CONCAVE):.3f}). With αL = {SHRINKING} the factor is {number(other)}."
    )


def _loose(findings, form):
    ratios = [1 / f.verdict.ratio for f in select(findings, "prop4", form) if f.verdict.ratio > 0]
    return f"{number(min(ratios))} to {number(max(ratios))}"


def _forms_sentence(findings) -> str:
    words = ", ".join(f"{form.replace('_', ' ')} {_loose(findings, form)}" for form in FORMS)
    refused = [f for f in select(findings, "prop4", "paper") if f.verdict.outcome == "not applicable"]
    return (
        f"- **How loose (bound over measured value):** {words}. The paper's, sharp and refined forms need "
        f"$q^{{2N}} < 2$, which fails in {len(refused)} settings; the local forms use the measured task gradients "
        "instead."
    )


def _batch_sentence(findings) -> str:
    exact, sharp, refined = (
        _excess_slope(_sweep(findings, "S", QUADRATIC, form=form), "S", field)
        for form, field in (("local", "value"), ("local", "bound"), ("refined_local", "bound"))
    )
    lead = "**The share of S is of order 1/S, not 1/√S.** " if exact == refined == "-1.000" else "The share of S: "
    return (
        f"- {lead}On the quadratics the exact second moment loses it like $S^p$ with p = {exact}; the refined local "
        f"form has p = {refined}, the local one, which bounds a cross term by Minkowski's inequality, p = {sharp}."
    )


def tell(findings: Sequence[Finding], directory: Path) -> str:
    """Figures and report."""
    rows = [[("N", name, label) for name in PROBLEMS] for label in (SHRINKING, FIXED)]
    _figure(findings, directory / "steps.svg", rows)
    rows = [[(batch, name, FIXED) for batch in BATCHES] for name in (QUADRATIC, TRIGONOMETRIC)]
    _figure(findings, directory / "batches.svg", rows)
    return f"""# {STUDY.title}

Proposition 4 bounds $E_iE\\|\\hat G_i\\|^2$, the mean square of the stochastic meta gradient of one task. The `paper`,
`sharp` and `refined` forms know the meta gradient and the task heterogeneity σ; the local forms know the task
gradients at w. The refined forms keep the cross term between the path's error and the gradient small: only the mean of
that error enters it.

## What was found

- {summary_sentence(findings)}
{_attained_sentence(findings)}
{_growth_sentence(findings)}
{_batch_sentence(findings)}
{_forms_sentence(findings)}

## Verdicts

{outcome_table(findings)}
{VERDICT_NOTE.format(confidence=STUDY.confidence)}
## Growth with N

S = T = D = 1. Bounds that need $q^{{2N}} < 2$ end where it fails.

![Second moment against N](steps.svg)

Exponents in $q^N$ at αL = {FIXED}, fitted over all N; the theory's is the one for large N, $(Aq^2)^N$ with
$A = q^2 + α^2\\sigma_H^2/D$. Last two columns: the value at the largest N over that at N = 1, αL = {SHRINKING}.

{_growth(findings)}
## Batch sizes

N = 3, αL = {FIXED}, and the other two batch sizes are 4.

![Second moment against S, T and D](batches.svg)

Exponents of the share of each batch, from differences of successive values; a dash where there is none:

{_batches(findings)}
## How loose

Bound over measured value, over the sweep:

{looseness_table(findings)}"""


STUDY = Study("second-moment", "Second moment of the stochastic meta gradient", cells, tell)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(STUDY)
