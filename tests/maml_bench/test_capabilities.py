"""What an estimator states, as it is asked for: axes of points and tasks, numbers that are none, usable operators."""

from types import SimpleNamespace

import numpy as np
import pytest

from maml_bench.capabilities import deviation, mean_hessian, stated, usable
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
