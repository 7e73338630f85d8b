"""Figures draw every form or say that they do not, and are readable without seeing them."""

import re
import xml.etree.ElementTree as ET

import pytest

from maml_bench.study.figures import Figure, draw, standalone
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
