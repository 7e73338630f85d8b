"""The one search: known maxima, many hills, streams that do not depend on where a run stopped, time that does."""

import time

import numpy as np
import pytest

from maml_bench.search import climb, maximize

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
