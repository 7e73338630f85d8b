"""The drawings of the report on speed, in the style of the studies' figures: a row each, ratios on a log axis."""

import io
from collections.abc import Mapping, Sequence

import peers
import verdict_times

from maml_bench.study.figures import INK, LIGHT, STYLE, Panel, clean, standalone

WIDTH, LINE = 4.4, 0.22
"""Inches of a drawing, and of a row."""


def ratios(now: Mapping[str, Mapping[str, float]], before: Mapping[str, Mapping[str, float]]) -> str:
    """Every hot path over its floor: the bench, the table before, and peers."""
    floors = {name: entry["floor"] for name, entry in now.items()}
    then = {name: before[name]["floor"] for name in now if name in before}
    marks = [("the bench", floors, "o", LIGHT[0], LIGHT[0]), ("the table before", then, "o", LIGHT[0], "none")]
    for (peer, title), marker, color in zip(peers.TITLES.items(), "s^", LIGHT[1:], strict=False):
        found = {name: entry[peer] * floors[name] for name, entry in now.items() if peer in entry}
        marks.append((title, found, marker, color, color))
    least, most = min(floors.values()), max(floors.values())
    words = f"Time of {len(now)} hot paths over that of their floors: from {least:.2g} to {most:.2g}"
    return _drawing("ratios", list(now), marks, "time / that of the floor", words)


def verdicts(found: Mapping[str, dict]) -> str:
    """Plain sampling over ours for every sampled claim, at the bound and at the gap; triangles where one did not come
    to an end, and so the truth lies farther on.
    """
    rows = [title for title, row in found.items() if row["method"] == "sampled"]
    marks, factors = [], []
    for label, where, face in (("at the bound", "bound", LIGHT[0]), ("at a 3 % gap", "gap", "none")):
        known = {title: verdict_times.factor(found[title][where]) for title in rows}
        factors += [value for _, value in known.values() if value]
        for sign in ("", "<", ">"):
            values = {title: value for title, (open_, value) in known.items() if value and open_ == sign}
            marks.append((f"_{label}" if sign else label, values, sign or "o", LIGHT[0], face))
    faster = sum(value > 1 for value in factors)
    words = f"Time of plain sampling over that of the bench, in {len(factors)} decisions: above 1 in {faster}"
    return _drawing("verdicts", rows, marks, "plain sampling / ours", words)


def _drawing(name: str, rows: Sequence[str], marks: Sequence[tuple], label: str, words: str) -> str:
    """Marks are a title (none in the legend after ``_``), values by row, a marker, and the colours of edge and face."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        canvas = Canvas(figsize=(WIDTH, LINE * len(rows) + 1.3), layout="constrained")
        axes = canvas.add_subplot()
        axes.axvline(1, color=INK[0], linewidth=1)
        for title, values, marker, color, face in marks:
            places = [rows.index(row) for row in values]
            if values:
                axes.plot(
                    [*values.values()], places, marker, color=color, markerfacecolor=face, markersize=6, label=title
                )
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set(xscale="log", xlabel=label)
        low, high = axes.get_xlim()
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        canvas.legend(loc="outside lower center", ncols=2)
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return standalone(Panel(name, words, clean(file.getvalue(), f"performance-{name}", words)))
