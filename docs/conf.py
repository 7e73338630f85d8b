"""The documentation: Sphinx with MyST (`make docs`).

Of the two tools that suit a project of this kind, Material for MkDocs announces the end of its maintenance for May
2027; Sphinx is kept, reads NumPy's docstrings by itself, and takes Markdown with MyST. Formulas become MathML when a
page is built, so that no script from a network is needed. What pages take from the program is filled in here.
"""

import importlib
import json
import re
from pathlib import Path

import latex2mathml.converter

from analytic.bound import FormulaPrinter
from analytic.vocabulary import CONSTANTS

project = "maml-bench"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
exclude_patterns = ["*.py"]
html_theme = "furo"
html_title = "maml-bench"
autodoc_typehints = "none"
napoleon_google_docstring = False
add_module_names = False
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

ROOT = Path(__file__).parents[1]
PRINTER = FormulaPrinter()


def math(formula: str) -> str:
    return latex2mathml.converter.convert(formula)


def statements(section: str) -> str:
    """The statements of a section of the theory, with all forms."""
    lines = []
    for statement in importlib.import_module(f"analytic.{section}").STATEMENTS:
        lines += [f"({statement.name})=", f"## {statement.title}", ""]
        lines += [
            f"`{statement.name}`, {statement.source}. Bounds {math(statement.quantity_latex)}. {statement.remarks}",
            "",
        ]
        for form, bound in statement.forms.items():
            parts = [PRINTER.doprint(bound.formula)]
            parts += [f"{PRINTER.doprint(line.head)} = {PRINTER.doprint(line.value)}" for line in bound.where]
            lines += [f"**{form}**", ""]
            lines += [f'<div style="overflow-x:auto" tabindex="0">{math(part)}</div>\n' for part in parts]
            conditions = "; ".join(condition.words for condition in bound.conditions)
            lines += [f"Needs {conditions}." if conditions else "Needs nothing more.", f"Proof: {bound.proof}.", ""]
    return "\n".join(lines)


def proofs(section: str) -> str:
    """The docstring of a section, as it stands: its formulas are plain text."""
    return f"```text\n{importlib.import_module(f'analytic.{section}').__doc__}\n```"


def symbols(_: str) -> str:
    """The vocabulary."""
    rows = [f"| {math(PRINTER.doprint(c.symbol))} | `{name}` | {c.words} |" for name, c in CONSTANTS.items()]
    return "\n".join(["| symbol | name in code | meaning |", "| --- | --- | --- |", *rows])


def gallery(_: str) -> str:
    """The files of the gallery, whole."""
    parts = []
    for path in sorted((ROOT / "studies/gallery").glob("[!_]*.py")):
        parts.append(
            f"## {path.stem.replace('_', ' ').capitalize()}\n\n"
            f"`{path.relative_to(ROOT)}`\n\n```python\n{path.read_text()}```\n"
        )
    return "\n".join(parts)


def schemas(_: str) -> str:
    """A table for every kind of JSON document."""
    lines = []
    for name, schema in json.loads((ROOT / "docs/json-schema.json").read_text())["$defs"].items():
        fields = schema.get("items", schema)["properties"].items()
        lines += [f"## {name}", "", schema["description"], "", "| name | meaning |", "| --- | --- |"]
        lines += [
            f"| `{field}` | {meaning.get('description', '') or 'As `' + meaning['$ref'].rsplit('/')[-1] + '`.'} |"
            for field, meaning in fields
        ]
        lines.append("")
    return "\n".join(lines)


FILLED = {"statements": statements, "proofs": proofs, "symbols": symbols, "gallery": gallery, "schemas": schemas}


def filled(app, name: str, source: list[str]) -> None:
    """Fill the places that a page leaves open, ``<!-- statements: smoothness -->``."""
    source[0] = re.sub(
        r"<!-- (statements|proofs|symbols|gallery|schemas):? ?(\w*) -->",
        lambda m: FILLED[m.group(1)](m.group(2)),
        source[0],
    )


def setup(app) -> None:
    app.connect("source-read", filled)
