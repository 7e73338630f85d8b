"""What performance estimation found, against values worked out by hand, and against PEPit where it is installed."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from maml_bench.extremal.estimation import ALPHA_L, CLASSES, QUESTIONS, RECORD, STEPS, worst_case

DIGITS = 2e-6
"""Six digits are recorded, and the solver has about seven."""


def ours(question):
    return [QUESTIONS[question].ours(ALPHA_L, steps) for steps in STEPS]


@pytest.mark.parametrize("question", ["growth", "distance", "error", "target"])
def test_over_all_smooth_losses_the_answer_is_our_constant(question):
    np.testing.assert_allclose(RECORD[question, "smooth"], ours(question), atol=DIGITS)


@pytest.mark.parametrize(("question", "expected"), [("growth", [1, 1, 1]), ("distance", [1, 1, 1])])
def test_gradient_steps_on_convex_losses_do_not_expand(question, expected):
    np.testing.assert_allclose(RECORD[question, "convex"], expected, atol=DIGITS)


def test_on_convex_losses_errors_of_the_path_add_up_like_a_random_walk():
    np.testing.assert_allclose(RECORD["error", "convex"], ALPHA_L * np.sqrt(STEPS), atol=DIGITS)


def test_a_loss_turns_its_gradient_less_than_a_chain_of_matrices():
    """At least as much as a quadratic: the larger eigenvalue of (I - alpha A)^N less mu; by hand for N = 2."""
    for losses in CLASSES:
        found = np.array(RECORD["turn", losses])
        assert found[0] == pytest.approx(ours("turn")[0], abs=DIGITS)
        assert (found[1:] < 0.98 * np.array(ours("turn"))[1:]).all()
        mu = (1 - 0.09) / (1 - 2 * 0.09)  # cos 2 arcsin a = 1 - 2 a^2
        assert found[1] > 1.3**2 - mu - DIGITS or losses == "convex"


def test_the_chain_of_matrices_is_worked_out_right():
    """N rotations by arcsin(alpha L), each shortening by its cosine, less mu."""
    turned = (math.sqrt(1 - ALPHA_L**2) * np.exp(1j * math.asin(ALPHA_L))) ** np.array(STEPS)
    mu = turned.__abs__() / np.cos(np.array(STEPS) * math.asin(ALPHA_L))
    np.testing.assert_allclose(ours("turn"), np.abs(turned - mu), rtol=1e-12)


class Numbers:
    """What PEPit is asked to maximize over, at one choice of numbers: a line of points, and a loss each."""

    def __init__(self, *losses, points, noise=None):
        self.losses, self.points, self.noise, self.admitted = losses, iter(points), noise, True
        self.add_constraint = self.set_initial_condition

    def set_initial_point(self):
        return next(self.points)

    def set_initial_condition(self, met):
        self.admitted &= bool(met)

    def asked(self, question, alpha, steps, monkeypatch):
        stand_in = SimpleNamespace(Point=lambda: self.noise)
        monkeypatch.setitem(sys.modules, "PEPit", SimpleNamespace(point=stand_in))
        monkeypatch.setitem(sys.modules, "PEPit.point", stand_in)
        declared = iter(self.losses)
        return math.sqrt(QUESTIONS[question].squared(self, lambda: next(declared), alpha, steps))


def slope(curvature=-1.0, pull=0.0):
    """The loss ``curvature w^2/2 + pull w``."""
    return SimpleNamespace(gradient=lambda w: curvature * w + pull)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("alpha", [ALPHA_L, 0.05])
@pytest.mark.parametrize(
    ("question", "made"),
    [
        ("growth", lambda size: Numbers(slope(), points=[size])),
        ("distance", lambda size: Numbers(slope(), points=[-0.25 * size, 0.75 * size])),
        ("error", lambda size: Numbers(slope(), points=[0.5], noise=size)),
        ("target", lambda size: Numbers(slope(pull=size), slope(), points=[-1.0])),
        ("target", lambda size: Numbers(slope(pull=1 - 1e-12), slope(), points=[-size])),
    ],
)
def test_the_concave_quadratic_attains_what_pepit_is_asked_and_more_is_not_admitted(
    question, made, alpha, steps, monkeypatch
):
    numbers, larger = made(1 - 1e-12), made(1.001)
    assert numbers.asked(question, alpha, steps, monkeypatch) == pytest.approx(QUESTIONS[question].ours(alpha, steps))
    larger.asked(question, alpha, steps, monkeypatch)
    assert numbers.admitted and not larger.admitted


def test_what_pepit_is_asked_about_a_turn(monkeypatch):
    """(1 - alpha c)^N - mu of the gradient is left with the curvature c; mu by hand for N = 2, as above."""
    mu = (1 - 0.09) / (1 - 2 * 0.09)
    for curvature in (-1.0, 0.6):
        numbers = Numbers(slope(curvature), points=[1 / curvature])
        assert numbers.asked("turn", 0.3, 2, monkeypatch) == pytest.approx(abs((1 - 0.3 * curvature) ** 2 - mu))
        assert numbers.admitted


@pytest.mark.parametrize(("question", "losses"), list(RECORD))
def test_pepit_says_so(question, losses):
    pytest.importorskip("PEPit", reason="PEPit is not installed (the extra pep)")
    found = [worst_case(question, losses, steps=steps) for steps in STEPS]
    np.testing.assert_allclose(RECORD[question, losses], found, atol=DIGITS)


def test_what_cannot_be_asked():
    with pytest.raises(ValueError, match="question = 'bias': must be one of growth"):
        worst_case("bias")
    with pytest.raises(ValueError, match="losses = 'rough'"):
        worst_case("growth", "rough")
    with pytest.raises(ValueError, match="alpha_l"):
        worst_case("growth", alpha_l=0.0)
