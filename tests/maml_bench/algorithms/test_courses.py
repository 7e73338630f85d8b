"""What studies measure of runs: work, a race for samples, and where a mean comes to rest; each by hand."""

import numpy as np
import pytest

from maml_bench import InnerLoop, OuterLoop, Setting
from maml_bench.algorithms.outer_loop import iteration_samples
from maml_bench.algorithms.race import NORM, OBJECTIVE, course, lowest, sized
from maml_bench.algorithms.rest import MeanField, at_rest
from maml_bench.algorithms.work import SHARE, work
from maml_bench.hessians import ExactHessian
from maml_bench.problems import AdditiveGaussian, Quadratic

ALPHA = 0.1
SLOPES, SHIFTS = np.array([0.5, 1.0]), np.array([1.0, -1.0])
TASKS = Quadratic(SLOPES[:, None, None], SHIFTS[:, None])


def test_work_is_counted_to_the_first_mean_that_has_fallen_far_enough():
    beta, inner = 0.05, InnerLoop(ALPHA, 2, S=3, D=5)
    point = Setting(Quadratic(np.eye(1), np.zeros((1, 1))), np.ones(1), inner, outer=OuterLoop(9, 4, beta=beta))
    rate = 1 - beta * (1 - ALPHA) ** 4  # of every meta-iteration, on the meta objective's one curvature
    means = [(1 - rate**K) / (K * (1 - rate)) for K in range(1, 50)]
    expected = 1 + next(k for k, mean in enumerate(means) if mean <= SHARE)
    iterations, samples = work(point, seed=0, budget=2)
    assert iterations["value"] == iterations["lower"] == iterations["upper"] == expected
    assert samples["value"] == expected * 4 * 2 * (3 + 5)
    assert iterations["growth"] == pytest.approx(1.1**4)


@pytest.mark.parametrize(("estimator", "factor"), [(ExactHessian(), 1.0), (MeanField(1.0, 0.5), 1.5)])
def test_a_mean_rests_where_its_own_factors_say(estimator, factor):
    point = Setting(TASKS, np.zeros(1), InnerLoop(ALPHA, 1), estimator)
    own, true = (1 - ALPHA * factor * SLOPES) * (1 - ALPHA * SLOPES), (1 - ALPHA * SLOPES) ** 2
    w = (own @ SHIFTS) / (own @ SLOPES)
    (row,) = at_rest(point, seed=0, budget=100)
    assert row["value"] == pytest.approx(abs(np.mean(true * (SLOPES * w - SHIFTS))), abs=1e-12)
    assert (row["value"] > 1e-3) == (factor > 1)


def runner(tasks):
    return Setting(tasks.with_noise(AdditiveGaussian(1e-6)), np.full(1, 3.0), InnerLoop(ALPHA, 1), outer=OUTER)


OUTER = OuterLoop(1, 8, beta=1.0)


def test_the_lowest_value_of_the_meta_objective():
    weights = (1 - ALPHA * SLOPES) ** 2
    best = (weights @ SHIFTS) / (weights @ SLOPES)
    value = np.mean(weights * SLOPES * (best - SHIFTS / SLOPES) ** 2 / 2 - SHIFTS**2 / SLOPES / 2)
    assert lowest(runner(TASKS)) == pytest.approx(value)


def test_a_race_is_run_with_the_best_step_size_and_no_more_samples_than_there_are():
    point = runner(TASKS[1:])  # |1 - 0.81 beta| is least for beta = 1, and larger than 1 for the next
    each = iteration_samples(point).total
    assert sized(point, 2.0, 10 * each + 1).outer == OuterLoop(10, 8, beta=2.0)
    rows = list(course(point, seed=0, budget=10 * each + 1))
    ends = {row["quantity"]: row for row in rows if row["last"]}
    assert set(ends) == {NORM, OBJECTIVE}
    assert {row["samples"] for row in ends.values()} == {10 * each}
    assert {row["beta"] for row in rows} == {1.0}
    assert ends[NORM]["value"] == pytest.approx(0.81 * 0.19**9 * 4, rel=1e-3, abs=1e-5)
