"""The one search: known maxima, many hills, streams that do not depend on where a run stopped, time that does."""

import time

import numpy as np
import pytest

from maml_bench.problems import Kink, Quadratic, RankOne
from maml_bench.search import (
    affordable,
    basis,
    best_starts,
    climb,
    inside,
    lift,
    maximize,
    one,
    random_points,
    simplex,
    unit,
)

PEAK = np.array([1.5, -2.0, 0.5])


def hill(x):
    return 3 - ((x - PEAK) ** 2).sum(-1)


def hills(x):
    """One hundred hills on the line; the highest, at 73.5, is three wide and 1 high, the others at most 0.9."""
    return np.where(np.abs(x[:, 0] - 73.5) < 1.5, 1.0, 0.9) * np.cos(np.pi * (x[:, 0] - 73.5)) ** 2


def test_ascent_ends_at_the_peak():
    found = maximize(hill, np.zeros((1, 3)))
    np.testing.assert_allclose(found.point, PEAK, atol=1e-5)
    assert found.value == pytest.approx(3, abs=1e-9)
    np.testing.assert_allclose(climb(hill, np.zeros(3), 3), PEAK, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_offspring_find_a_corner_without_slopes(seed):
    found = maximize(lambda x: -np.abs(x - PEAK).max(-1), np.zeros((1, 3)), seed=seed, generations=60, climbs=0)
    assert found.value > -2e-3


@pytest.mark.by_chance(1e-7)
@pytest.mark.parametrize("seed", range(5))
def test_random_starts_find_the_highest_hill(seed):
    """Of 8192 starts in [0, 100] none is within 0.1 of the top, above all others, with probability 1e-7."""
    found = maximize(hills, lambda rng: rng.uniform(0, 100, (8192, 1)), seed=seed)
    assert found.value == pytest.approx(1)


def test_values_that_are_not_numbers_are_the_least():
    found = maximize(lambda x: np.where(x[:, 0] > 0, np.nan, hill(x)), np.array([[1.0, 0, 0], [-1.0, 0, 0]]))
    assert found.point[0] <= 0


def test_ascent_beside_a_cliff_asks_of_finite_points_only():
    """Differences across the cliff are infinite, and a step along them leads nowhere."""

    def cliff(x):
        assert np.isfinite(x).all()
        return np.where((x > 1e-6).any(-1), -np.inf, -((x - 1) ** 2).sum(-1))

    np.testing.assert_array_equal(climb(cliff, np.zeros(3), 3), np.zeros(3))


def test_rounds_go_on_where_they_stopped():
    def draw(rng):
        return rng.uniform(0, 100, (4, 1))

    seen = []
    both = maximize(hills, draw, rounds=2, climbs=0, progress=lambda best: seen.append((best.rounds, best.value)))
    first, second = (maximize(hills, draw, rounds=1, first_round=r, climbs=0) for r in (0, 1))
    assert both.value == max(first.value, second.value)
    assert seen == [(1, first.value), (2, both.value)]
    assert first.value != second.value
    assert maximize(hills, draw, rounds=2, climbs=0).point == both.point


def test_time_and_success_end_a_search():
    def slow(x):
        time.sleep(0.02)
        return hill(x)

    started = time.monotonic()
    found = maximize(slow, np.zeros((1, 3)), rounds=1000, generations=1000, seconds=0.2)
    assert time.monotonic() - started < 1
    assert found.value >= hill(np.zeros((1, 3)))
    quick = maximize(hill, np.zeros((1, 3)), rounds=1000, generations=10, enough=-1.0)
    assert quick.value >= -1 and quick.rounds == 1


def test_a_round_counts_its_points_and_keeps_the_best():
    """Starts, then parents times children in each generation, then 2k + 1 points for every step of ascent."""
    asked = []

    def counted(x):
        asked.append(len(x))
        return hill(x)

    options = {"parents": 3, "children": 4, "generations": 5}
    found = maximize(counted, np.zeros((7, 3)), rounds=2, climbs=0, **options)
    assert asked == [7, *[12] * 5, 8, *[12] * 5]  # in the second round the best so far is among the starts
    assert (found.evaluations, found.rounds) == (sum(asked), 2)
    assert found.value == hill(found.point[None])[0]
    asked.clear()
    assert maximize(counted, np.zeros((1, 3)), first_round=4).rounds == 5
    assert asked[0] == 1 and set(asked[1:]) == {7}


def test_offspring_come_ever_closer():
    seen = []

    def vary(rng, points, reach):
        seen.append((len(points), reach))
        return points

    maximize(hill, np.zeros((20, 3)), generations=4, climbs=0, vary=vary)
    assert [count for count, _ in seen] == [16 * 8] * 4
    assert [reach for _, reach in seen] == pytest.approx([1, 0.1, 0.01, 0.001])


def test_climbs_start_from_the_best_points():
    """Two hills: from the best start one is reached, from the two best both."""
    tops = np.array([[0.0], [10.0]])

    def two(x):
        return np.max([height - (x[:, 0] - top[0]) ** 2 for height, top in zip((1.0, 5.0), tops, strict=True)], axis=0)

    starts = np.array([[0.3], [7.6], [-30.0]])  # 0.91, -0.76 and much less
    assert maximize(two, starts).value == pytest.approx(1)
    assert maximize(two, starts, climbs=2).value == pytest.approx(5)


def test_ascent_has_fewer_steps_where_they_cost_more():
    """At most 80, at least 3, and else ten million numbers in all."""
    steps = []

    def counted(x):
        steps.append(x[0].copy())
        return 1e-3 * x.sum(-1) - 1e-9 * (x**4).sum(-1)  # long, flat and never done

    for dim, most in ((10, 80), (10_000_000 // 40, 10), (10**9, 3)):
        steps.clear()
        climb(counted, np.zeros(2), dim)
        assert len(steps) <= 3 * most + 20
        if most > 3:
            assert len(steps) >= 3
    assert np.array_equal(climb(hill, np.zeros(3), 3, over=lambda: True), np.zeros(3))


def test_a_simplex_climbs_without_slopes():
    found = simplex(lambda x: float(-np.abs(x - PEAK[:2]).sum()), np.zeros(2), 400)
    np.testing.assert_allclose(found, PEAK[:2], atol=1e-3)
    asked = []
    simplex(lambda x: asked.append(x) or 0.0, np.ones(2), 10)
    assert len(asked) <= 12


def test_how_many_points_are_affordable():
    three = Quadratic.random(5, 3, 0)
    assert affordable(three, 16) == 16
    assert affordable(three, 16, elements=150) == 10
    assert affordable(three, 16, elements=1) == 2


def test_random_points_are_of_all_sizes_and_the_first_is_0():
    rng = np.random.default_rng(0)
    norms = np.linalg.norm(random_points(Kink.random(4, 2, 0), rng, (4000, 2)), axis=-1)
    assert norms[0, 0] == 0 and np.count_nonzero(norms) == norms.size - 1
    sizes = np.log10(norms[norms > 0] / np.sqrt(4))
    # Uniform on [-2, 2] but for the length of a Gaussian vector, a shift of 0.06; quartiles have a deviation of 0.02.
    assert np.quantile(sizes, [0.25, 0.5, 0.75]) == pytest.approx([-1, 0, 1], abs=0.2)
    assert sizes.max() < 2.6
    small = np.linalg.norm(random_points(Kink.random(4, 2, 0), rng, (4000,), largest=0.1), axis=-1)
    assert np.median(small[1:]) == pytest.approx(2 * 10**-1.5, rel=0.2)
    ball = RankOne.random(4, 2, 0)
    norms = np.linalg.norm(random_points(ball, rng, (4000, 2)), axis=-1) / ball.regularity.radius
    shares, counts = np.unique(norms.round(9), return_counts=True)
    assert shares.tolist() == [0, 1e-3, 0.1, 0.5, 0.9, 1]
    assert counts[0] == 1 and counts[1:] == pytest.approx(8000 / 5, rel=0.15)  # six deviations of a share of a fifth


def test_points_tasks_and_directions():
    tasks = Quadratic.random(2, 3, 0)
    assert lift(np.ones((4, 2)), tasks).shape == (4, 1, 2)
    assert one(tasks, (2,)).A.shape == (2, 2) and one(tasks[0], ()) is not tasks
    w = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(inside(w, 2.5), [[1.5, 2.0], [0.3, 0.4], [0.0, 0.0]])
    assert inside(w, np.inf) is w
    np.testing.assert_allclose(unit(w), [[0.6, 0.8], [0.6, 0.8], [0.0, 0.0]])


def test_the_best_starts_are_of_the_best_tasks_first():
    values = np.array([[1.0, 9.0, np.nan], [5.0, 8.0, 2.0], [4.0, 7.0, 3.0]])  # (points, tasks)
    assert best_starts(values, 1) == [(0, 1)]
    assert best_starts(values, 2) == [(0, 1), (1, 0), (1, 1)]
    assert best_starts(values, 3) == [(0, 1), (1, 0), (2, 2), (1, 1), (2, 1)]
    assert best_starts(values.reshape(3, 3, 1), 1) == [(0, 1, 0)]
    assert best_starts(np.array([1.0, 3.0, 2.0]), 2) == [(1,), (2,)]


def test_a_basis_spans_the_vectors_in_any_dimension():
    rng = np.random.default_rng(0)
    assert np.array_equal(basis(rng, np.ones(48)), np.eye(48))
    for dim, extra in ((49, 14), (1999, 14), (2000, 2)):
        x, y = rng.standard_normal((2, dim))
        frame = basis(rng, x, y)
        assert frame.shape == (dim, 2 + extra)
        np.testing.assert_allclose(frame.T @ frame, np.eye(2 + extra), atol=1e-12)
        np.testing.assert_allclose(frame @ (frame.T @ np.stack([x, y], axis=1)), np.stack([x, y], axis=1), atol=1e-9)
    assert basis(rng, np.ones(100), extra=4).shape == (100, 5)
