"""index.html: the Markdown reports of all studies on one page, formulas as MathML, figures inside it."""

import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
import latex2mathml.converter
from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.dollarmath import dollarmath_plugin

from maml_bench.study.findings import versions


@dataclass(frozen=True)
class _Article:
    name: str
    body: Markup


def _math(formula: str, options: dict) -> str:
    return latex2mathml.converter.convert(formula, display="block" if options["display_mode"] else "inline")


def _renderer() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=_math)


def _article(directory: Path) -> _Article:
    html = _renderer().render((directory / "report.md").read_text())
    html = re.sub(r'(<img src=")', rf"\1{directory.name}/", html)
    html = html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    return _Article(directory.name, Markup(html))


def write_index(reports: Path, order: tuple[str, ...]) -> Path:
    """Write ``reports/index.html`` from every ``reports/<study>/report.md``, those in ``order`` first."""
    found = sorted(path.parent.name for path in reports.glob("*/report.md"))
    names = [name for name in order if name in found] + [name for name in found if name not in order]
    environment = jinja2.Environment(loader=jinja2.PackageLoader("maml_bench", "study"), autoescape=True)
    page = environment.get_template("page.html").render(
        studies=[_article(reports / name) for name in names], versions=versions()
    )
    path = reports / "index.html"
    path.write_text(page)
    return path
