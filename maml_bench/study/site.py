"""index.html: a section for each statement with its answer, all findings, and the studies, in one file to be mailed.

Everything on the page is read from the folder of reports: findings.jsonl, what each study told, and how fast the bench
was, where that has been measured.
"""

import json
import math
import re
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from analytic import STATEMENTS, Statement
from analytic.bound import FormulaPrinter
from analytic.vocabulary import CONSTANTS
from maml_bench.study import record
from maml_bench.study.answers import answer, counts, form_rows, sharper
from maml_bench.study.figures import css
from maml_bench.study.findings import EVIDENCE, FILE, NUMBERS, load
from maml_bench.study.tables import summary_sentence, where
from maml_bench.study.text import number, save, span
from maml_bench.study.typeset import claimed, forms_of, mathml, proofs, renderer, words

TITLE = "Is the theory of multi-step MAML true, how loose is it, and what is sharper?"
SHOWN = (
    *("study", "claim", "form", "quantity", "problem", "family", "where", "outcome", "evidence", "limits", "method"),
    *("value", "lower", "upper", "bound", "ratio", "reason", "replicates", "seconds", "seed", "confidence", "budget"),
    *(*NUMBERS, "commit", "date", "key"),
)
"""Columns that the page carries along, for its table and its downloads."""
SPEED = "performance"
"""The folder of the report on speed, which is no study; `make benchmark` writes it."""
DIGITS = 7
WIDE = 360
"""Points; a wider drawing keeps its size, for the sake of its letters."""
MANY = 12
"""Columns; a table of more scrolls by itself."""


def _cards(html: str) -> str:
    """Tables whose cells know their column, so that a narrow screen can show a row as a card; wide ones scroll."""

    def table(match):
        text = re.sub(r"<th\b(?!ead)", '<th scope="col"', match.group(0).replace("<table>", '<table class="cards">'))
        labels = [re.sub("<.*?>", "", label) for label in re.findall(r"<th\b.*?>(.*?)</th>", text)]

        def row(line):
            names = iter(labels)
            return re.sub("<td", lambda _: f'<td data-label="{next(names, "")}"', line.group(0))

        rows = re.sub("<tr>.*?</tr>", row, text, flags=re.DOTALL)
        return f'<div class="scroll" tabindex="0">{rows}</div>' if len(labels) > MANY else rows

    return re.sub("<table>.*?</table>", table, html, flags=re.DOTALL)


class _Study:
    """What a study told, from its folder."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.name
        told = folder / "study.json"
        read = json.loads(told.read_text()) if told.exists() else {}
        self.question, self.figures = read.get("question", ""), read.get("figures", [])

    def panel(self, file: str) -> str:
        """The drawing of a file, with an identifier by which other places show it again; a wide one scrolls."""
        svg = re.sub(r"<style>.*?</style>", "", (self.folder / file).read_text(), flags=re.DOTALL)
        width = float(svg.partition('viewBox="0 0 ')[2].partition(" ")[0])
        scroll = f' class="scroll" tabindex="0" style="--width: {width:.0f}pt"' if width > WIDE else ""
        named = svg.replace("<svg ", f'<svg id="{self.identifier(file)}" ', 1)
        return f"<figure{scroll}>{named}</figure>"

    def identifier(self, file: str) -> str:
        return f"{self.name}-{file.removesuffix('.svg')}"

    @property
    def body(self) -> Markup:
        """The report, one level down, with its drawings in place of links to them."""
        html = renderer().render((self.folder / "report.md").read_text())
        html = re.sub(r"<(/?)h([1-4])>", lambda m: f"<{m.group(1)}h{int(m.group(2)) + 2}>", html)
        html = _cards(html)

        def drawn(match):
            files = re.findall(r'<img src="([^"]+)"', match.group(0))
            return '<div class="panels">' + "".join(map(self.panel, files)) + "</div>"

        return Markup(re.sub(r"<p>(?:\s*<img [^>]*>\s*)+</p>", drawn, html))


def _statement(statement: Statement, table: pd.DataFrame, studies: list[_Study], anchors: set[str]) -> dict:
    """What the template needs of one statement."""
    found = table[table["claim"] == statement.name]
    tally, rows = counts(found), form_rows(found, tuple(statement.forms), statement.sense)
    group = statement.name.rsplit("-", 1)[0] if statement.name.startswith(("prop2", "prop7", "lemma-b")) else ""
    group = group if group and group not in anchors else ""
    anchors.add(group)
    measured = sum(tally[kind] for kind in EVIDENCE)
    if tally["violated"]:
        mark, result = "bad", f"{tally['violated']} violated"
    elif tally["open"]:
        mark, result = "warn", f"{tally['open']} open"
    else:
        mark, result = "good", "not refuted" if tally["search"] == measured else "holds"
    panels = [
        {"id": study.identifier(panel["file"]), "words": panel["words"], "study": study.name, "box": panel["box"]}
        for study in studies
        for figure in study.figures
        if figure["claim"] == statement.name
        for panel in figure["panels"]
    ]
    forms, abbreviations = forms_of(statement)
    best = sharper(rows)
    return {
        "name": statement.name,
        "anchor": group,
        "title": statement.title,
        "source": statement.source[:1].upper() + statement.source[1:],
        "quantity": statement.quantity,
        "claimed": claimed(statement),
        "first": forms[0],
        "remarks": statement.remarks.rstrip(".") + "." if statement.remarks else "",
        "answer": Markup(renderer().renderInline(answer(found, tuple(statement.forms), statement.sense))),
        "forms": forms,
        "where": abbreviations,
        "rows": rows,
        "paper": next((span(row.least, row.most, 1, "–") for row in rows if row.form == "paper"), "–"),
        "sharper": best,
        "counts": tally,
        "measured": measured,
        "mark": mark,
        "mark_words": result,
        "figures": panels,
        "studies": list(dict.fromkeys(found["study"])),
    }


def _symbols() -> list[dict]:
    printer = FormulaPrinter()
    return [
        {"math": mathml(printer.doprint(constant.symbol)), "name": name, "words": constant.words}
        for name, constant in CONSTANTS.items()
    ]


def _data(table: pd.DataFrame, origins: dict[str, record.Origin]) -> Markup:
    """The findings as compact JSON that cannot end the script it stands in: of each column its values, and which
    a row has, or the rows' values themselves; and the options that make a study's command repeat its rows.
    """

    def cell(value):
        if isinstance(value, float):
            if not math.isfinite(value):
                return None
            return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")
        return value if isinstance(value, int | str) and value != "" else None

    shown = table.assign(where=[where(row) for _, row in table.iterrows()])
    columns = {}
    for name in SHOWN:
        cells = [cell(value) for value in shown[name].astype(object)]
        values = list(dict.fromkeys(cells))
        at = {value: i for i, value in enumerate(values)}
        few = len(values) < len(cells) / 2
        columns[name] = {"values": values, "at": [at[x] for x in cells]} if few else {"at": cells}
    options = {name: made.options for name, made in origins.items()}
    text = json.dumps({"columns": columns, "options": options}, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def environment() -> jinja2.Environment:
    """Where the templates of pages are found, with what they share."""
    loader = jinja2.PackageLoader("maml_bench", "study")
    found = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"number": number, "words": words}
    style, script = (loader.get_source(found, name)[0] for name in ("page.css", "page.js"))
    found.globals |= {"css": Markup(css(":root") + style), "script": Markup(script)}
    return found


def write_index(reports: Path, order: tuple[str, ...]) -> Path:
    """Write ``reports/index.html`` from what every study there has told, those in ``order`` first."""
    names = sorted(path.parent.name for path in reports.glob("*/report.md") if (path.parent / FILE).exists())
    names = [name for name in order if name in names] + [name for name in names if name not in order]
    studies, speed = [_Study(reports / name) for name in names], _Study(reports / SPEED)
    table = load(reports)
    table = table[table["study"].isin(names)].sort_values("study", key=lambda s: s.map(names.index), kind="stable")
    origins = {name: record.origin(table[table["study"] == name], [reports / name]) for name in names}
    anchors: set[str] = set()
    statements = [_statement(statement, table, studies, anchors) for statement in STATEMENTS.values()]
    sections = dict.fromkeys(form.section for s in statements for form in s["forms"] if form.section)
    page = (
        environment()
        .get_template("page.html")
        .render(
            title=TITLE,
            origin=record.origin(table, [reports / name for name in names]),
            origins=origins,
            lead=Markup(renderer().renderInline(summary_sentence(table))),
            evidence=EVIDENCE,
            statements=statements,
            studies=studies,
            speed=speed.body if (speed.folder / "report.md").exists() else "",
            proofs={section: proofs(section) for section in sections},
            symbols=_symbols(),
            data=_data(table, origins),
        )
    )
    path = reports / "index.html"
    save(path, page)
    return path
