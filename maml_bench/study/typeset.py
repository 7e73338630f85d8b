"""What the theory says, as HTML: formulas as MathML, which browsers draw without a script, proofs, plain words."""

import importlib
import re
from dataclasses import dataclass
from functools import cache

import latex2mathml.converter
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from mdit_py_plugins.dollarmath import dollarmath_plugin

from analytic import Bound, Definition, Statement
from analytic.bound import FormulaPrinter

GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon zeta theta lambda nu rho sigma tau".split(),  # noqa: SIM905
        "αβγδεζθλνρστ",
        strict=True,
    )
)
SIGNS = {"calL": "ℒ", "grad ": "∇", "Hess ": "∇²", "||": "‖", "<=": "≤", ">=": "≥", "->": "→", " - ": " − "}
SIGNS |= {"sqrt": "√", "prod_": "∏_", "G^": "Ĝ", "H^": "Ĥ", "w~": "w̃"}


def signs(words: str) -> str:
    """Words with formulas in ASCII, in the signs that they stand for: ``E ||H^ v||`` is ``E ‖Ĥ v‖``."""
    words = re.sub("|".join(map(re.escape, SIGNS)), lambda match: SIGNS[match.group(0)], words)
    return re.sub(f"(?<![A-Za-z])({'|'.join(GREEK)})(?![A-Za-z])", lambda match: GREEK[match.group(0)], words)


def words(text: str) -> Markup:
    """The same as HTML, with indices and powers."""
    html = str(escape(signs(text)))
    html = re.sub(r"\^\(((?:[^()]|\([^()]*\))*)\)|\^(\w+)", lambda m: f"<sup>{m.group(1) or m.group(2)}</sup>", html)
    base = r"(?<![A-Za-z0-9_.])([A-Za-zα-ωĜĤ∏‖ℒ]̃?)"
    for index in (r"_\{([^}]*)\}", r"_(\w+)"):
        html = re.sub(base + index, r"\1<sub>\2</sub>", html)
    return Markup(html)


@cache
def mathml(formula: str, display: bool = False) -> Markup:
    """LaTeX as MathML; script letters as characters, since browsers do not draw the attribute of one without braces."""
    formula = re.sub(r"\\mathcal\s*([A-Za-z])", r"\\mathcal{\1}", formula)
    return Markup(latex2mathml.converter.convert(formula, display="block" if display else "inline"))


@dataclass(frozen=True)
class Form:
    """One form of a statement, typeset: its formulas, what it needs, where its proof stands, and in which section."""

    name: str
    formulas: list[Markup]
    conditions: Markup
    proof: str
    section: str


def forms_of(statement: Statement) -> tuple[list[Form], list[Markup]]:
    """The forms, each with the abbreviations that mean something else in another form; and the other abbreviations."""
    used = dict.fromkeys(line for bound in statement.forms.values() for line in bound.abbreviations)
    heads = [line.head for line in used]
    shared = [line for line in used if heads.count(line.head) == 1]

    def form(bound: Bound) -> Form:
        section = re.search(r"analytic\.(\w+)", bound.proof)
        own = dict.fromkeys(line for line in bound.abbreviations if line not in shared)
        formulas = [_large(FormulaPrinter().doprint(bound.formula)), *map(_defined, own)]
        conditions = words("; ".join(condition.words for condition in bound.conditions))
        return Form(bound.form, formulas, conditions, bound.proof, section.group(1) if section else "")

    return [form(bound) for bound in statement.forms.values()], list(map(_defined, shared))


def claimed(statement: Statement) -> Markup:
    """The statement in its first form, the paper's where that is known."""
    sense = {"<=": r"\le", ">=": r"\ge", "=": "="}[statement.sense]
    first = next(iter(statement.forms.values()))
    return _large(f"{statement.quantity_latex} {sense} {FormulaPrinter().doprint(first.formula)}")


def _defined(line: Definition) -> Markup:
    printer = FormulaPrinter()
    return _large(f"{printer.doprint(line.head)} = {printer.doprint(line.value)}")


def _large(formula: str) -> Markup:
    """With fractions and sums as large as in a line of their own, but set to the left."""
    return Markup(str(mathml(formula)).replace("<math ", '<math displaystyle="true" ', 1))


def renderer() -> MarkdownIt:
    """Markdown with tables, and with formulas between dollars."""
    markdown = MarkdownIt("commonmark").enable("table")
    return markdown.use(dollarmath_plugin, renderer=lambda formula, options: mathml(formula, options["display_mode"]))


def proofs(section: str) -> Markup:
    """The docstring of a section of ``analytic``, where its proofs stand, with its formulas and headings."""
    text = importlib.import_module(f"analytic.{section}").__doc__ or ""
    text = re.sub(r"^(.+)\n[-=]{3,}$", r"#### \1", text, flags=re.MULTILINE)
    text = re.sub(r"^\.\. math::((?: .*)?\n(?:(?:[ \t]+.*)?\n)*)", _displayed, text + "\n", flags=re.MULTILINE)
    text = re.sub(r":math:`(.*?)`", lambda match: f"${' '.join(match.group(1).split())}$", text, flags=re.DOTALL)
    return Markup(renderer().render(text.replace("``", "`")))


def _displayed(match: re.Match) -> str:
    blocks = re.split(r"\n\s*\n", match.group(1).strip())
    return "".join(f"$$\n{' '.join(block.split())}\n$$\n\n" for block in blocks)
