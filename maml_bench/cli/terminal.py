"""What the command line prints: tables at 80 columns, progress, statements and verdicts."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analytic import Statement
from maml_bench.auditing import Audit
from maml_bench.claims import Claim
from maml_bench.power import Power, Rate
from maml_bench.study.text import number
from maml_bench.verdict import Verdict

COLORS = {
    "holds": "green",
    "not refuted": "green",
    "violated": "bold red",
    "inconclusive": "yellow",
    "not applicable": "dim",
}


def print_json(data: object) -> None:
    """Print as JSON, which has no word for what is not a number or infinite: these are null."""
    print(json.dumps(_finite(data), indent=1, allow_nan=False))


def _finite(data: object) -> object:
    if isinstance(data, Mapping):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = (), title: str = ""
) -> None:
    """Print a table; the columns numbered in ``right`` are right-aligned."""
    right = set(right)
    table = Table(title=escape(title) or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index in right else "left")
    for row in rows:
        table.add_row(*(number(x) if isinstance(x, float) else escape(str(x)) for x in row))
    Console().print(table)


def print_verdict(verdict: Verdict) -> None:
    """Print one verdict as a short paragraph."""
    console = Console(highlight=False)
    scaled = "" if verdict.factor == 1 else f", bound times {verdict.factor:g}"
    name = escape(f"{verdict.claim} ({verdict.form}{scaled})")
    console.print(f"{name}: [{COLORS[verdict.outcome]}]{verdict.outcome}[/]")
    if verdict.evidence is None:
        console.print(f"  {verdict.reason}", markup=False)
        return
    console.print(f"  measured  {verdict.value:.6g}{verdict.limits_in_words}", markup=False)
    console.print(f"  bound     {verdict.bound:.6g}   measured/bound {number(verdict.ratio, 4)}")
    drawn = "" if verdict.method == "exact" else f", {verdict.replicates:,} replicates, seed {verdict.seed}"
    console.print(f"  {verdict.evidence}{drawn}, {verdict.seconds:.2f} s: {verdict.reason}", markup=False)


FACTORS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.01, 1.02, 1.05, 1.1, 1.25, 2.0)


def _curve(found: Power) -> list[tuple[float, Rate, Rate]]:
    """(factor, rate of ``violated``, rate of ``holds``), around where half of the runs notice and half confirm."""
    low, high = found.noticed_at(0.5), found.confirmed_at(0.5)
    below, above = ([low * x for x in FACTORS if x < 1], [high * x for x in FACTORS if x > 1])
    factors = dict.fromkeys([*below, low, math.sqrt(low * high), high, *above])
    return [(factor, found.violated(factor), found.holds(factor)) for factor in factors]


def print_power(claim: Claim, found: Power) -> None:
    """Print how often a scaled bound is found violated or found to hold."""
    runs = len(found.noticed)
    rows = [
        [f"{factor:.4g}", *(f"{r.value:.2f} [{r.lower:.2f}, {r.upper:.2f}]" for r in (violated, holds))]
        for factor, violated, holds in _curve(found)
    ]
    title = f"{claim.name} ({claim.form}), {runs} runs of {found.replicates:,} replicates"
    print_table(["bound times", "says violated", "says holds"], rows, right=range(3), title=title)
    for share in (0.5, 0.95):
        if share < 1 - 1 / runs or share == 0.5:
            ends = f"{found.noticed_at(share):.4g} or less; confirmed: {found.confirmed_at(share):.4g} or more"
            print(f"noticed in {share:.0%} of runs: times {ends}")


def power_as_dict(claim: Claim, found: Power) -> dict:
    """The power of a check as a JSON object."""
    return {
        "claim": claim.name,
        "form": claim.form,
        "replicates": found.replicates,
        "noticed": found.noticed.tolist(),
        "confirmed": found.confirmed.tolist(),
        "curve": [
            {"factor": factor, "violated": asdict(violated), "holds": asdict(holds)}
            for factor, violated, holds in _curve(found)
        ],
    }


def print_audit(found: Audit) -> None:
    """Print an audit: its rows, and which statements may be applied."""
    verdict = "no violation found" if found.passed else "violated"
    rows = [[row.name, row.claimed, row.found, row.ratio, row.outcome, row.checked] for row in found.rows]
    print_table(
        ["name", "claimed", "found", "ratio", "outcome", "checked"],
        rows,
        title=f"{found.problem}: {verdict} (seed {found.seed}, {found.seconds:.1f} s)",
    )
    console = Console(highlight=False)
    console.print("\n" + "\n".join(found.reach), markup=False)


def statement_text(statement: Statement, latex: bool) -> str:
    """A statement with its forms, hypotheses and proofs."""
    lines = [f"{statement.name}: {statement.title}", f"  source: arXiv 2002.07836, {statement.source}"]
    lines.append(f"  bounds {statement.quantity_latex if latex else statement.quantity}")
    if statement.remarks:
        lines.append(f"  {statement.remarks}")
    for form, bound in statement.forms.items():
        formula = bound.latex() if latex else bound.text().replace("\n", "\n    ")
        lines += ["", f"{form}:", f"    {formula}"]
        lines += [f"  needs {condition.words}" for condition in bound.conditions]
        lines += [f"  constants: {', '.join(bound.arguments)}", f"  proof: {bound.proof}"]
    return "\n".join(lines)


def statement_as_dict(statement: Statement) -> dict:
    """A statement as a JSON object."""
    return {
        "statement": statement.name,
        "title": statement.title,
        "quantity": statement.quantity,
        "source": statement.source,
        "remarks": statement.remarks,
        "forms": {
            form: {
                "formula": str(bound.expression),
                "latex": bound.latex(),
                "conditions": [condition.words for condition in bound.conditions],
                "constants": bound.arguments,
                "proof": bound.proof,
            }
            for form, bound in statement.forms.items()
        },
    }
