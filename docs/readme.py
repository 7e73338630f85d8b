"""The README's table of answers, from the committed findings: ``python docs/readme.py`` rewrites it in place."""

from pathlib import Path

from analytic import STATEMENTS
from maml_bench.cli.studies import STUDIES, load_study
from maml_bench.study.answers import answer, counts
from maml_bench.study.findings import EVIDENCE, load
from maml_bench.study.text import markdown_table

ROOT = Path(__file__).parents[1]


def answers(reports: Path) -> str:
    """A row for each statement that was measured."""
    table, rows = load(reports), []
    for statement in STATEMENTS.values():
        found = table[table["claim"] == statement.name]
        tally = counts(found)
        if sum(tally[kind] for kind in EVIDENCE):
            rows.append([f"`{statement.name}`", statement.title, answer(found, tuple(statement.forms))])
    return markdown_table(["statement", "about", "answer of the reference run"], rows)


def renewed(text: str, reports: Path) -> str:
    """The README with its table as the findings have it."""
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
