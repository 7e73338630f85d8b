"""What figures draw, read back from their artists: lines, limits, scales, labels, colours and the legend."""

from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba

import maml_bench
from maml_bench.study import HeatMap, heatmap
from maml_bench.study.figures import FORM_LINES, INK, LIGHT, Figure, draw
from maml_bench.study.findings import frame

ROOT = Path(maml_bench.__file__).parents[1]


@pytest.fixture
def canvases(monkeypatch):
    """Every canvas that is saved, in order."""
    seen, save = [], matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda self, *args, **options: (seen.append(self), save(self, *args, **options)),
    )
    return seen


def test_nothing_else_in_the_package_draws():
    drawing = {
        str(path.relative_to(ROOT))
        for folder in ("analytic", "maml_bench", "studies")
        for path in (ROOT / folder).rglob("*.py")
        if "savefig" in path.read_text()
    }
    assert drawing == {"maml_bench/study/figures.py", "maml_bench/study/heatmap.py"}


def row(N, form, bound, value=None, lower=None, upper=None, evidence="certified", **more):
    about = {"claim": "prop3", "quantity": "||E H^||", "N": N, "form": form, "outcome": "holds", "evidence": evidence}
    return (
        about | {"value": value, "lower": lower, "upper": upper, "bound": bound, "ratio": (value or 0) / bound} | more
    )


LIMITED = [
    row(N, form, bound, *found)
    for N, found, bounds in ((1, (4.0, 3.0, 9.0), (20.0, 12.0)), (8, (10.0, 8.5, 11.0), (50.0, 30.0)))
    for form, bound in zip(("paper", "sharp"), bounds, strict=True)
]


def lines(axes):
    """The lines that have points, as (x, y, style, marker, colour)."""
    found = [line for line in axes.lines if len(line.get_xdata())]
    return [
        (
            list(line.get_xdata()),
            list(line.get_ydata()),
            line.get_linestyle(),
            line.get_marker(),
            to_hex(line.get_color()),
        )
        for line in found
    ]


def entries(canvas):
    """The legend: of each label its line style, marker and colour."""
    (legend,) = canvas.legends
    return {
        text.get_text(): (handle.get_linestyle(), handle.get_marker(), to_hex(handle.get_color()))
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }


def test_bounds_are_lines_and_measured_values_points_with_their_limits(canvases):
    draw(Figure("prop3", x="N"), frame(LIMITED), "x")
    (canvas,) = canvases
    (axes,) = canvas.axes
    found = lines(axes)
    assert ([1, 8], [20, 50], "--", "None", LIGHT[0]) in found
    assert ([1, 8], [12, 30], "-", "None", LIGHT[1]) in found
    (bars,) = axes.containers
    points, _, (segments,) = bars.lines
    assert (list(points.get_xdata()), list(points.get_ydata()), points.get_marker()) == ([1, 8], [4, 10], "o")
    assert to_hex(points.get_color()) == INK[0]
    expected = [[(1, 3), (1, 9)], [(8, 8.5), (8, 11)]]
    np.testing.assert_allclose(segments.get_segments(), expected)
    assert entries(canvas) == {
        "bound, paper": ("--", "None", LIGHT[0]),
        "bound, sharp": ("-", "None", LIGHT[1]),
        "measured, with limits": ("None", "o", INK[0]),
    }


def test_axes_are_logarithmic_and_labelled_in_signs_unless_told_otherwise(canvases):
    draw(Figure("prop3", x="N"), frame(LIMITED), "x")
    draw(Figure("prop3", x="N", across="family", label="alpha", linear=True), frame(LIMITED).assign(family="bowl"), "x")
    plain, told = (canvas.axes[0] for canvas in canvases)
    assert (plain.get_xscale(), plain.get_yscale()) == ("log", "log")
    assert (plain.get_xlabel(), plain.get_ylabel(), plain.get_title()) == ("N", "‖E Ĥ‖", "")
    assert [float(tick) for tick in plain.get_xticks()] == [1, 8]
    assert (told.get_xscale(), told.get_yscale()) == ("linear", "linear")
    assert (told.get_xlabel(), told.get_ylabel(), told.get_title()) == ("N", "α", "bowl")


def test_long_words_stand_in_lines_beside_the_axis_and_squares_are_signs(canvases):
    words = "E ||(H^ - E H^) v||^2 with v along the task's gradient, x^20"
    draw(Figure("prop3", x="N", label=words), frame(LIMITED), "x")
    lines = canvases[0].axes[0].get_ylabel().split("\n")
    assert " ".join(lines) == "E ‖(Ĥ − E Ĥ) v‖² with v along the task's gradient, x^20"
    assert len(lines) == 2 and max(map(len, lines)) <= 34


def test_a_bound_of_zero_is_far_below_a_logarithmic_axis(canvases):
    """So no line leads there; beside linear axes it is drawn."""
    found = frame([row(1, "sharp", 1.0) | {"bound": 0.0}, row(2, "sharp", 4.0)])
    for linear in (False, True):
        draw(Figure("prop3", x="N", linear=linear), found, "x")
    for canvas, drawn in zip(canvases, ([np.nan, 4.0], [0.0, 4.0]), strict=True):
        np.testing.assert_array_equal(canvas.axes[0].lines[0].get_ydata(), drawn)
        assert "bound, sharp: 0 at 1 points" in entries(canvas) or drawn[0] == 0


def test_no_two_of_many_curves_look_alike(canvases):
    curve = [row(N, "", 1.0, float(k), method=f"m{k}") for k in range(1, 13) for N in (1, 2)]
    draw(Figure("prop3", x="N", by="method"), frame(curve).assign(bound=np.nan), "x")
    looks = {text: look for text, look in entries(canvases[0]).items() if text.startswith("method")}
    drawn = {
        (one.get_linestyle(), to_hex(one.get_color())) for one in canvases[0].axes[0].lines if one.get_linewidth() < 1
    }
    assert len(looks) == 12 and {(style, color) for style, _, color in looks.values()} == drawn and len(drawn) == 12


def test_labels_of_long_numbers_stand_apart(canvases):
    """Their letters, and a gap beside each, fit below the axis; short ones may be more."""
    for along in (np.arange(1.0, 11.0), np.geomspace(120, 108_000, 30).round()):
        draw(Figure("prop3", x="N"), frame([row(N, "sharp", 1.0, 0.5, 0.5, 0.5, "exact") for N in along]), "x")
    short, long = ([text.get_text() for text in one.axes[0].get_xticklabels()] for one in canvases)
    assert len(short) > 5 and len(long) > 3
    assert all((len(texts) - 1) * (max(map(len, texts)) + 1.5) <= 42 for texts in (short, long))


def test_exact_values_are_open_points_and_those_of_a_search_triangles(canvases):
    exact = row(1, "sharp", 2.0, 1.0, 1.0, 1.0, "exact")
    draw(Figure("prop3", x="N"), frame([exact, row(8, "sharp", 4.0, 3.0, 3.0, 3.0, "search")]), "x")
    (canvas,) = canvases
    found = {line.get_marker(): line for line in canvas.axes[0].lines if len(line.get_xdata())}
    assert (list(found["o"].get_xdata()), list(found["o"].get_ydata())) == ([1], [1])
    assert found["o"].get_markerfacecolor() == "none"
    assert (list(found["^"].get_xdata()), list(found["^"].get_ydata())) == ([8], [3])
    assert not canvas.axes[0].containers
    assert set(entries(canvas)) == {"bound, sharp", "exact", "largest found by a search"}


def test_a_colour_for_each_value_and_a_line_for_each_form(canvases):
    both = [entry | {"αL": 0.2, "bound": 2 * entry["bound"]} for entry in LIMITED]
    draw(Figure("prop3", x="N", by="αL"), frame([*(entry | {"αL": 0.1} for entry in LIMITED), *both]), "x")
    (canvas,) = canvases
    found = lines(canvas.axes[0])
    for group, times in enumerate((1, 2)):
        for form, bounds in (("paper", (20, 50)), ("sharp", (12, 30))):
            assert ([1, 8], [times * bound for bound in bounds], FORM_LINES[form], "None", LIGHT[group]) in found
    points = [container.lines[0] for container in canvas.axes[0].containers]
    assert [to_hex(line.get_color()) for line in points] == list(LIGHT[:2])
    told = entries(canvas)
    assert [told[f"αL = {value}"][2] for value in (0.1, 0.2)] == list(LIGHT[:2])
    assert (told["bound, paper"], told["bound, sharp"]) == (("--", "None", INK[0]), ("-", "None", INK[0]))


def test_a_curve_is_a_line_with_a_band_between_its_limits(canvases):
    steps = [{"quantity": "loss", "iteration": k, "value": 4 / k, "lower": 3 / k, "upper": 9 / k} for k in range(1, 41)]
    draw(Figure("loss", x="iteration"), frame(steps), "x")
    (axes,) = canvases[0].axes
    k = np.arange(1, 41)
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xydata(), np.stack([k, 4 / k], axis=1))
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices.round(9).tolist()}
    assert {(float(x), round(side / x, 9)) for x in k for side in (3, 9)} <= corners
    assert axes.collections[0].get_alpha() == 0.2


def test_a_few_points_without_a_bound_are_joined(canvases):
    steps = [{"quantity": "loss", "iteration": k, "value": 4 / k, "evidence": "exact"} for k in (1, 2, 4)]
    draw(Figure("loss", x="iteration"), frame(steps), "x")
    assert ([1, 2, 4], [4, 2, 1], "-", "None", INK[0]) in lines(canvases[0].axes[0])


def test_what_a_logarithm_cannot_show_is_said_in_the_legend(canvases):
    zero = row(1, "paper", 4.0, 0.0, 0.0, 1.0) | {"bound": 0.0}
    refused = {"claim": "prop3", "quantity": "E", "N": 1, "form": "smooth", "outcome": "not applicable"}
    draw(Figure("prop3", x="N"), frame([zero, row(8, "paper", 4.0, 2.0, 1.0, 3.0), refused]), "x")
    assert {
        "bound, paper: 0 at 1 points",
        "smooth: does not apply here",
        "measured value 0 at 1 points",
    } <= set(entries(canvases[0]))


def test_every_form_has_a_line_of_its_own():
    assert len(set(map(str, FORM_LINES.values()))) == len(FORM_LINES)


def test_a_heat_map_is_read_back_cell_by_cell(canvases):
    cells = {("a", "d = 1"): 1.0, ("a", "d = 2"): 0.5, ("b", "d = 2"): 0.24}
    rows = [
        {"claim": "c", "form": r, "problem": p, "ratio": value, "outcome": "holds"} for (r, p), value in cells.items()
    ]
    heatmap.draw(HeatMap("form", "problem"), frame([*rows, rows[1] | {"ratio": 0.1}]), "x")
    (axes,) = canvases[0].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["d = 1", "d = 2"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim() == (1.5, -0.5)  # the first row is on top
    shades = {(r.get_x() + 0.5, r.get_y() + 0.5): r.get_alpha() for r in axes.patches}
    assert shades == {(0, 0): 0.75, (1, 0): 0.375, (1, 1): pytest.approx(0.18)}
    assert {to_rgba(r.get_facecolor(), alpha=1) for r in axes.patches} == {to_rgba(LIGHT[0])}
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "1", (1, 0): "0.5", (1, 1): "0.24"}
