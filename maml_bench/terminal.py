"""What the command line prints: tables at 80 columns, progress, statements and verdicts."""

import math
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from analytic import Statement
from maml_bench.finding import Finding
from maml_bench.report.tables import OUTCOMES, number, select
from maml_bench.study import Study
from maml_bench.verdict import Verdict

COLORS = {"holds": "green", "violated": "bold red", "inconclusive": "yellow", "not applicable": "dim"}


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]], right_from: int = 99, title: str = "") -> None:
    """Print a table; columns from ``right_from`` on are right-aligned."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index >= right_from else "left")
    for row in rows:
        table.add_row(*(number(x) if isinstance(x, float) else str(x) for x in row))
    Console().print(table)


def progress(items: Iterable[Finding], total: int, label: str, console: Console) -> Iterator[Finding]:
    """Pass items through under a progress bar that counts them and the outcomes that want attention."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    violated = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        for item in items:
            violated += item.verdict.outcome == "violated"
            bar.update(task, advance=1, note=f"{violated} violated" if violated else "")
            yield item


def print_verdict(verdict: Verdict) -> None:
    """Print one verdict as a short paragraph."""
    console = Console(highlight=False)
    console.print(f"{verdict.claim} ({verdict.form}): [{COLORS[verdict.outcome]}]{verdict.outcome}[/]")
    if verdict.outcome == "not applicable":
        console.print(f"  {verdict.reason}", markup=False)
        return
    limits = "" if verdict.method == "exact" else f" in [{verdict.lower:.4g}, {verdict.upper:.4g}]"
    console.print(f"  measured  {verdict.value:.6g}{limits}", markup=False)
    console.print(f"  bound     {verdict.bound:.6g}   measured/bound {number(verdict.ratio, 4)}")
    drawn = "" if verdict.method == "exact" else f", {verdict.replicates:,} replicates, seed {verdict.seed}"
    console.print(f"  {verdict.method}{drawn}, {verdict.seconds:.2f} s: {verdict.reason}")


def print_findings(study: Study, findings: Sequence[Finding]) -> None:
    """Print a study's outcomes: one line for each claim, form and problem."""
    rows = []
    for claim, form, problem in dict.fromkeys((f.verdict.claim, f.verdict.form, f.problem) for f in findings):
        chosen = select(findings, claim, form, problem)
        ratios = [f.verdict.ratio for f in chosen if not math.isnan(f.verdict.ratio)]
        counts = [sum(f.verdict.outcome == outcome for f in chosen) for outcome in OUTCOMES]
        rows.append([claim, form, problem, *counts, max(ratios) if ratios else math.nan])
    header = ["claim", "form", "problem", "holds", "viol.", "open", "n/a", "ratio"]
    print_table(header, rows, right_from=3, title=f"{study.title}\n(ratio: the largest measured / bound)")


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
