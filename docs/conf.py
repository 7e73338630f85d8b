"""The documentation: Sphinx with MyST (`make docs`).

Of the two tools that suit a project of this kind, Material for MkDocs announces the end of its maintenance for May
2027; Sphinx is kept, reads NumPy's docstrings by itself, and takes Markdown with MyST. Formulas become MathML when a
page is built, so that no script from a network is needed. What pages take from the program is filled in here.
"""

import importlib
import json
import re
from pathlib import Path

from docutils.nodes import SkipNode, math_block

from analytic.bound import FormulaPrinter
from analytic.vocabulary import CONSTANTS
from maml_bench.study import typeset
from maml_bench.study.typeset import claimed, forms_of, mathml, words

project = "maml-bench"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
exclude_patterns = ["*.py"]
html_theme = "furo"
html_math_renderer = "mathml"
html_title = "maml-bench"
autodoc_typehints = "none"
napoleon_google_docstring = False
add_module_names = False
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

ROOT = Path(__file__).parents[1]
PRINTER = FormulaPrinter()


def _formula(html: str) -> str:
    return f'<div style="overflow-x:auto; padding:.2rem 0" tabindex="0">{html}</div>\n'


def statements(section: str) -> str:
    """The statements of a section of the theory, with all forms."""
    lines = []
    for statement in importlib.import_module(f"analytic.{section}").STATEMENTS:
        forms, where = forms_of(statement)
        lines += [f"({statement.name})=", f"## {statement.title}", "", _formula(claimed(statement))]
        first = "the bound of the paper, as reconstructed" if forms[0].name == "paper" else f"the form {forms[0].name}"
        about = f"`{statement.name}`, {statement.source}: {words(statement.quantity)}; on the right {first}."
        lines += [f"{about} {words(statement.remarks)}", ""]
        for form in forms:
            lines += [f"**{form.name}**", "", *map(_formula, form.formulas)]
            needs = f"Needs {form.conditions}." if form.conditions else "Needs nothing beyond Assumptions 1–3."
            lines += [f"{needs} Proof: {form.proof}.", ""]
        lines += ["**where**", "", *map(_formula, where)] if where else []
    return "\n".join(lines)


def proofs(section: str) -> str:
    """The docstring of a section, typeset."""
    html = re.sub(r"<(/?)h4>", r"<\1h3>", str(typeset.proofs(section)))
    return f'````{{raw}} html\n<div style="overflow-x:auto" tabindex="0">{html}</div>\n````\n'


def symbols(_: str) -> str:
    """The vocabulary."""
    rows = [f"| {mathml(PRINTER.doprint(c.symbol))} | `{name}` | {words(c.words)} |" for name, c in CONSTANTS.items()]
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


def drawn(translator, node) -> None:
    """A formula in a docstring or on a page, in place of a script from a network that would draw it."""
    block = isinstance(node, math_block)
    formula = mathml(node.astext(), display=block)
    translator.body.append(f'<div style="overflow-x:auto" tabindex="0">{formula}</div>' if block else formula)
    raise SkipNode


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (drawn, None), (drawn, None))
    app.connect("source-read", filled)
