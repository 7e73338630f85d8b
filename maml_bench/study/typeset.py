"""What the theory says, as HTML: formulas as MathML, which browsers draw without a script, proofs, plain words."""

import importlib
import re
from functools import cache

import latex2mathml.converter
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from mdit_py_plugins.dollarmath import dollarmath_plugin

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
    """LaTeX as MathML."""
    return Markup(latex2mathml.converter.convert(formula, display="block" if display else "inline"))


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
