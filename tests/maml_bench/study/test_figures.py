"""Figures draw every form or say that they do not, and are readable without seeing them."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_hex

from maml_bench.study.figures import DARK, FAINT, FORM_LINES, INK, LIGHT, LINES, Figure, css, draw, standalone
from maml_bench.study.findings import frame


def rows():
    """Two problems, three N, two forms; one form does not apply on the second problem."""
    for problem in ("one", "two"):
        for N in (1, 2, 4):
            for form in ("paper", "sharp", "smooth"):
                about = {"claim": "prop3", "quantity": "||bias|| & <more>", "problem": problem, "N": N, "form": form}
                if form == "smooth" and problem == "two":
                    yield about | {"outcome": "not applicable"}
                    continue
                found = {"value": 1.0 * N, "lower": 0.9 * N, "upper": 1.1 * N, "bound": 2.0 * N, "ratio": 0.5}
                yield about | found | {"outcome": "holds", "evidence": "asymptotic"}


TABLE = frame(rows())


@pytest.fixture
def drawn(monkeypatch):
    """The axes of each panel that is drawn."""
    import matplotlib.figure

    seen, save = [], matplotlib.figure.Figure.savefig

    def noted(canvas, *arguments, **options):
        seen.append(canvas.axes[0])
        return save(canvas, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", noted)

    def axes(figure, table):
        seen.clear()
        draw(figure, table, "x")
        return list(seen)

    return axes


def lines_of(axes):
    """The lines with a colour, a style and data: (colour, style, marker, face, points)."""
    return [
        (to_hex(line.get_color()), line.get_linestyle(), line.get_marker(), line.get_markerfacecolor(), points(line))
        for line in axes.lines
        if len(line.get_xdata())
    ]


def points(line):
    return [(float(x), pytest.approx(float(y))) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_a_panel_for_each_value_with_every_form_in_its_legend():
    one, two = draw(Figure("prop3", x="N", across="problem"), TABLE, "study-name")
    assert (one.title, two.title) == ("one", "two")
    for form in ("paper", "sharp", "smooth"):
        assert f"bound, {form}" in one.svg
    assert "bound, smooth" not in two.svg
    assert "smooth: does not apply here" in two.svg
    assert "smooth: does not apply here" in two.words
    assert "measured over the paper bound: 0.5; " in one.words
    assert "against N from 1 to 4" in one.words


def test_a_panel_of_a_number_is_named_by_it_too():
    table = frame([line | {"nu": nu} for nu in (2.0, 0.5) for line in rows()])
    two, half = draw(Figure("prop3", x="N", across="nu", where={"problem": "one"}), table, "x")
    assert (two.title, half.title) == ("ν = 2", "ν = 0.5") and "from 1 to 4 (ν = 2)" in two.words


def test_svgs_are_whole_named_and_take_their_colours_from_the_page():
    one, two = draw(Figure("prop3", x="N", across="problem"), TABLE, "study-name")
    for panel in (one, two):
        root = ET.fromstring(panel.svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == panel.words
        assert not re.search(r": #(1f5fa8|1c2430)", panel.svg)
        assert "prefers-color-scheme" in standalone(panel)
        ET.fromstring(standalone(panel))
    ids = [set(re.findall(r'id="([^"]+)"', panel.svg)) for panel in (one, two)]
    assert not ids[0] & ids[1]
    assert all(f'id="{name}"' in one.svg for name in re.findall(r'(?:href="|url\()#([^")]+)', one.svg))
    assert not re.search(r'="[^"]*\d\.\d{3}', one.svg.partition("\n")[2])  # no coordinate finer than a hundredth
    assert ">one<" in one.svg
    assert "‖bias‖" in one.svg


def test_a_figure_does_not_change_unless_the_findings_do():
    figure = Figure("prop3", x="N", across="problem")
    assert draw(figure, TABLE, "a") == draw(figure, TABLE, "a")


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (Figure("prop3", x="N", forms=("local",)), "no finding of the form 'local'"),
        (Figure("prop3", x="N"), "several findings at N = 1"),
        (Figure("prop4", x="N"), "no finding has quantity = 'prop4'"),
        (Figure("prop3", x="N", where={"problem": "three"}), "no finding has problem = 'three'"),
    ],
)
def test_nothing_is_left_out_in_silence(figure, message):
    with pytest.raises(ValueError, match=message):
        draw(figure, TABLE, "x")


def test_curves_without_a_bound_are_drawn_by_their_quantity():
    steps = (
        {"quantity": "loss", "iteration": k, "value": 1 / k, "lower": 0.5 / k, "upper": 2 / k, "run": "a"}
        for k in range(1, 99)
    )
    (panel,) = draw(Figure("loss", x="iteration", by="run"), frame(steps), "x")
    assert "run = a" in panel.svg
    assert "bound" not in panel.words


def found(N, value, bound, evidence, form="sharp", **fields):
    about = {"claim": "prop3", "quantity": "E", "N": N, "form": form, "evidence": evidence, "outcome": "holds"}
    return (
        about
        | {"value": value, "lower": value / 2, "upper": 3 * value, "bound": bound, "ratio": value / bound}
        | fields
    )


MIXED = frame(
    [
        found(1, 1.0, 2.0, "exact"),
        found(4, 4.0, 9.0, "search"),
        found(2, 2.0, 5.0, "certified"),
        found(1, 1.0, 20.0, "exact", "paper"),
        found(2, 2.0, 50.0, "certified", "paper"),
        found(4, 4.0, 90.0, "search", "paper"),
    ]
)


def test_bounds_are_lines_and_measured_values_are_marks_with_their_limits(drawn):
    (axes,) = drawn(Figure("prop3", x="N", label="alpha"), MIXED)
    paper, sharp, exact, search, *_ = lines_of(axes)
    assert paper == (LIGHT[0], "--", "None", LIGHT[0], [(1, 20), (2, 50), (4, 90)])
    assert sharp == (LIGHT[1], "-", "None", LIGHT[1], [(1, 2), (2, 5), (4, 9)])
    assert exact == (INK[0], "None", "o", "none", [(1, 1)])
    assert search == (INK[0], "None", "^", INK[0], [(4, 4)])
    (bars,) = axes.containers
    assert points(bars.lines[0]) == [(2, 2)]
    (segment,) = bars.lines[2][0].get_segments()
    assert segment.tolist() == [[2, 1], [2, 6]]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("N", "α", "")


def test_colours_tell_groups_and_lines_tell_forms(drawn):
    table = frame(
        [found(N, N * k, 2 * N * k, "exact", form, S=k) for N in (1, 2) for k in (1, 4) for form in ("sharp", "smooth")]
    )
    (axes,) = drawn(Figure("prop3", x="N", by="S", linear=True), table)
    shown = lines_of(axes)
    assert [(color, marker, where) for color, _, marker, _, where in shown] == [
        (LIGHT[group], marker, [(1, scale * k), (2, 2 * scale * k)])
        for group, k in enumerate((1, 4))
        for marker, scale in (("None", 2), ("None", 2), ("o", 1))
    ]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels == ["S = 1", "S = 4", "bound, sharp", "bound, smooth", "exact"]


def test_a_legend_has_two_columns_where_they_fit(drawn):
    short, long = (frame([found(N, N, N, "exact") | {"way": way} for N in (1, 2) for way in ways]) for ways in WAYS)
    for table, columns in ((short, 2), (long, 1)):
        (axes,) = drawn(Figure("prop3", x="N", by="way"), table)
        assert axes.figure.legends[0]._ncols == columns


WAYS = ("ab", ("a way with a name that is longer than a column", "another"))


def test_no_two_forms_or_colours_look_the_same():
    dashes = {style if isinstance(style, str) else style[1] for style in LINES}
    assert len(dashes) == len(LINES) == len(FORM_LINES)
    for dash in dashes:
        assert isinstance(dash, str) or (len(dash) % 2 == 0 and min(dash) > 0)  # a dash without a gap is a line
    assert len({*LIGHT, INK[0]}) == len({*DARK, INK[1]}) == 9
    sheet = css(":root")
    light, dark = sheet.split("@media (prefers-color-scheme:dark)")
    for i in range(8):
        assert f"--series-{i}:{LIGHT[i]};" in light and f"--series-{i}:{DARK[i]};" in dark
    assert f"--ink:{INK[0]};--faint:{FAINT[0]}}}" in light and f"--ink:{INK[1]};--faint:{FAINT[1]}}}}}" in dark


def shown_ticks(axis):
    """Where an axis has labels, and which."""
    low, high = sorted(axis.get_view_interval())
    return {
        float(x): text
        for x, text in zip(axis.get_ticklocs(), axis.major.formatter.format_ticks(axis.get_ticklocs()), strict=True)
        if low <= x <= high and text
    }


@pytest.mark.parametrize(
    ("x", "y", "along", "up"),
    [
        ((1, 2, 4), (3.0, 4.0, 6.0), ["1", "2", "4"], ["3", "4", "5", "6"]),
        ((1, 2, 4), (3.0, 20.0, 70.0), ["1", "2", "4"], ["5", "10", "20", "50"]),
        ((0.01, 0.2, 0.21, 3), (0.03, 0.2, 0.4, 0.7), ["0.01", "0.2", "3"], ["0.05", "0.1", "0.2", "0.5"]),
        ((1, 2, 3000), (1.0, 10.0, 1000.0), None, None),
    ],
)
def test_ticks_are_swept_values_and_at_least_two(drawn, x, y, along, up):
    """Swept values within a factor of 2000, but for those that would cover each other; a few y below one of 100."""
    table = frame(found(N, value, value, "exact") for N, value in zip(x, y, strict=True))
    (axes,) = drawn(Figure("prop3", x="N"), table)
    labels = shown_ticks(axes.xaxis), shown_ticks(axes.yaxis)
    for axis, ticks, wanted in zip((axes.xaxis, axes.yaxis), labels, (along, up), strict=True):
        if wanted is None:  # powers of ten, as Matplotlib writes them
            assert all(np.log10(tick) % 1 == pytest.approx(0) for tick in ticks)
            assert all("10^{" in text for text in ticks.values()) and len(ticks) >= 3
        else:
            assert list(ticks.values()) == wanted
            assert list(ticks) == pytest.approx([float(text) for text in wanted])
            assert not len(axis.get_minorticklocs())


def test_long_curves_have_a_band_and_short_ones_points(drawn):
    def curve(count):
        return frame(
            {"quantity": "loss", "iteration": k, "value": 1 / k, "lower": 0.5 / k, "upper": 2 / k}
            for k in range(1, count)
        )

    (axes,) = drawn(Figure("loss", x="iteration"), curve(22))
    (line,) = lines_of(axes)
    assert line[1:3] == ("-", "None") and line[4][20] == (21, 1 / 21)
    (band,) = axes.collections
    edge = {tuple(point) for point in band.get_paths()[0].vertices.round(9)}
    assert {(2, 0.25), (2, 1.0), (10, 0.05), (10, 0.2)} <= edge
    (axes,) = drawn(Figure("loss", x="iteration"), curve(21))
    assert not [band for band in axes.collections if len(band.get_paths()) == 1]
    assert len(axes.containers[0].lines[2][0].get_segments()) == 20


def test_what_is_not_drawn_is_said():
    zero = frame(
        [found(1, 0.0, 1.0, "exact"), found(2, 1.0, 1.0, "exact"), found(4, 1.0, 1.0, "exact") | {"bound": 0.0}]
    )
    (panel,) = draw(Figure("prop3", x="N"), zero, "x")
    assert "bound, sharp: 0 at 1 points; measured value 0 at 1 points." in panel.words
    (panel,) = draw(Figure("prop3", x="N", linear=True), zero, "x")
    assert panel.words == "E against N from 1 to 4; measured values from 0 to 1; measured over the sharp bound: 0 to 1."


def test_a_panel_as_a_file_has_its_colours_once_and_a_box():
    (panel,) = draw(Figure("prop3", x="N"), MIXED, "x")
    assert re.fullmatch(r"0 0 316\.8 280\.8", panel.box)
    assert standalone(panel).replace(f"<style>{css(':root')}</style>", "", 1) == panel.svg
