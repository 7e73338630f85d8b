"""Every claim in every form on every family: measured, bound, ratio and verdict in one table.

One reference setting for each family; the other studies sweep. Run ``python studies/summary.py --help``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting, claims
from maml_bench.hessians import ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    FiniteSum,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)
from maml_bench.study.findings import Finding
from maml_bench.study.run import Cell, Study
from maml_bench.study.tables import VERDICT_NOTE, markdown_table, number, outcome_table, select, summary_sentence

ALPHA_L, STEPS = 0.05, 3


def families() -> dict[str, tuple[object, np.ndarray]]:
    """A reference problem and point for each family; where tasks have no noise of their own, a sampling model."""
    additive, phase = AdditiveGaussian(sigma_g=0.5), RandomPhase(amplitude=0.5, kappa=1.0)
    first, second = (Trigonometric.random(dim=4, tasks=4, rng=seed) for seed in (5, 6))
    moved = Trigonometric(first.A, second.b, first.amplitude, first.frequency, first.phase)
    return {
        "quadratic": (Quadratic.random(dim=4, tasks=4, rng=1).with_noise(additive), np.ones(4)),
        "concave": (Quadratic.concave(dim=4).with_noise(additive), np.ones(4)),
        "trigonometric": (Trigonometric.random(dim=4, tasks=4, rng=2).with_noise(phase), np.ones(4)),
        "kink": (Kink.random(dim=4, tasks=4, rng=3).with_noise(additive), np.ones(4)),
        "rank-one": (RankOne.random(dim=4, tasks=4, rng=4, radius=3.0).with_noise(phase), np.full(4, 0.25)),
        "bandit": (SoftmaxBandit.random(dim=4, tasks=4, rng=5), np.zeros(4)),
        "trig. pairs": (FiniteSum.pair(first, moved), np.ones(4)),
        "logistic": (Logistic.random(dim=4, tasks=4, rng=6), np.ones(4)),
    }


ESTIMATORS = {
    ExactHessian(): (
        "prop1",
        "prop2-first",
        "prop2-second",
        "prop2-mean",
        "prop3",
        "prop4",
        "finite-prop1",
        "finite-prop4",
    ),
    GaussianSmoothing(nu=0.1, directions=8): ("prop6", "prop7-vector", "prop7-frobenius", "prop7-spectral"),
    GaussianSmoothing(nu=0.1, directions=8, data="population"): ("finite-prop7-vector",),
    ZerothOrder(nu=0.1, directions=8, data="population"): ("prop5", "prop8", "prop8-mean", "zo-vector"),
    ZerothOrder(nu=0.1, directions=8, stein=True, data="population"): ("zo-stein-vector", "prop5", "prop8"),
}


def cells(quick: bool) -> list[Cell]:
    """Every claim, with the estimator it speaks of, for every family."""
    budget, precision = (5_000, 1.0) if quick else (200_000, 0.05)
    out = []
    for family, (tasks, w) in families().items():
        inner = InnerLoop(ALPHA_L / tasks.regularity.L, STEPS, S=4, D=4, T=4)
        for estimator, names in ESTIMATORS.items():
            setting = Setting(tasks, w, inner, estimator)
            out += [
                Cell(family, {}, setting, (name,), budget, precision, forms=_forms(name, estimator)) for name in names
            ]
    return out


def _forms(name: str, estimator) -> tuple[str, ...]:
    """The forms of a claim that speak of the estimator: some have one for the Stein-corrected estimator alone."""
    forms = claims.forms(name)
    if "stein" not in forms:
        return tuple(forms)
    return ("stein",) if getattr(estimator, "stein", False) else tuple(form for form in forms if form != "stein")


def entry(finding: Finding | None) -> str:
    """A finding in one short word: its ratio, marked if sampled or searched for, or why there is none."""
    if finding is None or finding.verdict.outcome == "not applicable":
        return "·"
    verdict = finding.verdict
    mark = {"exact": "", "monte-carlo": "~", "search": "≥"}[verdict.method]
    text = f"{mark}{number(verdict.ratio)}" if verdict.bound > 0 else "0/0" if verdict.value == 0 else f"{mark}/0"
    return {"holds": text, "not refuted": text, "inconclusive": f"{text} ?", "violated": f"**{text} violated**"}[verdict.outcome]


def _order(claim_and_form: tuple[str, str]) -> int:
    return list(claims.CLAIMS).index(claim_and_form)


def _ratios(findings) -> str:
    names = list(families())
    rows = []
    for claim, form in sorted({(f.verdict.claim, f.verdict.form) for f in findings}, key=_order):
        chosen = {f.problem: f for f in select(findings, claim, form)}
        rows.append([claim, form, *(entry(chosen.get(name)) for name in names)])
    return markdown_table(["claim", "form", *names], rows)


def _numbers(findings) -> str:
    rows = []
    for finding in findings:
        verdict = finding.verdict
        if verdict.outcome != "not applicable":
            numbers = (verdict.value, verdict.lower, verdict.upper, verdict.bound, verdict.ratio)
            names = (verdict.claim, verdict.form, finding.problem)
            rows.append([*names, *numbers, verdict.outcome, verdict.method, f"{verdict.replicates:,}"])
    header = [
        "claim",
        "form",
        "family",
        "measured",
        "lower",
        "upper",
        "bound",
        "ratio",
        "verdict",
        "method",
        "replicates",
    ]
    return markdown_table(header, rows)


def _reasons(findings) -> str:
    """Why claims do not apply, each reason once."""
    about = {}
    for finding in findings:
        if finding.verdict.outcome == "not applicable":
            claim, reason = finding.verdict.reason.split(" needs ", 1)
            seen = about.setdefault(reason, ({}, {}))
            seen[0][claim], seen[1][finding.problem] = None, None
    return "\n".join(
        f"- {', '.join(names)} on {', '.join(families)}: needs {reason}" for reason, (names, families) in about.items()
    )


def _is_equality(finding: Finding) -> bool:
    return claims.get(finding.verdict.claim, finding.verdict.form).sense == "="


def tell(findings: Sequence[Finding], directory: Path) -> str:
    """The tables."""
    tight = sorted(
        (f for f in findings if f.verdict.outcome != "not applicable" and f.verdict.bound > 0 and not _is_equality(f)),
        key=lambda f: -f.verdict.ratio,
    )
    tightest = ", ".join(
        f"{f.verdict.claim} ({f.verdict.form}) on {f.problem} {number(f.verdict.ratio)}" for f in tight[:5]
    )
    return f"""# {STUDY.title}

One reference setting for each family (N = {STEPS}, αL = {ALPHA_L}, S = D = T = 4; Hessian estimators with Q = 8,
ν = 0.1). Other studies sweep these parameters.

{summary_sentence(findings)} The largest ratios: {tightest}.

## Measured over bound

{_ratios(findings)}
No mark: exact. `~` sampled, `≥` the largest value that a search for a supremum found, `?` undecided within the
budget, `·` not applicable (the claim needs other tasks or a constant that the family does not have), `0/0` both sides
are exactly 0. Of `identity`, an equality, the ratio should be 1.

## Verdicts

{outcome_table(findings)}
{VERDICT_NOTE.format(confidence=STUDY.confidence)}
## Every number

<details><summary>Measured value, limits and bound of every applicable claim</summary>

{_numbers(findings)}
</details>

## Not applicable

{_reasons(findings)}
"""


STUDY = Study("summary", "Every claim on every family", cells, tell)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(STUDY)
