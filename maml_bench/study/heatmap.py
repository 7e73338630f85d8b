"""A heat map: one number for each pair of a row and a column, written in its cell and shown by how dark that is."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from maml_bench.study.facts import pick
from maml_bench.study.figures import INK, LIGHT, STYLE, Panel, clean
from maml_bench.study.text import number


@dataclass(frozen=True)
class HeatMap:
    """What to draw.

    Parameters
    ----------
    rows, columns : str
        Parameters, or columns of the findings, whose values make the rows and the columns, in their order.
    value : str
        A number from 0, white, to 1, dark; the largest where a cell has several.
    where : dict
        The rows to draw, as in `maml_bench.study.facts.pick`.
    claim : str
        What the map is about, in words.

    Examples
    --------
    >>> from maml_bench.study import HeatMap
    >>> HeatMap(rows="claim", columns="form").value
    'ratio'
    """

    rows: str
    columns: str
    value: str = "ratio"
    where: Mapping[str, object] = field(default_factory=dict)
    claim: str = ""


def draw(figure: HeatMap, table: pd.DataFrame, name: str) -> list[Panel]:
    """The one panel of a heat map; cells without a number stay empty."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
    from matplotlib.patches import Rectangle

    chosen = pick(table, **figure.where)
    chosen = chosen[chosen[figure.value].notna()]
    rows, columns = (list(dict.fromkeys(chosen[axis])) for axis in (figure.rows, figure.columns))
    cells = chosen.groupby([figure.rows, figure.columns])[figure.value].max()
    with mpl.rc_context(STYLE | {"svg.hashsalt": name, "axes.grid": False, "axes.spines.left": False}):
        canvas = Canvas(figsize=(2.4 + 0.75 * len(columns), 0.7 + 0.2 * len(rows)), layout="constrained")
        axes = canvas.add_subplot()
        for row, column, value in cells.reset_index().itertuples(index=False):
            corner = columns.index(column) - 0.5, rows.index(row) - 0.5
            shade = 0.75 * min(max(float(value), 0.0), 1.0)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=LIGHT[0], alpha=shade, linewidth=0))
            axes.text(corner[0] + 0.5, corner[1] + 0.5, number(float(value), 3), ha="center", va="center", color=INK[0])
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(length=0)
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    words = (
        f"{figure.claim or figure.value}, for {len(rows)} values of {figure.rows} and {len(columns)} of "
        f"{figure.columns}: from {number(cells.min())} to {number(cells.max())}."
    )
    return [Panel("", words, clean(file.getvalue(), name, words))]
