"""Figures: one look for all reports, and files that do not change unless the data do."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maml_bench.study.findings import Finding

STYLE = {
    "svg.hashsalt": "maml-bench",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.markersize": 4,
    "lines.linewidth": 1.3,
}
FORM_LINES = {
    "paper": "--",
    "sharp": "-",
    "refined": (0, (6, 1, 1, 1)),
    "local": "-.",
    "smooth": ":",
    "refined_local": (0, (3, 1, 1, 1, 1, 1)),
    "stein": (0, (3, 1)),
}
COLORS = ("#1f5fa8", "#c4511a", "#2b8a57", "#7a4fa3", "#8a6d1b", "#555555")
FORM_COLORS = dict(zip(("sharp", "paper", "local", "refined", "smooth", "refined_local"), COLORS, strict=True))
"""For figures in which colours tell the forms apart, and measured values are black."""


def panels(rows: int, columns: int, width: float = 3.1, height: float = 2.6, **options):
    """A figure with a grid of axes: ``(figure, axes)``, axes an array (rows, columns)."""
    with plt.rc_context(STYLE):
        return plt.subplots(
            rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained", **options
        )


def save(figure: Figure, path: Path) -> None:
    """Write an SVG without a date and close the figure."""
    with plt.rc_context(STYLE):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def key(
    figure: Figure,
    colors: Mapping[str, str],
    forms: Sequence[str],
    exact: bool = False,
    found: str = "measured, with limits",
    columns: int = 0,
) -> None:
    """A legend below the axes: what the colours mean, the line of each form, and the markers of measured values.

    Without colours, those of the forms are `FORM_COLORS`. ``found`` says what filled markers are, empty if there are
    none. ``columns`` is what the width of the figure allows unless it is given.
    """
    entries = [Line2D([], [], color=color, linewidth=4, label=label) for label, color in colors.items()]
    for form in forms:
        color = "black" if colors else FORM_COLORS[form]
        label = f"bound, {form.replace('_', ' ')}"
        entries.append(Line2D([], [], color=color, linestyle=FORM_LINES[form], label=label))
    dot = {"marker": "o", "linestyle": "none", "color": "black"}
    if found:
        entries.append(Line2D([], [], label=found, **dot))
    if exact:
        entries.append(Line2D([], [], label="exact", markerfacecolor="white", **dot))
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=min(len(entries), columns or int(figure.get_figwidth() / 1.55)),
    )


def measured(axes, x: Sequence[float], findings: Sequence[Finding], color: str) -> None:
    """Measured values as points with their limits; exact values as open circles."""
    verdicts = [f.verdict for f in findings]
    below = [max(v.value - v.lower, 0.0) for v in verdicts]
    above = [max(v.upper - v.value, 0.0) for v in verdicts]
    exact = bool(verdicts) and all(v.method == "exact" for v in verdicts)
    face = "white" if exact else color
    axes.errorbar(x, [v.value for v in verdicts], [below, above], fmt="o", color=color, markerfacecolor=face, capsize=2)


def bound_line(axes, x: Sequence[float], findings: Sequence[Finding], color: str) -> None:
    """The bound of the findings' form as a line."""
    line = FORM_LINES[findings[0].verdict.form]
    axes.plot(x, [f.verdict.bound for f in findings], linestyle=line, color=color)


def forms_against(axes, parameter: str, findings: Sequence[Finding]) -> None:
    """Against a swept parameter, in logarithmic axes: measured values in black, the bound of every form in its colour.

    The findings are about one quantity; forms that do not apply have gaps.
    """
    by_form = {form: [f for f in findings if f.verdict.form == form] for form in FORM_COLORS}
    by_form = {form: chosen for form, chosen in by_form.items() if chosen}
    for form, chosen in by_form.items():
        bound_line(axes, [f.parameters[parameter] for f in chosen], chosen, FORM_COLORS[form])
    applies = max(by_form.values(), key=lambda chosen: sum(f.verdict.outcome != "not applicable" for f in chosen))
    measured(axes, [f.parameters[parameter] for f in applies], applies, "black")
    axes.set(xscale="log", yscale="log")


def whole_decades(axes) -> None:
    """Widen a logarithmic y axis of less than two decades to whole ones, so that its labels are powers of ten."""
    low, high = np.log10(axes.get_ylim())
    if high - low < 2:
        axes.set_ylim(10 ** np.floor(low), 10 ** np.ceil(high))


def forms_key(figure: Figure, findings: Sequence[Finding], columns: int = 4) -> None:
    """The legend of `forms_against`: the forms and markers that occur among the findings."""
    forms, methods = ({getattr(f.verdict, name) for f in findings} for name in ("form", "method"))
    found = {"search": "largest found by a search", "monte-carlo": "measured, with limits"}
    label = next((words for method, words in found.items() if method in methods), "")
    key(figure, {}, [form for form in FORM_COLORS if form in forms], "exact" in methods, label, columns)


def sweep(axes, findings: Sequence[Finding], parameter: str, forms: Sequence[str], color: str) -> None:
    """Measured values against a swept parameter, and the bounds in the given forms, on logarithmic axes.

    The findings are those of one claim in one sweep, in all forms; forms are left out where they are not applicable.
    """
    known = [f for f in findings if f.verdict.outcome != "not applicable"]
    groups = [[f for f in known if f.verdict.form == form] for form in forms]
    groups = [sorted(group, key=lambda f: f.parameters[parameter]) for group in groups if group]
    for group in groups:
        bound_line(axes, [f.parameters[parameter] for f in group], group, color)
    for longest in sorted(groups, key=len)[-1:]:
        measured(axes, [f.parameters[parameter] for f in longest], longest, color)
    axes.set(xscale="log", yscale="log")
