"""Hessian estimators from Gaussian directions: bias, variance, and what losses alone cost. (Propositions 5 to 7)

Sweeps the smoothing radius nu, the directions Q, the dimension d and the batch size D over a kink (the worst case for
the bias), a bowl (the worst case for the variance, but for one direction in d + 2), trigonometric tasks and a softmax
bandit, whose values are sampled. Run ``python studies/hessian_estimators.py --help``.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, SoftmaxBandit, Trigonometric
from maml_bench.study.facts import bound_slope, exponent_table, loglog_slope, measured_slope, minimum_on_grid
from maml_bench.study.figures import COLORS, FORM_LINES, forms_against, forms_key, key, panels, save, sweep
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

KINK, BOWL, TRIGONOMETRIC, BANDIT = "kink", "bowl", "trigonometric", "softmax bandit"
FAMILIES = {
    KINK: lambda d: Kink(np.zeros((1, d)), np.zeros((1, d))),
    BOWL: lambda d: Quadratic(np.eye(d), np.zeros((1, d))),
    TRIGONOMETRIC: lambda d: Trigonometric.random(d, 1, rng=2),
    BANDIT: lambda d: SoftmaxBandit.random(d, 1, rng=2),
}
GGS, ZO, STEIN = "GGS", "ZO", "ZO, Stein"
ESTIMATORS = {GGS: GaussianSmoothing, ZO: ZerothOrder, STEIN: partial(ZerothOrder, stein=True)}
VARIANCE = {GGS: "prop7-vector", ZO: "zo-vector", STEIN: "zo-stein-vector"}
PROP7 = ("prop7-vector", "prop7-frobenius", "prop7-spectral")
NU, SMALL_NU, MANY = 1 / 16, 0.02, 10_000
BATCHES = (1, 16, 256)
QUICK_BUDGET, BUDGET, EQUALITY_BUDGET = 50_000, 1_000_000, 300_000
TRADE_OFFS = {KINK: ("sharp", "−1/4"), TRIGONOMETRIC: ("smooth", "−1/6")}
"""Form of the bias bound, and exponent in D of the radius that balances it against the noise."""


def setting(problem, estimator, d, nu, Q, D=1, sigma_g=0.0) -> Setting:
    """The kink is looked at where it is, the others at a point without symmetry."""
    tasks = FAMILIES[problem](d)
    tasks = tasks.with_noise(AdditiveGaussian(sigma_g)) if sigma_g else tasks
    w = np.zeros(d) if problem == KINK else np.linspace(-0.5, 1.0, d)
    hessian = ESTIMATORS[estimator](nu, Q, data="resampled" if sigma_g else "population")
    return Setting(tasks, w, InnerLoop(alpha=0.1, steps=1, D=D), hessian)


def cells(quick: bool) -> list[Cell]:
    """One parameter swept at a time; exact but for the bandit, the spectral norm and the equalities of Prop. 5."""
    budget, precision = (QUICK_BUDGET, 0.05) if quick else (BUDGET, 0.02)
    out = []

    def add(problem, claims, estimator=GGS, d=4, nu=NU, Q=16, D=1, sigma_g=0.0):
        found = setting(problem, estimator, d, nu, Q, D, sigma_g)
        parameters = {"estimator": estimator, "d": d, "ν": nu, "Q": Q, "D": D, "σ_g": sigma_g}
        out.append(
            Cell(problem, parameters, found, claims, EQUALITY_BUDGET if "prop5" in claims else budget, precision)
        )

    for nu in (2.0 ** -np.arange(1, 9, 3 if quick else 1)).tolist():
        add(KINK, ("prop6",), d=1, nu=nu)
        add(TRIGONOMETRIC, ("prop6", VARIANCE[GGS]), nu=nu)
        add(BANDIT, ("prop6",), nu=nu)
        add(TRIGONOMETRIC, ("prop5", "prop8-mean", VARIANCE[ZO]), ZO, nu=nu)
        add(TRIGONOMETRIC, ("prop5", VARIANCE[STEIN]), STEIN, nu=nu)
    for Q in (1, 16, 64) if quick else (1, 4, 16, 64, 256):
        for problem, claims in ((BOWL, PROP7), (TRIGONOMETRIC, PROP7), (BANDIT, PROP7[:2])):
            if problem != BANDIT or Q <= 64:  # many directions are slow to sample
                add(problem, claims, Q=Q, nu=SMALL_NU)
    for d in (1, 4, 16, 64, 256):
        for estimator, claim in VARIANCE.items():
            add(BOWL, (claim,), estimator, d=d, Q=64)
        add(BOWL, ("prop7-frobenius",), d=d, Q=64)
        if d <= 64:
            add(KINK, ("prop6",), d=d, Q=64)
    for D in BATCHES:
        for nu in (2.0 ** -np.arange(0, 8.1, 0.5 if quick else 0.25)).tolist():
            for problem, d in ((KINK, 1), (TRIGONOMETRIC, 4)):
                add(problem, ("prop6", VARIANCE[GGS]), d=d, nu=nu, Q=MANY, D=D, sigma_g=1.0)
    return out


def _bias_figure(findings, path):
    figure, axes = panels(2, 2, width=4.2)
    chosen = [f for f in select(findings, "prop6") if f.verdict.form != "refined"]
    labels = {"ν": "smoothing radius ν", "d": "dimension d"}
    views = [(KINK, 16, "ν"), (TRIGONOMETRIC, 16, "ν"), (BANDIT, 16, "ν"), (KINK, 64, "d")]
    for panel, (problem, Q, x) in zip(axes.flat, views, strict=True):
        forms_against(panel, x, select(chosen, None, None, problem, Q=Q))
        fixed = f"ν = {NU:g}" if x == "d" else f"d = {1 if problem == KINK else 4}"
        panel.set(xlabel=labels[x], ylabel="bias", title=f"{problem}, {fixed}")
    forms_key(figure, chosen, columns=5)
    save(figure, path)


def _variance_figure(findings, path):
    figure, axes = panels(1, 2, width=4.2, height=3.2)
    colors = dict(zip((BOWL, TRIGONOMETRIC, BANDIT), COLORS, strict=False))
    labels = {"prop7-vector": "variance on a unit vector", "prop7-spectral": "deviation, spectral norm"}
    for panel, (claim, ylabel) in zip(axes[0], labels.items(), strict=True):
        for problem, color in colors.items():
            sweep(panel, select(findings, claim, None, problem, ν=SMALL_NU), "Q", ("sharp", "refined"), color)
        panel.set(xlabel="directions Q", ylabel=ylabel, title="d = 4, no noise")
    key(figure, colors, ("sharp", "refined"), exact=True, columns=4)
    save(figure, path)


def _zeroth_order_figure(findings, path):
    figure, (axes,) = panels(1, 2, width=4.2, height=3.2)
    colors = dict(zip(VARIANCE, COLORS, strict=False))
    sweep(axes[0], select(findings, "prop6", None, TRIGONOMETRIC, Q=16), "ν", ("smooth",), colors[GGS])
    constant, half_trace = _constant_error(findings)
    axes[0].plot(*zip(*constant.items(), strict=True), "o", color=colors[ZO], markerfacecolor="white")
    axes[0].axhline(half_trace, color=colors[ZO], linewidth=0.8)
    axes[0].text(min(constant), 1.3 * half_trace, "half the trace", color=colors[ZO])
    axes[0].set(xlabel="smoothing radius ν", ylabel="error of the mean", title="trigonometric, d = 4")
    axes[0].set_ylim(top=5)
    for estimator, color in colors.items():
        sweep(axes[1], select(findings, VARIANCE[estimator], None, BOWL, Q=64, ν=NU), "d", ("sharp",), color)
    axes[1].set(xlabel="dimension d", ylabel="variance on a unit vector", title="bowl, Q = 64")
    key(figure, colors, ("sharp", "smooth"), exact=True, found="", columns=6)
    save(figure, path)


def _constant_error(findings) -> tuple[dict[float, float], float]:
    """By radius, ``||E H^|| - ||H||`` of ZO, a lower bound on the error of its mean; and half the trace of H."""
    case = setting(TRIGONOMETRIC, ZO, 4, NU, 1)
    H = case.tasks.hess(case.w)[0]
    plain = select(findings, "prop8-mean", "sharp", TRIGONOMETRIC)
    return {f.parameters["ν"]: f.verdict.value - np.linalg.norm(H, 2) for f in plain}, np.trace(H) / 2


def _trade_off(findings, problem, D, form):
    """Radii, and bias^2 + variance there: of the bounds with the bias in the given form, measured for None."""
    bias = select(findings, "prop6", form or "sharp", problem, D=D, σ_g=1.0)
    variance = select(findings, "prop7-vector", "sharp", problem, D=D, σ_g=1.0)
    field = "bound" if form else "value"
    total = [getattr(b.verdict, field) ** 2 + getattr(v.verdict, field) for b, v in zip(bias, variance, strict=True)]
    return [f.parameters["ν"] for f in bias], total


def _trade_off_figure(findings, path):
    figure, axes = panels(1, 2, width=4.2, height=3.2)
    colors = dict(zip(BATCHES, COLORS, strict=False))
    for panel, (problem, (form, _)) in zip(axes[0], TRADE_OFFS.items(), strict=True):
        for D, color in colors.items():
            panel.plot(*_trade_off(findings, problem, D, None), "o", color=color, markerfacecolor="white", markersize=3)
            radii, total = _trade_off(findings, problem, D, form)
            panel.plot(radii, total, linestyle=FORM_LINES[form], color=color)
            panel.plot(minimum_on_grid(radii, total)[0], min(total), "v", color=color, markersize=7)
        panel.set(xscale="log", yscale="log", xlabel="smoothing radius ν", ylabel="bias² + variance")
        panel.set_title(f"{problem}, d = {1 if problem == KINK else 4} (▼ least of the bound)")
    forms = [form for form, _ in TRADE_OFFS.values()]
    key(figure, {f"D = {D}": color for D, color in colors.items()}, forms, exact=True, found="", columns=4)
    save(figure, path)


def _trade_off_table(findings) -> tuple[str, float]:
    """The best radius by D, with its exponent; and the largest factor by which the bounds' radius costs more."""
    rows = []
    for problem, (form, theory) in TRADE_OFFS.items():
        minima = [[minimum_on_grid(*_trade_off(findings, problem, D, kind)) for D in BATCHES] for kind in (None, form)]
        for D, found, bounds in zip(BATCHES, *minima, strict=True):
            cost = dict(zip(*_trade_off(findings, problem, D, None), strict=True))
            radii = number(found[0]), number(bounds[0])
            rows.append([f"{problem}, {form}", D, *radii, cost[bounds[0]] / cost[found[0]]])
        slopes = [loglog_slope(BATCHES, *zip(*line, strict=True)) for line in minima]
        rows.append([f"{problem}, exponent in D (theory: {theory})", "", *map(str, slopes), float("nan")])
    header = ["problem, form of the bias bound", "D", "best ν", "ν that minimizes the bounds", "cost of the latter"]
    return markdown_table(header, rows), float(np.nanmax([row[-1] for row in rows]))


def _exponents(findings) -> str:
    """Fitted exponents beside those of the bounds and what the theory expects of the measured ones."""
    pick = partial(select, findings)
    rows = [
        ("bias, kink", "ν", pick("prop6", "sharp", KINK, Q=16), 1),
        ("bias, trigonometric", "ν", pick("prop6", "smooth", TRIGONOMETRIC, Q=16), 2),
        ("bias, softmax bandit", "ν", pick("prop6", "smooth", BANDIT), 2),
        ("Δ, trigonometric", "ν", pick("prop5", "smooth", TRIGONOMETRIC, estimator=ZO), 2),
        ("bias, kink", "d", pick("prop6", "sharp", KINK, Q=64), 0),
    ]
    for problem in (BOWL, TRIGONOMETRIC, BANDIT):
        rows.append((f"variance, {problem}", "Q", pick("prop7-vector", "sharp", problem, ν=SMALL_NU), -1))
    for problem in (BOWL, TRIGONOMETRIC):
        chosen = pick("prop7-spectral", "refined", problem, ν=SMALL_NU)
        rows.append((f"spectral deviation, {problem}", "Q", chosen, -0.5))
    for name, claim, expected in ((GGS, PROP7[0], 1), (f"{GGS}, Frobenius", PROP7[1], 2), (ZO, "zo-vector", 3)):
        large = [f for f in pick(claim, "sharp", BOWL, Q=64, ν=NU) if f.parameters["d"] >= 64]
        rows.append((f"variance of {name}, bowl, d ≥ 64", "d", large, expected))
    noisy = [f for f in pick("prop7-vector", "sharp", TRIGONOMETRIC, σ_g=1.0) if f.parameters["ν"] <= 1 / 16]
    rows.append(("variance with noise, D = 1, ν ≤ 1/16", "ν", select(noisy, D=1), -2))
    rows.append(("variance with noise, ν = 1/256", "D", select(noisy, ν=1 / 256), -1))
    return exponent_table(rows)


def _bias_sentences(findings) -> str:
    at_kink = {form: select(findings, "prop6", form, KINK, Q=16) for form in ("sharp", "paper")}
    sharp, paper = ([f.verdict.ratio for f in rows if f.parameters["ν"] <= 1 / 8] for rows in at_kink.values())
    smooth = [1 / f.verdict.ratio for f in select(findings, "prop6", "smooth") if f.verdict.ratio > 0]
    wide = select(findings, "prop6", "sharp", KINK, Q=64)
    return f"""- **Bias at a kink, d = 1:** for ν ≤ 1/8 the ratio to the sharp bound differs from 1 by at most
  {max(abs(1 - r) for r in sharp):.1e}, and the paper's bound is {1 / max(paper):.5f} times the exact bias
  ($\\sqrt{{\\pi/2}}$ = {np.sqrt(np.pi / 2):.5f}). At larger ν the curvature of this loss reaches its ceiling.
- **Bias of smooth losses:** the smooth bound $\\tau\\nu^2d/2$ exceeds it by a factor of {min(smooth):.3g} to
  {max(smooth):.3g} over all settings where it applies.
- **Bias against d:** at the kink it has the exponent {measured_slope(wide, "d")} in d, the sharp bound
  {bound_slope(wide, "d")}: the coordinates of that loss do not interact. Whether any loss needs the bound's growth
  like $\\sqrt d$ is not tested here."""


def _variance_sentences(findings) -> str:
    bowl = select(findings, "prop7-vector", "sharp", BOWL)
    gap = max(abs(f.verdict.ratio - (f.parameters["d"] + 1) / (f.parameters["d"] + 2)) for f in bowl)
    refined = attainment_gap(select(findings, "prop7-vector", "refined", BOWL))
    closest = max(select(findings, "prop7-spectral", "refined", BOWL), key=lambda f: f.verdict.ratio)
    return f"""- **Variance of GGS:** on the bowl the ratio to the sharp vector bound is (d+1)/(d+2), up to {gap:.1e};
  the refined bound differs from the exact variance by at most {refined:.1e}, relatively. In the spectral norm, which
  is sampled for d > 1, the largest ratio to the refined bound on the bowl is {closest.verdict.ratio:.3f}
  (Q = {closest.parameters["Q"]})."""


def _zeroth_order_sentences(findings) -> str:
    constant, half_trace = _constant_error(findings)
    nu = min(constant)
    (smoothed,) = select(findings, "prop6", "sharp", TRIGONOMETRIC, ν=nu, Q=16)
    equalities = [f for f in findings if f.verdict.form in ("identity", "stein") and f.verdict.method]
    held = sum(f.verdict.outcome == "holds" for f in equalities)
    variances = {name: select(findings, VARIANCE[name], "sharp", BOWL, Q=64, ν=NU) for name in (GGS, ZO)}
    pairs = zip(variances[ZO], variances[GGS], strict=True)
    ratio = {f.parameters["d"]: f.verdict.value / g.verdict.value for f, g in pairs}
    second, last = sorted(ratio)[-2:]
    exponent = np.log(ratio[last] / ratio[second]) / np.log(last / second)
    at = [f.verdict.value for f in select(findings, "zo-vector", "sharp", TRIGONOMETRIC)]
    return f"""- **The constant error of ZO:** on the trigonometric task, at ν = {nu:.2g}, the mean is at least
  {constant[nu]:.4f} away from the Hessian; half its trace is {half_trace:.4f}. GGS is {smoothed.verdict.value:.2g}
  away. {held} of {len(equalities)} equalities of Proposition 5 (plain and Stein-corrected mean, tested to 2 %) are
  confirmed: with $uu^T - I$ in place of $uu^T$ the mean is $\\nabla^2l_\\nu$, that of GGS.
- **What losses alone cost:** for the same variance on the bowl, ZO needs
  {", ".join(f"{number(r)} (d = {d})" for d, r in sorted(ratio.items()))} times the directions of GGS; from d = {second}
  to {last} this grows like $d^{{{exponent:.2f}}}$ (the limit is 2). On the trigonometric task the variance
  of ZO stays between {number(min(at))} and {number(max(at))} over all ν."""


def tell(findings: Sequence[Finding], directory: Path) -> str:
    """Figures and report."""
    _bias_figure(findings, directory / "bias.svg")
    _variance_figure(findings, directory / "variance.svg")
    _zeroth_order_figure(findings, directory / "zeroth-order.svg")
    _trade_off_figure(findings, directory / "trade-off.svg")
    trade_off, cost = _trade_off_table(findings)
    return f"""# {STUDY.title}

Two estimators draw Q Gaussian directions of length ν: GGS takes differences of gradients, ZO second differences of
losses. What is their bias, and their variance? The kink is a loss whose second derivative is $\\rho|w_k|$ in each
coordinate, near the point looked at; the bowl is $\\|w\\|^2/2$.

## What was found

- {summary_sentence(findings)}
{_bias_sentences(findings)}
{_variance_sentences(findings)}
{_zeroth_order_sentences(findings)}
- **Noise:** fresh data at both points add $2\\sigma_g^2/(QD\\nu^2)$ to the variance, so bias² + variance has a minimum
  in ν. The ν at the minimum of the bounds costs at most {cost:.3g} times the true minimum: see the last table.

## Verdicts

{outcome_table(findings)}
{VERDICT_NOTE.format(confidence=STUDY.confidence)}Here it mostly means that a form speaks of another estimator
(`identity` of ZO, `stein` of its corrected form), that the kink has no τ (`smooth`), or that Q < d (the spectral
`sharp` form).

## Exponents

Brackets are limits, for exponents fitted to all points jointly. An expected exponent holds in the limit; fits are over
a finite range.

{_exponents(findings)}
## Bias of GGS

![Bias against the smoothing radius and the dimension](bias.svg)

## Variance of GGS

![Variance against the number of directions](variance.svg)

## Losses instead of gradients

![Error of the mean against the radius, variance against the dimension](zeroth-order.svg)

Left: for ZO a lower bound on the error, $\\|E\\hat H\\| - \\|H\\|$. The mean of the Stein-corrected estimator is that
of GGS. Right: the curves of ZO and of its corrected form nearly coincide.

## The best radius with noise

![Bias squared plus variance against the radius](trade-off.svg)

Q = {MANY}, $\\sigma_g = 1$. A limit of an exponent is where the minimum would lie at neighbouring points of the grid.

{trade_off}"""


STUDY = Study("hessian-estimators", "Hessian estimators from Gaussian directions", cells, tell)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(STUDY)
