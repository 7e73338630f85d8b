"""Selecting and tabulating findings."""

import math
from collections.abc import Iterable, Sequence

from maml_bench.evidence import Outcome
from maml_bench.study.findings import Finding

OUTCOMES = tuple(Outcome)


def select(findings: Iterable[Finding], claim=None, form=None, problem=None, **parameters) -> list[Finding]:
    """Findings with the given claim, form, problem and parameter values; None means any."""
    return [
        finding
        for finding in findings
        if (claim is None or finding.verdict.claim == claim)
        and (form is None or finding.verdict.form == form)
        and (problem is None or finding.problem == problem)
        and all(finding.parameters.get(name) == value for name, value in parameters.items())
    ]


def number(x: float | None, digits: int = 3) -> str:
    """A number in few characters; a dash where there is none."""
    if x is None or math.isnan(x):
        return "–"
    return f"{x:.{digits}g}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are shortened, and columns of numbers right-aligned."""
    rows = [list(row) for row in rows]
    numeric = [all(isinstance(x, int | float) for x in column) for column in zip(*rows, strict=True)]
    lines = [header, ["---:" if right else "---" for right in numeric]]
    lines += [[number(x) if isinstance(x, float) else str(x) for x in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def summary_sentence(findings: Sequence[Finding]) -> str:
    """How many verdicts there are and whether any is a violation, in Markdown."""
    count = {outcome: sum(f.verdict.outcome == outcome for f in findings) for outcome in OUTCOMES}
    if count["violated"]:
        names = sorted({f"{f.verdict.claim} ({f.verdict.form})" for f in findings if f.verdict.outcome == "violated"})
        return f"**{count['violated']} of {len(findings)} verdicts are violations:** {', '.join(names)}."
    rest = "".join(f" {outcome.capitalize()}: {count[outcome]}." for outcome in OUTCOMES[3:] if count[outcome])
    searched = f", {count['not refuted']} `not refuted` by a search" if count["not refuted"] else ""
    return f"**No bound is violated:** {count['holds']} of {len(findings)} verdicts are `holds`{searched}.{rest}"


def looseness_table(findings: Sequence[Finding]) -> str:
    """Bound over measured value: its least and its largest over the sweep, for each claim, form and problem."""
    rows = []
    for claim, form, problem in dict.fromkeys((f.verdict.claim, f.verdict.form, f.problem) for f in findings):
        chosen = [f for f in select(findings, claim, form, problem) if f.verdict.lower > 0 and f.verdict.ratio > 0]
        if chosen:
            least, most = (pick(chosen, key=lambda f: 1 / f.verdict.ratio) for pick in (min, max))
            rows.append([f"{claim}, {form}", problem, 1 / least.verdict.ratio, 1 / most.verdict.ratio, where(most)])
    return markdown_table(["claim, form", "problem", "least loose", "most loose", "at"], rows)


def attainment_gap(findings: Iterable[Finding]) -> float:
    """How far measured / bound is from 1 at most: of an extremal instance, rounding."""
    return max(abs(1 - f.verdict.ratio) for f in findings)


def where(finding: Finding) -> str:
    """The parameters of a finding, in words."""
    return ", ".join(
        f"{name} = {number(value) if isinstance(value, float) else value}" for name, value in finding.parameters.items()
    )


VERDICT_NOTE = """A ratio is measured value over bound. All verdicts of this study together are right with probability
{confidence:.0%}, as far as batch means are normal (exact values are right without that; a search can only refute).
`inconclusive` means that the limits still straddle the bound when the budget is spent, `not applicable` that a
hypothesis fails.
"""


def outcome_table(findings: Sequence[Finding]) -> str:
    """How many findings of each claim and form had each outcome, with the range of measured / bound."""
    rows = []
    for claim, form in dict.fromkeys((f.verdict.claim, f.verdict.form) for f in findings):
        chosen = select(findings, claim, form)
        ratios = [f.verdict.ratio for f in chosen if not math.isnan(f.verdict.ratio)]
        counts = [sum(f.verdict.outcome == outcome for f in chosen) for outcome in OUTCOMES]
        exact = sum(f.verdict.method == "exact" for f in chosen)
        span = (min(ratios), max(ratios)) if ratios else (math.nan, math.nan)
        rows.append([f"{claim}, {form}", *counts, exact, *span])
    header = ["claim, form", *OUTCOMES, "exact", "smallest ratio", "largest ratio"]
    return markdown_table(header, rows)
