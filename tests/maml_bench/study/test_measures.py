"""Rows of the atlas: an instance, a search and batches, each against a value by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from maml_bench.extremal import INSTANCES
from maml_bench.problems import Quadratic, TwoPoint
from maml_bench.study.measures import Attack, estimated, in_batches, nearest, refuted, worst

EFFORT = {"seed": 0, "budget": 1, "workers": 1}


def test_in_several_dimensions_the_instance_stands_in_for_a_search():
    (row,) = worst(Attack("zo-vector", "sharp", "d = 3", dim=3, directions=4), **EFFORT)
    assert row["ratio"] == pytest.approx(1 - 5 / 63)  # 1 - (d + 2)/((d + 4)(d + 6)), whatever Q
    assert (row["d"], row["Q"], row["arena"]) == (3, 4, INSTANCES["zo-vector", "sharp"].words)
    assert row["supremum"] is None and row["refuted"] == 0


def test_a_form_without_an_instance_has_that_of_the_sharp_one():
    (row,) = worst(Attack("prop6", "paper", "d = 2", dim=2), **EFFORT)
    assert nearest("prop6", "paper") is INSTANCES["prop6", "sharp"]
    assert 0.69 < row["ratio"] < 0.70  # 0.783 E||u||/sqrt(d), E||u|| = sqrt(pi/2)
    assert row["supremum"] is None


def test_a_search_keeps_alpha_l_and_the_steps():
    (row,) = worst(Attack("prop2-second", "sharp", "N = 2", 0.3, 2), **EFFORT)
    assert row["alphaL"] == pytest.approx(0.3) and row["N"] == 2
    assert row["ratio"] == pytest.approx(1, abs=1e-6) and row["supremum"] == 1


def test_a_search_that_has_reached_the_bound_ends():
    attack = Attack("prop2-second", "sharp", "N = 1", 0.3, 1)
    (row,), (longer,) = (worst(attack, **EFFORT | {"budget": budget}) for budget in (1, 3))
    assert row["ratio"] == pytest.approx(1, abs=1e-6)
    assert longer["searched"] == row["searched"]


def test_batches_divide_the_second_moment():
    rows = {
        row["form"]: row for row in in_batches(Attack("prop2-second", "sharp", "S = 4", steps=2, batch=4), **EFFORT)
    }
    assert rows["sharp"]["value"] == pytest.approx(0.1**2 / 4 * (1 + 1.1**2))
    assert rows["sharp"]["ratio"] == pytest.approx(1) and rows["paper"]["ratio"] < 0.5
    assert rows["paper"]["S"] == 4


def test_performance_estimation_is_a_row_with_our_bound():
    (row,) = estimated(("growth", "convex", 2), **EFFORT)
    assert (row["value"], row["bound"]) == (1, pytest.approx(1.69))
    assert row["ratio"] == pytest.approx(1 / 1.69) and row["N"] == 2


def test_an_accusation_by_chance_is_looked_into_once_more():
    """Noise that stays below its certificate is cleared, a curvature above it is not."""

    class Steep(Quadratic):
        def grad(self, w, sample=None):
            return 2 * super().grad(w)

    accused = SimpleNamespace(violations=("sigma_g",))
    honest, wrong = (cls(-np.eye(1)[None], np.zeros((1, 1))).with_noise(TwoPoint(1.0)) for cls in (Quadratic, Steep))
    assert refuted(SimpleNamespace(audit=accused, setting=SimpleNamespace(tasks=honest)), 0) == 0
    assert refuted(SimpleNamespace(audit=accused, setting=SimpleNamespace(tasks=wrong)), 0) > 0
    assert refuted(SimpleNamespace(audit=SimpleNamespace(violations=()), setting=None), 0) == 0
