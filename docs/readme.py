"""The README's summary and tables, from the committed findings: ``python docs/readme.py`` rewrites it in place."""

from pathlib import Path

from analytic import STATEMENTS
from maml_bench.cli.studies import STUDIES, load_study
from maml_bench.study.answers import answer, counts, form_rows, sharper
from maml_bench.study.findings import EVIDENCE, load
from maml_bench.study.tables import summary_sentence
from maml_bench.study.text import markdown_table, number, span

ROOT = Path(__file__).parents[1]


def answers(reports: Path) -> str:
    """A row for each statement that was measured."""
    table, rows = load(reports), []
    for statement in STATEMENTS.values():
        found = table[table["claim"] == statement.name]
        tally = counts(found)
        if sum(tally[kind] for kind in EVIDENCE):
            told = answer(found, tuple(statement.forms), statement.sense)
            rows.append([f"`{statement.name}`", statement.title, told])
    return markdown_table(["statement", "about", "answer of the reference run"], rows)


def summary(reports: Path) -> str:
    """All statements in a few sentences: is the theory true, how loose is it, what is sharper?"""
    table = load(reports)
    rows = [
        form_rows(table[table["claim"] == each.name], tuple(each.forms), each.sense) for each in STATEMENTS.values()
    ]
    paper = [row.least for found in rows for row in found if row.form == "paper" and row.least == row.least]
    best = [row.least for found in rows if (row := sharper(found))]
    return (
        f"The reference run: {summary_sentence(table)} On the worst problems found the paper's bounds, as "
        f"reconstructed, are {span(min(paper), max(paper))} times the measured value, and for "
        f"{sum(number(least) == '1' for least in best)} of {len(best)} statements a form proved here is attained, to "
        "the digits shown. [Statement by statement](#answers).\n"
    )


def renewed(text: str, reports: Path) -> str:
    """The README with its summary and its tables as the findings have them."""
    text = _between(text, "summary", summary(reports))
    return _between(_between(text, "answers", answers(reports)), "studies", studies())


def studies() -> str:
    """A row for each study."""
    return markdown_table(["study", "question"], [[f"`{name}`", load_study(name).question] for name in STUDIES])


def _between(text: str, name: str, content: str) -> str:
    """The text with what stands between two comments replaced."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(start)
    return f"{before}{start}{content}{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(renewed(path.read_text(), ROOT / "reports"))
