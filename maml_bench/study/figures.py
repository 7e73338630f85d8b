"""Figures: what to draw is data, and one function draws it; files do not change unless the findings do.

A figure is one panel or several, each an SVG of its own, so that a page can set them side by side or one below the
other. Colours are CSS variables with a default, so that a page, or the file itself, turns them light or dark.
"""

import io
import itertools
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from maml_bench.study.facts import pick
from maml_bench.study.text import number, span
from maml_bench.study.typeset import signs

LIGHT = ("#1f5fa8", "#c4511a", "#2b8a57", "#7a4fa3", "#8a6d1b", "#b0306a", "#3f7f8c", "#5b6673")
DARK = ("#7db4f0", "#f0925c", "#6fd09b", "#c39be8", "#d9bb5c", "#f07fb0", "#7fd0de", "#a9b4c0")
INK, FAINT = ("#1c2430", "#e6ebf1"), ("#c3cad3", "#48525e")
FORMS = ("paper", "sharp", "refined", "local", "refined_local", "smooth", "cone", "direct", "identity", "stein")
LINES = (
    "--",
    "-",
    (0, (6, 1, 1, 1)),
    "-.",
    (0, (3, 1, 1, 1, 1, 1)),
    ":",
    (0, (1, 1)),
    (0, (8, 2)),
    (0, (5, 1)),
    (0, (3, 1)),
)
FORM_LINES: dict[str, Any] = dict(zip(FORMS, LINES, strict=True))
BESIDE = 34
"""Letters of a line beside the vertical axis, which is shorter than the drawing."""
BELOW = 42
"""Letters that the horizontal axis has room for."""
LEGEND = 46
"""Letters that two columns of a legend have room for, beside each other."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.edgecolor": INK[0],
    "axes.labelcolor": INK[0],
    "text.color": INK[0],
    "xtick.color": INK[0],
    "ytick.color": INK[0],
    "grid.color": FAINT[0],
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.markersize": 4,
    "lines.linewidth": 1.4,
}


@dataclass(frozen=True)
class Figure:
    """What to draw.

    Parameters
    ----------
    claim : str
        Whose measured values and bounds; of rows that are no verdicts, the quantity.
    x : str
        The parameter along the axis.
    forms : tuple of str
        Whose bounds; empty for all that there are. A form that does not apply anywhere in a panel is named as such.
    across : str
        A panel for each of its values.
    by : str
        A colour for each of its values; without it, colours tell the forms apart.
    where : dict
        The rows to draw, as in `maml_bench.study.facts.pick`.
    label : str
        Of the vertical axis; what is measured, in words, unless given.
    linear : bool
        Whether the axes are linear, in place of logarithmic.

    Examples
    --------
    >>> from maml_bench.study import Figure
    >>> Figure("prop2-second", x="N", forms=("paper", "sharp"), by="αL").x
    'N'
    """

    claim: str
    x: str
    forms: tuple[str, ...] = ()
    across: str = ""
    by: str = ""
    where: Mapping[str, object] = field(default_factory=dict)
    label: str = ""
    linear: bool = False


@dataclass(frozen=True)
class Panel:
    """One drawing: a title, what is seen in words, and the SVG."""

    title: str
    words: str
    svg: str

    @property
    def box(self) -> str:
        """The coordinates that are drawn on."""
        return self.svg.partition('viewBox="')[2].partition('"')[0]


def draw(figure: Figure, table: pd.DataFrame, name: str) -> list[Panel]:
    """The panels of a figure; ``name`` keeps the identifiers of an SVG apart from those of others on a page.

    Raises
    ------
    ValueError
        If there is nothing to draw, a form is missing, or several rows claim one point of a line.
    """
    claimed = figure.claim in set(table["claim"])
    chosen = pick(table, **{"claim" if claimed else "quantity": figure.claim}, **figure.where)
    forms = _forms(figure, chosen)
    values = list(dict.fromkeys(chosen[figure.across])) if figure.across else [""]
    panels = []
    for number_, value in enumerate(values, 1):
        rows = chosen[chosen[figure.across] == value] if figure.across else chosen
        title = value if isinstance(value, str) else f"{signs(figure.across)} = {number(float(value))}"
        panels.append(_panel(figure, rows, forms, title, f"{name}-{number_}"))
    return panels


def _forms(figure: Figure, chosen: pd.DataFrame) -> list[str]:
    known = set(chosen["form"]) - {""}
    missing = sorted(set(figure.forms) - known)
    if missing:
        raise ValueError(f"figure of {figure.claim}: no finding of the form {missing[0]!r}; forms there are: {known}")
    return sorted(figure.forms or known, key=lambda form: FORMS.index(form) if form in FORMS else len(FORMS))


def _series(figure: Figure, rows: pd.DataFrame, by) -> pd.DataFrame:
    """One line's rows along x; x must tell them apart."""
    chosen = (rows[rows[figure.by] == by] if figure.by else rows).sort_values(figure.x, kind="stable")
    twice = chosen.loc[chosen[figure.x].duplicated(), figure.x]
    if len(twice):
        raise ValueError(
            f"figure of {figure.claim}: several findings at {figure.x} = {twice.iloc[0]}: where, across or by "
            "must tell them apart"
        )
    return chosen


def _panel(figure: Figure, rows: pd.DataFrame, forms: Sequence[str], title: str, name: str) -> Panel:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        canvas = Canvas(figsize=(4.4, 3.9), layout="constrained")
        axes = canvas.add_subplot()
        groups = list(dict.fromkeys(rows[figure.by])) if figure.by else [None]
        looks = dict(zip(groups, itertools.product(("-", "--", ":"), LIGHT), strict=False))
        for by in groups:
            lines = {form: _series(figure, rows[rows["form"] == form], by) for form in forms}
            known = {form: line for form, line in lines.items() if line["bound"].notna().any()}
            for form, line in known.items():
                color = looks[by][1] if figure.by else LIGHT[forms.index(form)]
                bound = line["bound"] if figure.linear else line["bound"].where(line["bound"] > 0)  # 0 is far below
                axes.plot(line[figure.x], bound, linestyle=FORM_LINES.get(form, "-"), color=color)
            plain = _series(figure, rows[rows["form"] == ""], by)
            measured = max(known.values(), key=lambda line: line["value"].notna().sum()) if known else plain
            _measured(axes, measured, figure.x, *(looks[by] if figure.by else ("-", INK[0])), joined=not known)
        if not figure.linear:
            axes.set(xscale="log", yscale="log")
            _ticks(axes, rows[figure.x])
        measured_words = re.sub(r"\^2(?!\d)", "²", signs(figure.label or _quantity(rows)))
        axes.set(title=title, xlabel=signs(figure.x), ylabel=textwrap.fill(measured_words, BESIDE))
        notes = _legend(axes, figure, rows, forms, looks)
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    words = _words(figure, rows, forms, title, notes)
    return Panel(title, words, clean(file.getvalue(), name, words))


def _quantity(rows: pd.DataFrame) -> str:
    return str(rows["quantity"].iloc[0])


def _measured(axes, line: pd.DataFrame, x: str, style: str, color: str, joined: bool) -> None:
    """Measured values as points with their limits: exact ones open, largest found by a search as triangles."""
    line = line[line["value"].notna()]
    if joined and len(line) > 20:  # a curve
        axes.plot(line[x], line["value"], style, color=color)
        axes.fill_between(line[x].astype(float), line["lower"], line["upper"], color=color, alpha=0.2, linewidth=0)
        return
    if joined:
        axes.plot(line[x], line["value"], style, color=color, linewidth=0.7)
    for kind, (marker, face) in {"exact": ("o", "none"), "search": ("^", color)}.items():
        part = line[line["evidence"] == kind]
        axes.plot(part[x], part["value"], marker, color=color, markerfacecolor=face)
    part = line[~line["evidence"].isin(["exact", "search"])]
    below, above = (
        (part["value"] - part["lower"]).clip(lower=0).fillna(0),
        (part["upper"] - part["value"]).clip(lower=0),
    )
    if len(part):
        axes.errorbar(part[x], part["value"], [below, above.fillna(0)], fmt="o", color=color, capsize=2)


def _ticks(axes, x: pd.Series) -> None:
    """Powers of ten where an axis spans them, the swept values themselves where it does not; at least two y labels."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    values = np.unique(x[x > 0].astype(float))
    shown = FuncFormatter(lambda value, _: number(value, 4 if value >= 1 else 2))
    if len(values) and values[-1] / values[0] < 2000:
        room = max(0.13, (max(len(shown(value)) for value in values) + 1.5) / BELOW)
        kept = [values[0]]
        for value in values[1:]:
            if value / kept[-1] > (values[-1] / values[0]) ** room:
                kept.append(value)
        axes.xaxis.set_major_locator(FixedLocator(kept))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(shown)
    low, high = axes.get_ylim()
    if 0 < low and high / low < 100:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 2.5 else tuple(range(1, 10))))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(shown)


def _legend(axes, figure: Figure, rows: pd.DataFrame, forms: Sequence[str], looks: Mapping) -> list[str]:
    """A legend below the axes; the notes in it say what is not drawn."""
    from matplotlib.lines import Line2D

    entries = (
        [Line2D([], [], color=c, ls=ls, lw=4, label=signs(f"{figure.by} = {by}")) for by, (ls, c) in looks.items()]
        if figure.by
        else []
    )
    notes = []
    for form in forms:
        line = rows[rows["form"] == form]
        label = f"bound, {form.replace('_', ' ')}"
        if not len(line) or not line["bound"].notna().any():
            notes.append(f"{form.replace('_', ' ')}: does not apply here")
            continue
        color = INK[0] if figure.by else LIGHT[forms.index(form)]
        entries.append(Line2D([], [], color=color, linestyle=FORM_LINES.get(form, "-"), label=label))
        if not figure.linear and (line["bound"] == 0).any():
            notes.append(f"bound, {form}: 0 at {int((line['bound'] == 0).sum())} points")
    kinds = set(rows.loc[rows["value"].notna(), "evidence"])
    markers = [
        ("o", "none", "exact", {"exact"}),
        ("o", INK[0], "measured, with limits", {"certified", "asymptotic", ""}),
    ]
    markers.append(("^", INK[0], "largest found by a search", {"search"}))
    entries += [
        Line2D([], [], marker=marker, linestyle="none", color=INK[0], markerfacecolor=face, label=label)
        for marker, face, label, of in markers
        if kinds & of
    ]
    zeros = int((rows.drop_duplicates([figure.x, *([figure.by] if figure.by else [])])["value"] <= 0).sum())
    if zeros and not figure.linear:
        notes.append(f"measured value 0 at {zeros} points")
    entries += [Line2D([], [], linestyle="none", label=note) for note in notes]
    labels, half = [len(str(entry.get_label())) for entry in entries], (len(entries) + 1) // 2
    wide = len(entries) > 1 and max(labels[:half]) + max(labels[half:]) > LEGEND
    columns = {"ncols": 1 if wide else 2, "columnspacing": 1.2, "handlelength": 2.4}
    axes.figure.legend(handles=entries, loc="outside lower center", **columns)
    return notes


def _words(figure: Figure, rows: pd.DataFrame, forms: Sequence[str], title: str, notes: Sequence[str]) -> str:
    """What is seen, for those who cannot see it."""
    x = rows[figure.x].dropna()
    values = rows["value"].dropna()
    parts = [f"{_quantity(rows)} against {figure.x} from {number(float(x.min()), 4)} to {number(float(x.max()), 4)}"]
    if title:
        parts[0] += f" ({title})"
    if len(values):
        parts.append(f"measured values from {span(values.min(), values.max())}")
    for form in forms:
        ratio = rows.loc[rows["form"] == form, "ratio"].dropna()
        if len(ratio):
            ends = span(ratio.min(), ratio.max())
            parts.append(f"measured over the {form.replace('_', ' ')} bound: {ends}")
    return "; ".join([*parts, *notes]) + "."


def _variables() -> dict[str, tuple[str, str]]:
    names = {f"--series-{i}": pair for i, pair in enumerate(zip(LIGHT, DARK, strict=True))}
    return names | {"--ink": INK, "--faint": FAINT}


def css(selector: str) -> str:
    """The colours of figures, light and dark, as a style sheet for what ``selector`` selects."""
    light, dark = (";".join(f"{name}:{pair[i]}" for name, pair in _variables().items()) for i in (0, 1))
    return f"{selector}{{{light}}}@media (prefers-color-scheme:dark){{{selector}{{{dark}}}}}"


def standalone(panel: Panel) -> str:
    """The SVG as a file of its own, with its colours."""
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{css(':root')}</style>", panel.svg, count=1)


def clean(svg: str, name: str, words: str) -> str:
    """Without prologue, metadata and idle digits; colours as variables; identifiers unlike those of other figures."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"| transform="rotate\(-0 [^"]*"|font-family: [^;"]*; ', "", svg)
    svg = re.sub(r'<path [^>]*style="fill: none"/>', "", svg)
    for variable, (light, _) in _variables().items():
        svg = svg.replace(f": {light}", f": var({variable})")
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: match.group(0) if match.group(1) in used else "", svg)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r'="[^"]*"', lambda match: _short(match.group(0)), svg)
    svg = re.sub(r"<g>\n(<(?:path|use|text)\b[^>]*(?:/>|>[^<]*</text>)\n)</g>\n", r"\1", re.sub(r"\n\s*", "\n", svg))
    safe = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{safe}" font-family="DejaVu Sans, sans-serif" ', 1)


def _short(attribute: str) -> str:
    """Coordinates to a hundredth of a point, and paths on one line."""
    attribute = re.sub(r"\d+\.\d+", lambda match: f"{float(match.group(0)):.2f}".rstrip("0").rstrip("."), attribute)
    return re.sub(r"\s*\n", "", attribute)
