"""Heat maps: a cell for each pair, its number in it, and words for those who cannot see it."""

import xml.etree.ElementTree as ET

import pytest
from matplotlib.colors import to_hex

from maml_bench.study import HeatMap
from maml_bench.study.figures import LIGHT
from maml_bench.study.findings import frame
from maml_bench.study.heatmap import draw

TABLE = frame(
    {"claim": "prop6", "bound_words": words, "problem": problem, "ratio": ratio, "outcome": "holds"}
    for words, problem, ratio in (("a", "d = 1", 1.0), ("a", "d = 2", 0.25), ("a", "d = 2", 0.5), ("b", "d = 2", None))
)


def test_every_number_is_in_its_cell_and_the_largest_counts():
    (panel,) = draw(HeatMap("bound_words", "problem", claim="largest ratio"), TABLE, "study-map")
    texts = [element.text for element in ET.fromstring(panel.svg).iter() if element.tag.endswith("text")]
    assert {"1", "0.5", "d = 1", "d = 2", "a"} <= set(texts)
    assert not {"0.25", "b"} & set(texts)
    assert panel.svg.count("opacity: 0.38") == 1
    assert panel.words == "largest ratio, for 1 values of bound_words and 2 of problem: from 0.5 to 1."


def test_a_cell_stands_in_its_row_and_column_and_is_as_dark_as_its_number(monkeypatch):
    import matplotlib.figure

    seen, save = [], matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda canvas, *a, **k: (seen.append(canvas), save(canvas, *a, **k))
    )
    ratios = {("a", "x"): 0.5, ("a", "z"): 1.0, ("b", "x"): 0.0, ("b", "y"): 1.5, ("c", "z"): 0.25}
    rows = [{"claim": row, "problem": column, "ratio": ratio} for (row, column), ratio in ratios.items()]
    draw(HeatMap("claim", "problem"), frame(rows), "study-map")
    (canvas,) = seen
    (axes,) = canvas.axes
    cells = {(patch.get_xy(), patch.get_width(), patch.get_height()): patch for patch in axes.patches}
    columns = {text.get_text(): x for text, x in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    down = {text.get_text(): y for text, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert (columns, down) == ({"x": 0, "z": 1, "y": 2}, {"a": 0, "b": 1, "c": 2})
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 2.5), (2.5, -0.5))  # the first row on top
    for (row, column), ratio in ratios.items():
        patch = cells.pop(((columns[column] - 0.5, down[row] - 0.5), 1, 1))
        assert (to_hex(patch.get_facecolor()), patch.get_alpha()) == (LIGHT[0], 0.75 * min(ratio, 1))
    assert not cells
    texts = {text.get_position(): (text.get_text(), text.get_ha(), text.get_va()) for text in axes.texts}
    assert texts == {
        (columns[column], down[row]): (f"{ratio:g}", "center", "center") for (row, column), ratio in ratios.items()
    }
    width, height = canvas.get_size_inches()
    draw(HeatMap("claim", "problem"), frame([*rows, rows[0] | {"problem": "w"}, rows[0] | {"claim": "d"}]), "study-map")
    assert tuple(seen[1].get_size_inches()) == pytest.approx((width + 0.75, height + 0.2))


def test_a_map_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no finding has claim"):
        draw(HeatMap("bound_words", "problem", where={"claim": "prop1"}), TABLE, "study-map")
