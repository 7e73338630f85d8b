"""A study told: its template filled with its tables, facts and figures, as Markdown."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
import pandas as pd

from maml_bench.study import heatmap, record, tables
from maml_bench.study.facts import Fact
from maml_bench.study.figures import Panel, draw, standalone
from maml_bench.study.findings import frame
from maml_bench.study.run import ERROR, Study
from maml_bench.study.text import save

PLAIN = """# {{ question }}

{{ summary }}

{% if facts %}{{ facts }}
{% endif %}{% for name in figures %}{{ figure(name) }}

{% endfor %}## Verdicts

{{ verdicts }}
{{ note }}
"""
"""For a study without a template of its own."""


def facts(study: Study, table: pd.DataFrame) -> list[Fact]:
    """The facts of a study, from its findings."""
    return list(study.facts(extended(study, table)))


def figures(study: Study, table: pd.DataFrame) -> dict[str, list[Panel]]:
    """The panels of each figure."""
    table = extended(study, table)
    return {
        name: heatmap.draw(figure, table, f"{study.name}-{name}")
        if isinstance(figure, heatmap.HeatMap)
        else draw(figure, table, f"{study.name}-{name}")
        for name, figure in study.figures.items()
    }


def extended(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Findings with the rows that the study derives from them."""
    if study.derive is None:
        return table
    return frame([*table.to_dict("records"), *study.derive(table)])


def report(study: Study, table: pd.DataFrame, template: Path | None, drawn: Mapping[str, list[Panel]]) -> str:
    """The report in Markdown, with ``![words](name-1.svg)`` for each panel.

    Raises
    ------
    jinja2.UndefinedError
        If the template asks for what is not there.
    """
    source = template.read_text() if template is not None and template.exists() else PLAIN

    def figure(name: str) -> str:
        words = ((panel.words.replace("[", "(").replace("]", ")"), i) for i, panel in enumerate(drawn[name], 1))
        return "\n".join(f"![{text}]({name}-{i}.svg)" for text, i in words)

    found = facts(study, table)
    text = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return text.from_string(source).render(
        question=study.question,
        summary=tables.summary_sentence(table),
        facts=tables.facts_table(found) if found else "",
        figures=tuple(drawn),
        figure=figure,
        verdicts=tables.outcome_table(table),
        ratios=tables.ratio_table(table),
        looseness=tables.looseness_table(table),
        refusals=tables.refusals(table),
        atlas=tables.atlas_table(table),
        sentences=tables.sentences(table),
        note=note(table),
    )


def note(table: pd.DataFrame) -> str:
    """How sure the verdicts are."""
    sampled = int(table["evidence"].isin(["certified", "asymptotic"]).sum())
    sure = 1 - min(1.0, sampled * ERROR)
    wide = int(((table["evidence"] == "certified") & (table["limits"] == "asymptotic")).sum())
    beside = f" The limits of {wide} certified rows are asymptotic: those that decide are wider." if wide else ""
    return (
        f"A ratio is measured value over bound. Each of the {sampled} sampled rows is wrong with probability at most "
        f"{ERROR:g}, so all of them are right with probability {sure:.4g} at least (asymptotic rows as far as batch "
        f"means are normal). Exact values need no such allowance; a search can refute, never confirm.{beside}"
    )


def write(study: Study, table: pd.DataFrame, template: Path | None, folder: Path) -> Path:
    """Write ``report.md``, its figures and ``study.json`` into the folder; returns the report's path."""
    drawn = figures(study, table)
    text = report(study, table, template, drawn)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, panels in drawn.items():
        for number, panel in enumerate(panels, 1):
            save(folder / f"{name}-{number}.svg", standalone(panel))
    told = {
        "name": study.name,
        "question": study.question,
        "facts": [vars(fact) for fact in facts(study, table)],
        "figures": [
            {
                "name": name,
                "claim": study.figures[name].claim,
                "panels": [
                    {"file": f"{name}-{i}.svg", "title": panel.title, "words": panel.words, "box": panel.box}
                    for i, panel in enumerate(panels, 1)
                ],
            }
            for name, panels in drawn.items()
        ],
    }
    save(folder / "study.json", json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    path = folder / "report.md"
    save(path, re.sub(r"\n{3,}", "\n\n", text).rstrip() + f"\n\n{record.origin(table, [folder])}\n")
    return path
