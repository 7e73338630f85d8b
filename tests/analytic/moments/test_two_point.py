"""Two-point noise: the law by hand, one step and two steps by hand, batches against the product law."""

import itertools

import numpy as np
import pytest

from analytic.moments import two_point


@pytest.mark.parametrize("s", [0.0, 0.75, -3.0, 1e6, -1e6])
def test_the_law_has_mean_zero_and_its_variance(s):
    values, mass = two_point.outcomes(0.7, s, 1)
    assert mass.sum() == pytest.approx(1, abs=1e-15)
    assert values @ mass == pytest.approx(0, abs=1e-15)
    assert values**2 @ mass == pytest.approx(0.49, rel=1e-14)


def test_the_law_by_hand():
    # s = 3/4: sqrt(1 + s^2) = 5/4, errors 1/2 and -2 with probabilities (1 + 3/5)/2 and (1 - 3/5)/2.
    values, mass = two_point.outcomes(1.0, 0.75, 1)
    np.testing.assert_allclose(values, [-2, 0.5], rtol=1e-15)
    np.testing.assert_allclose(mass, [0.2, 0.8], rtol=1e-15)


def test_a_batch_is_the_mean_of_independent_samples():
    one, chance = two_point.outcomes(1.0, 0.4, 1)
    values, mass = two_point.outcomes(1.0, 0.4, 3)
    for power in range(5):
        by_hand = sum(
            np.prod(chance[list(c)]) * np.mean(one[list(c)]) ** power for c in itertools.product((0, 1), repeat=3)
        )
        assert values**power @ mass == pytest.approx(by_hand, abs=1e-15)


def moments(s, steps, S=1, T=1, alpha=0.25, w=2.0, sigma_g=1.0):
    """l = w^3/6 in one variable: l' = w^2/2, l'' = w."""
    return two_point.path_moments(
        lambda x: x**2 / 2,
        lambda x, v: x * v,
        lambda x: np.full(x.shape[:-1], s),
        [w],
        [1.0],
        alpha,
        steps,
        sigma_g,
        S,
        T,
    )


def test_one_step_by_hand():
    # From 2 the exact step goes to 2 - 1/4 * 2 = 3/2; errors 1/2 and -2 (0.8, 0.2) give 11/8 and 2.
    # (1 - 2/4) l' = w^2/4: exact 9/16, in the mean 0.8 * 121/256 + 0.2 * 1, and its square (w^4 + 4/T)/16.
    found = moments(0.75, 1, T=2)
    assert found.path_bias == pytest.approx(0, abs=1e-15)
    assert found.path_first == pytest.approx(0.8 / 8 + 0.2 / 2)
    assert found.path_second == pytest.approx(1 / 16)
    assert found.gradient == pytest.approx(9 / 16)
    assert found.bias == pytest.approx(0.8 * 121 / 256 + 0.2 - 9 / 16)
    assert found.second_moment == pytest.approx((0.8 * (11 / 8) ** 4 + 0.2 * 16 + 2) / 16)


def test_two_steps_by_hand():
    paths = []
    for first, p in ((11 / 8, 0.8), (2.0, 0.2)):
        for error, r in ((0.5, 0.8), (-2.0, 0.2)):
            last = first - (first**2 / 2 + error) / 4
            paths.append((p * r, last, (1 - 2 / 4) * (1 - first / 4)))
    exact = 1.5 - 1.125 / 4
    found = moments(0.75, 2)
    assert found.path_bias == pytest.approx(sum(m * (x - exact) for m, x, _ in paths))
    assert found.path_first == pytest.approx(sum(m * abs(x - exact) for m, x, _ in paths))
    assert found.gradient == pytest.approx(0.5 * (1 - 1.5 / 4) * exact**2 / 2)
    assert found.bias == pytest.approx(sum(m * p * x**2 / 2 for m, x, p in paths) - found.gradient)
    assert found.second_moment == pytest.approx(sum(m * p**2 * (x**4 / 4 + 1) for m, x, p in paths))


def test_the_law_is_taken_at_the_noisy_point():
    """On a concave quadratic s = -q w/(alpha sigma_g) puts all mass of |w_N| on the root of its second moment."""
    q, alpha, sigma_g = 1.2, 0.2, 0.5
    found = two_point.path_moments(
        lambda x: -x,
        lambda x, v: -v,
        lambda x: -q / (alpha * sigma_g) * x[..., 0],
        [0.0],
        [1.0],
        alpha,
        4,
        sigma_g,
        1,
        1,
    )
    second = (alpha * sigma_g) ** 2 * sum(q ** (2 * j) for j in range(4))
    assert found.path_second == pytest.approx(second, rel=1e-13)
    assert found.path_first == pytest.approx(np.sqrt(second), rel=1e-13)


def test_many_problems_at_once():
    alpha = np.array([0.1, 0.25])
    both = two_point.path_moments(
        lambda x: x**2 / 2,
        lambda x, v: x * v,
        lambda x: 0 * x[..., 0] + 0.75,
        [[2.0], [2.0]],
        [1.0],
        alpha,
        2,
        1.0,
        2,
        1,
    )
    assert both.bias[1] == pytest.approx(moments(0.75, 2, S=2).bias)
    assert both.second_moment.shape == (2,)
