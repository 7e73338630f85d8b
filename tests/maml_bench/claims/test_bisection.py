import numpy as np
import pytest

from maml_bench.claims.bisection import lowest


def waves(points, radii):
    """``sum_k cos(3 x_k) + x_k^2/2``, with Hessian at least -8."""
    values = (np.cos(3 * points) + points**2 / 2).sum(-1)
    return values, -3 * np.sin(3 * points) + points, np.full(len(points), 8.0)


def least_wave():
    x = np.linspace(-3, 3, 600_001)
    return (np.cos(3 * x) + x**2 / 2).min()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_bound_is_below_the_minimum_and_as_close_as_asked(dim):
    found = lowest(waves, np.full(dim, 0.3), np.full(dim, 2.0), 100.0, 0.01, 10**6)
    assert dim * least_wave() - 0.01 <= found <= dim * least_wave() + 1e-9


def test_a_small_budget_gives_a_loose_bound_that_is_still_one():
    bounds = [lowest(waves, np.zeros(3), np.full(3, 2.0), 100.0, 1e-6, budget) for budget in (1, 100, 10_000)]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[-1] <= 3 * least_wave() + 1e-9


def test_a_value_that_is_attained_outside_the_box_may_be_the_lowest():
    assert lowest(waves, np.full(1, 5.0), np.full(1, 0.5), -2.0, 1e-3, 10**6) == -2.0


def test_the_radius_of_a_cell_reaches_its_corners():
    seen = []

    def function(points, radii):
        seen.append((points, radii))
        return waves(points, radii)

    lowest(function, np.zeros(2), np.array([1.0, 2.0]), 100.0, 0.1, 1000)
    (_, radius), (second, radii) = seen[:2]
    assert radius == pytest.approx(np.sqrt(5))
    assert sorted(map(tuple, second)) == [(0.0, -1.0), (0.0, 1.0)]
    np.testing.assert_allclose(radii, np.sqrt(2))


def test_the_bound_of_one_cell_by_hand():
    # at 0 the value is 1 in each dimension and the gradient 0: 1 - (8/2) 2^2 each; at 1 the gradient enters, too
    assert lowest(waves, np.zeros(3), np.full(3, 2.0), 100.0, 1e-6, 1) == pytest.approx(-45.0)
    slope = abs(1 - 3 * np.sin(3))
    expected = np.cos(3) + 0.5 - 0.5 * slope - 4 * 0.25
    assert lowest(waves, np.ones(1), np.full(1, 0.5), 100.0, 1e-6, 1) == pytest.approx(expected)
