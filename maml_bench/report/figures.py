"""Figures: one look for all reports, and files that do not change unless the data do."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maml_bench.finding import Finding

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
FORM_LINES = {"paper": "--", "sharp": "-", "refined": (0, (6, 1, 1, 1)), "local": "-.", "smooth": ":"}
COLORS = ("#1f5fa8", "#c4511a", "#2b8a57", "#7a4fa3", "#8a6d1b", "#555555")


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


def key(figure: Figure, colors: Mapping[str, str], forms: Sequence[str], exact: bool = False) -> None:
    """A legend below the axes: what the colours mean, the line of each form, and the markers of measured values."""
    entries = [Line2D([], [], color=color, linewidth=4, label=label) for label, color in colors.items()]
    entries += [Line2D([], [], color="black", linestyle=FORM_LINES[form], label=f"bound, {form}") for form in forms]
    dot = {"marker": "o", "linestyle": "none", "color": "black"}
    entries.append(Line2D([], [], label="measured, with limits", **dot))
    if exact:
        entries.append(Line2D([], [], label="exact", markerfacecolor="white", **dot))
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 8))


def measured(axes, x: Sequence[float], findings: Sequence[Finding], color: str, label: str | None = None, scale=1.0):
    """Measured values as points with their limits; exact values as open circles. ``scale`` multiplies what is drawn."""
    scale = [scale] * len(findings) if isinstance(scale, float) else list(scale)
    values = [f.verdict.value * k for f, k in zip(findings, scale, strict=True)]
    below = [max(f.verdict.value - f.verdict.lower, 0.0) * k for f, k in zip(findings, scale, strict=True)]
    above = [max(f.verdict.upper - f.verdict.value, 0.0) * k for f, k in zip(findings, scale, strict=True)]
    exact = bool(findings) and all(f.verdict.method == "exact" for f in findings)
    face = "white" if exact else color
    axes.errorbar(x, values, [below, above], fmt="o", color=color, markerfacecolor=face, capsize=2, label=label)


def bound_line(axes, x: Sequence[float], findings: Sequence[Finding], color: str, label: str | None = None, scale=1.0):
    """The bound of the findings' form as a line."""
    scale = [scale] * len(findings) if isinstance(scale, float) else list(scale)
    line = FORM_LINES[findings[0].verdict.form]
    values = [f.verdict.bound * k for f, k in zip(findings, scale, strict=True)]
    axes.plot(x, values, line, color=color, label=label)
