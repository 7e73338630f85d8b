"""What an estimator states, as it is asked for: axes of points and tasks, numbers that are none, usable operators."""

from types import SimpleNamespace

import numpy as np
import pytest

from maml_bench.capabilities import CombinedMean, DirectionMean, deviation, mean_hessian, stated, usable
from maml_bench.hessians import ExactHessian, FirstOrder, GaussianSmoothing
from maml_bench.problems import Trigonometric

TASKS = Trigonometric.random(3, 4, 0)


def estimator(**states):
    return SimpleNamespace(operator=lambda tasks, w, D, rng: None, **states)


@pytest.mark.parametrize(
    ("points", "shape"), [((), (4,)), ((4,), (4,)), ((5, 1), (5, 4)), ((2, 5, 4), (2, 5, 4))], ids=str
)
def test_a_stated_mean_has_the_axes_of_points_and_tasks(points, shape):
    w = np.random.default_rng(0).standard_normal((*points, 3))
    found = mean_hessian(ExactHessian(), TASKS, w)
    assert found.shape == (*shape, 3, 3)
    np.testing.assert_array_equal(found, np.broadcast_to(TASKS.hess(w), found.shape))
    one = np.diag([1.0, 2.0, 3.0])
    found = mean_hessian(estimator(mean_hessian=lambda tasks, w: one), TASKS, w)
    np.testing.assert_array_equal(found, np.broadcast_to(one, (*shape, 3, 3)))
    assert not mean_hessian(FirstOrder(), TASKS, w).any()
    assert mean_hessian(GaussianSmoothing(0.1, 2), TASKS, w) is None


@pytest.mark.parametrize("given", [(2, 3), (2, 3, 3), (5, 4, 3, 3)])
def test_a_stated_mean_of_another_shape_is_refused(given):
    wrong = estimator(mean_hessian=lambda tasks, w: np.zeros(given))
    with pytest.raises(ValueError, match=r"mean_hessian gave an array of shape .*; it must be \(4, 3, 3\)"):
        mean_hessian(wrong, TASKS, np.zeros(3))


def test_a_stated_deviation_is_two_numbers():
    assert deviation(estimator(deviation=lambda tasks, D: (1, 2 / D)), TASKS, 4) == (1.0, 0.5)
    assert deviation(estimator(deviation=lambda tasks, D: (0.0, np.inf)), TASKS, 4) == (0.0, np.inf)
    for wrong in (1.0, (1.0,), (1.0, 2.0, 3.0), (-1.0, 2.0), (1.0, -2.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="deviation gave .*two numbers >= 0"):
            deviation(estimator(deviation=lambda tasks, D, wrong=wrong: wrong), TASKS, 1)


def test_what_can_be_used_as_an_estimator():
    assert usable(ExactHessian()) and usable(estimator())
    few, many = (lambda tasks, w: None), (lambda tasks, w, D, rng, more: None)
    for operator in (None, 3, few, many, ExactHessian):
        assert not usable(SimpleNamespace(operator=operator)), operator
    assert usable(SimpleNamespace(operator=lambda *anything: None))
    assert not usable(ExactHessian) and not usable(object())


def test_a_class_that_draws_in_its_own_way_inherits_nothing_of_how_it_is_drawn():
    class Same(GaussianSmoothing):
        pass

    class Own(GaussianSmoothing):
        def operator(self, tasks, w, D, rng):
            return np.negative

        def smoothed_mean(self, smooth):
            return -smooth.hess

    for capability, same, own in (("along", True, False), ("smoothed_mean", True, True), ("nothing", False, False)):
        assert (stated(Same(0.1, 2), capability) is not None) == same
        assert (stated(Own(0.1, 2), capability) is not None) == own


@pytest.mark.parametrize("shape", [(3,), (4, 3), (5, 4, 3), (3, 1, 1, 3)], ids=str)
def test_one_direction_is_the_mean_of_itself_twice(shape):
    """Of one direction no matrix is made; v has the axes of points (5) and tasks (4), or some, or more."""
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 1, 5, 4, 3))
    shift, v, twice = rng.standard_normal((5, 4, 1)), rng.standard_normal(shape), lambda x: np.concatenate([x, x])
    combined = lambda parts, u: 2 * parts - u
    for make in (
        lambda of: DirectionMean(of(left), of(right), shift),
        lambda of: DirectionMean(of(left), of(right), 0.5),
        lambda of: CombinedMean(of(left), of(right), combined),
    ):
        once = make(lambda x: x)(v)
        assert once.shape == np.broadcast_shapes(shape, (5, 4, 3))
        np.testing.assert_allclose(once, make(twice)(v), rtol=1e-12, atol=1e-14)
    expected = np.einsum("...i,...j,...j->...i", left[0], right[0], v) - shift * v
    np.testing.assert_allclose(DirectionMean(left, right, shift)(v), expected, rtol=1e-12, atol=1e-14)
