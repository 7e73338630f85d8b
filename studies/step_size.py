"""How large may the inner step be when Hessians are estimated from losses alone? (Proposition 8)

Means of the product of N factors I - alpha H^(w_j), with the zeroth-order estimator and with its Stein-corrected form,
whose mean is that of gradient differences, and of the exact Hessian where the loss is quadratic. Run
``python studies/step_size.py --help``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import ZerothOrder
from maml_bench.problems import Quadratic, SoftmaxBandit, Trigonometric
from maml_bench.study.facts import crossing_on_grid, loglog_slope
from maml_bench.study.figures import COLORS, key, panels, save, sweep
from maml_bench.study.findings import Finding
from maml_bench.study.run import Cell, Study
from maml_bench.study.tables import (
    VERDICT_NOTE,
    attainment_gap,
    markdown_table,
    number,
    outcome_table,
    select,
    summary_sentence,
)

DOME, BOWL, TRIGONOMETRIC, BANDIT = "dome", "bowl", "trigonometric", "softmax bandit"
FAMILIES = {
    DOME: lambda d: Quadratic.concave(d),
    BOWL: lambda d: Quadratic(np.eye(d), np.zeros((1, d))),
    TRIGONOMETRIC: lambda d: Trigonometric.random(d, 1, rng=5),
    BANDIT: lambda d: SoftmaxBandit.random(d, 1, rng=2),
}
ESTIMATORS = {"ZO": False, "Stein": True}
FORMS = {"ZO": "sharp", "Stein": "stein"}
FIXED, SHRINKING, SMALLER = "1/8", "1/(8N)", "1/(8N(1+d/2))"
RULES = {
    FIXED: lambda N, d: 1 / 8,
    SHRINKING: lambda N, d: 1 / (8 * N),
    SMALLER: lambda N, d: 1 / (8 * N * (1 + d / 2)),
}
CONVERSE = {"0.2": 0.2, "0.3": 0.3, "0.4": 0.4, "0.6": 0.6}
GROWTH_D = {DOME: 10, TRIGONOMETRIC: 4, BANDIT: 4}
GRID_N, GRID_D, CONVERSE_D = 4, 8, 10


def cells(quick: bool) -> list[Cell]:
    """Growth in N under three rules for the step; the converse on the bowl; a grid to find the largest good step."""
    budget, precision = (50_000, 0.05) if quick else (1_000_000, 0.02)
    out = []

    def add(problem, d, N, label, alpha_l):
        tasks = FAMILIES[problem](d)
        for name, stein in ESTIMATORS.items():
            inner = InnerLoop(alpha_l / tasks.regularity.L, N)
            case = Setting(tasks, np.linspace(-0.5, 1.0, d), inner, ZerothOrder(0.1, 10, stein=stein))
            parameters = {"estimator": name, "d": d, "N": N, "αL": label}
            out.append(Cell(problem, parameters, case, ("prop8",), budget, precision, forms=(FORMS[name],)))

    for N in (1, 4, 16) if quick else (1, 2, 4, 8, 16, 32):
        for label, rule in RULES.items():
            for problem, d in GROWTH_D.items():
                add(problem, d, N, label, rule(N, d))
    for N in (1, 4, 16) if quick else (1, 2, 4, 6, 8, 12, 16):
        for label, alpha_l in CONVERSE.items():
            add(BOWL, CONVERSE_D, N, label, alpha_l)
    for d, N in [(d, GRID_N) for d in ((2, 8, 64) if quick else (2, 4, 8, 16, 32, 64, 128))] + [
        (GRID_D, 1),
        (GRID_D, 16),
    ]:
        for exponent in np.arange(-10, 2.1, 1.0 if quick else 0.25).tolist():
            for problem in (BOWL, DOME):
                add(problem, d, N, 2.0**exponent, 2.0**exponent)
    return out


def _growth_figure(findings, path):
    problems = (DOME, TRIGONOMETRIC, BANDIT)
    figure, axes = panels(2, 3, sharex=True)
    for row, estimator in zip(axes, ESTIMATORS, strict=True):
        for panel, problem in zip(row, problems, strict=True):
            for rule, color in zip(RULES, COLORS, strict=False):
                chosen = select(findings, "prop8", None, problem, estimator=estimator, αL=rule)
                sweep(panel, chosen, "N", (FORMS[estimator],), color)
            panel.set_title(f"{problem}, {estimator}")
        row[0].set_ylabel("norm of the mean product")
    for panel in axes[1]:
        panel.set_xlabel("inner steps N")
    key(
        figure,
        dict(zip((f"αL = {rule}" for rule in RULES), COLORS, strict=False)),
        FORMS.values(),
        exact=True,
        columns=4,
    )
    save(figure, path)


def _converse_figure(findings, path):
    figure, (axes,) = panels(1, 2, width=4.2, height=3.0, sharey=True)
    for panel, estimator in zip(axes, ESTIMATORS, strict=True):
        for label, color in zip(CONVERSE, COLORS, strict=False):
            chosen = _of_form(findings, BOWL, estimator, αL=label)
            steps = [f.parameters["N"] for f in chosen]
            panel.plot(
                steps, [f.verdict.value for f in chosen], "o-", color=color, markerfacecolor="white", linewidth=0.6
            )
        panel.axhline(1, color="black", linewidth=0.8)
        panel.set(yscale="log", xlabel="inner steps N", title=f"bowl, d = {CONVERSE_D}, {estimator}")
    axes[0].set_ylabel("norm of the mean product")
    colors = dict(zip((f"αL = {label}" for label in CONVERSE), COLORS, strict=False))
    key(figure, colors, (), exact=True, found="", columns=5)
    save(figure, path)


def _of_form(findings, problem, estimator, **parameters) -> list[Finding]:
    return select(findings, "prop8", FORMS[estimator], problem, estimator=estimator, **parameters)


def _brackets(findings, problem, estimator, **fixed) -> dict[tuple[int, int], tuple[float, float]]:
    """By (d, N): between which steps of the grid the product exceeds the limit."""
    grid = [f for f in _of_form(findings, problem, estimator, **fixed) if isinstance(f.parameters["αL"], float)]
    found = {}
    for d, N in sorted({(f.parameters["d"], f.parameters["N"]) for f in grid}):
        chosen = sorted(select(grid, d=d, N=N), key=lambda f: f.parameters["αL"])
        values = [f.verdict.upper for f in chosen]
        found[d, N] = crossing_on_grid([f.parameters["αL"] for f in chosen], values, LIMITS[problem])
    return found


def _slopes(findings, problem, estimator, **fixed) -> list[str]:
    """Exponents of the largest step in 1 + d/2 or, if d is fixed, in N: measured, and the theory's at these points."""
    brackets = _brackets(findings, problem, estimator, **fixed)
    x = [N if "d" in fixed else 1 + d / 2 for d, N in brackets]
    low, high = map(np.array, zip(*brackets.values(), strict=True))
    theory = [_theory(problem, estimator, *cell) for cell in brackets]
    measured = loglog_slope(x, np.sqrt(low * high), low, high)
    return [problem, estimator, "N" if "d" in fixed else "1 + d/2", str(measured), str(loglog_slope(x, *[theory] * 3))]


LIMITS = {BOWL: 1.0, DOME: 2**0.5}
"""Products that are still good: those that do not grow; and those whose square is at most 2, as Theorem 1 asks."""


def _theory(problem, estimator, d, N) -> float:
    """The step at which |1 - a g| = 1 on the bowl, and (1 + a g)^N = sqrt(2) on the dome; g is 1 + d/2, corrected 1."""
    growth = 1 + d / 2 if estimator == "ZO" else 1
    return (2 if problem == BOWL else LIMITS[DOME] ** (1 / N) - 1) / growth


def _largest_figure(findings, path):
    figure, (axes,) = panels(1, 2, width=4.2, height=3.0)
    titles = {BOWL: "bowl: product at most 1", DOME: "dome: squared product at most 2"}
    for panel, problem in zip(axes, LIMITS, strict=True):
        for estimator, color in zip(ESTIMATORS, COLORS, strict=False):
            brackets = _brackets(findings, problem, estimator, N=GRID_N)
            x = [d for d, _ in brackets]
            low, high = map(np.array, zip(*brackets.values(), strict=True))
            middle = np.sqrt(low * high)
            panel.errorbar(x, middle, [middle - low, high - middle], fmt="o", color=color, markersize=3, capsize=2)
            panel.plot(x, [_theory(problem, estimator, *cell) for cell in brackets], color=color)
        panel.set(xscale="log", yscale="log", xlabel="dimension d", title=f"{titles[problem]}, N = {GRID_N}")
    axes[0].set_ylabel("largest αL")
    colors = dict(zip(ESTIMATORS, COLORS, strict=False))
    key(figure, colors, (), found="measured, between steps of the grid (line: theory)", columns=3)
    save(figure, path)


def _rates(findings) -> str:
    """Growth of the product per step on the bowl, measured from the first to the last N, beside the theory's."""
    rows = []
    for label, alpha_l in CONVERSE.items():
        for estimator, growth in (("ZO", 1 + CONVERSE_D / 2), ("Stein", 1)):
            chosen = sorted(_of_form(findings, BOWL, estimator, αL=label), key=lambda f: f.parameters["N"])
            first, last = chosen[0], chosen[-1]
            steps = last.parameters["N"] - first.parameters["N"]
            rate = (last.verdict.value / first.verdict.value) ** (1 / steps)
            rows.append([label, estimator, alpha_l * growth, rate, abs(1 - alpha_l * growth), last.verdict.value])
    header = [
        "αL",
        "estimator",
        "αL(1+d/2) or αL",
        "factor per step, measured",
        "theory",
        "product after the last step",
    ]
    return markdown_table(header, rows)


def tell(findings: Sequence[Finding], directory: Path) -> str:
    """Figures and report."""
    _growth_figure(findings, directory / "growth.svg")
    _converse_figure(findings, directory / "converse.svg")
    _largest_figure(findings, directory / "largest.svg")
    last = max(f.parameters["N"] for f in _of_form(findings, DOME, "ZO", αL=FIXED))
    dome = {(e, r): _of_form(findings, DOME, e, αL=r, N=last)[0] for e in ESTIMATORS for r in RULES}
    gap = attainment_gap(f for e in ESTIMATORS for f in _of_form(findings, DOME, e))
    wide = max(_of_form(findings, DOME, "ZO", N=GRID_N, αL=1 / (8 * GRID_N)), key=lambda f: f.parameters["d"])
    rows = [_slopes(findings, problem, estimator, N=GRID_N) for problem in LIMITS for estimator in ESTIMATORS]
    rows += [_slopes(findings, DOME, estimator, d=GRID_D) for estimator in ESTIMATORS]
    steps = {}
    for estimator in ESTIMATORS:
        low = [bracket[0] for bracket in _brackets(findings, DOME, estimator, N=GRID_N).values()]
        steps[estimator] = f"αL = {number(low[0])} and {number(low[-1])}"
    grows = [f for f in _of_form(findings, BOWL, "ZO", N=GRID_N) if f.verdict.lower > 1]
    return f"""# {STUDY.title}

The meta gradient contains the product of N factors $I - \\alpha\\hat H(w_j)$. The zeroth-order estimator (ZO) has a
mean of norm up to $L(1+d/2)$. Stein's correction brings that back to L; its mean is the smoothed Hessian, as that of
gradient differences (GGS) is, and on quadratic losses it is the exact Hessian. What is measured is the norm of the
mean product along the exact inner path. The dome is $-\\|w\\|^2/2$, the bowl $\\|w\\|^2/2$.

## What was found

- {summary_sentence(findings)}
- **The bounds are attained on the dome:** in all settings the ratio differs from 1 by at most {gap:.1e}.
- **A fixed step:** with αL = {FIXED} and d = {GROWTH_D[DOME]}, after N = {last} steps the mean product on the dome has
  the norm {_value(dome["ZO", FIXED])} with ZO and {_value(dome["Stein", FIXED])} with its corrected form.
- **αL = 1/(8N)** keeps the corrected product at {_value(dome["Stein", SHRINKING])}, and ZO at
  {_value(dome["ZO", SHRINKING])}; but the latter grows with d: at d = {wide.parameters["d"]} and N = {GRID_N} it is
  {_value(wide)}. **αL = {SMALLER}** keeps ZO at {_value(dome["ZO", SMALLER])}.
- **Converse.** On the bowl the exact product shrinks for αL < 2. With N = {GRID_N}, that of ZO is larger than 1 in
  {len(grows)} settings; the least αL(1+d/2) among them is {min(map(_reach, grows)):.3g}, where the theory says more
  than 2. The table under Converse has the factors per step.
- **The largest step** with which the squared mean product on the dome stays at most 2, N = {GRID_N}, is {steps["ZO"]}
  for ZO and {steps["Stein"]} for its corrected form, at the smallest and the largest d. The exponents are in the last
  table.

## Verdicts

{outcome_table(findings)}
{VERDICT_NOTE.format(confidence=STUDY.confidence)}The form `sharp` speaks of ZO, `stein` of its corrected form.

## Growth with the number of steps

![Norm of the mean product against N](growth.svg)

The dome and the bowl have d = {GROWTH_D[DOME]}, the other two d = {GROWTH_D[BANDIT]}.

## Converse

![Norm of the mean product on the bowl](converse.svg)

{_rates(findings)}
## Largest step

![Largest step against the dimension](largest.svg)

Exponents of the largest αL; the limits are those of the grid on which the step was sought.

{markdown_table(["problem", "estimator", "in", "exponent, measured", "of the theory"], rows)}"""


def _value(finding) -> str:
    return number(finding.verdict.value, 4)


def _reach(finding) -> float:
    """alpha L (1 + d/2)."""
    label = finding.parameters["αL"]
    return CONVERSE.get(label, label) * (1 + finding.parameters["d"] / 2)


STUDY = Study("step-size", "Step size with zeroth-order Hessians", cells, tell)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(STUDY)
