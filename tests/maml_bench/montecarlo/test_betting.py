"""Limits by betting: right at every sample size and level, for laws that the normal approximation fails on."""

import math

import numpy as np
import pytest

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.betting import Bets
from maml_bench.montecarlo.norm import Norm

RUNS = 4000
"""Each run is a cell. A limit with a false-alarm rate of 1 % is wrong in more than 75 of 4000 runs with probability
below 1e-6 (binomial), in more than 12 of 4000 at a rate of 0.1 %."""


def run(draw, ceiling, scale, level, blocks, rng, runs=RUNS, narrowed=None):
    """Lower and upper limits after each of the blocks, running: both (blocks, runs). Before block ``narrowed`` the
    stakes that have earned little are dropped.
    """
    ones = np.ones(runs)
    up = Bets(betting.stakes(scale * ones, 2.0**14) if ceiling is None else betting.stakes(ceiling * ones))
    down = None if ceiling is None else Bets(betting.stakes(ceiling * ones))
    lower, lowered, found = np.zeros(runs), np.zeros(runs), []
    for number, size in enumerate(blocks):
        numbers = draw(rng, (size, runs))
        for bets, limit in ((up, lower), (down, lowered)):
            if number == narrowed and bets is not None:
                bets.narrow(bets.earned(limit))
        up.add(size, betting.logs(numbers, up.offered))
        lower = betting.lower_limit(up, level, lower)
        if down is not None:
            down.add(size, betting.logs(ceiling - numbers, down.offered))
            lowered = betting.lower_limit(down, level, lowered)
        found.append((lower, np.inf * ones if ceiling is None else ceiling - lowered))
    return np.moveaxis(np.array(found), 1, 0)


def lognormal(rng, shape):
    return np.exp(2 * rng.standard_normal(shape) - 2)


def rare(rng, shape):
    return (rng.random(shape) < 1e-3) * 1.0


def two_point(rng, shape):
    return np.where(rng.random(shape) < 0.1, 0.0, 10 / 9)


LAWS = {"lognormal": (lognormal, None, 1.0), "rare": (rare, 1.0, 1e-3), "long left tail": (two_point, 10 / 9, 1.0)}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("level", "most", "narrowed"), [(0.01, 75, None), (0.01, 75, 6), (0.001, 12, None)])
def test_running_limits_are_wrong_no_more_often_than_stated(name, level, most, narrowed):
    draw, ceiling, mean = LAWS[name]
    blocks = [8] * 10 + [64] * 10 + [256] * 4
    lower, upper = run(draw, ceiling, mean, level, blocks, np.random.default_rng(1), narrowed=narrowed)
    assert np.sum(lower[-1] > mean) <= most
    assert np.sum(upper[-1] < mean) <= most
    assert np.all(lower[1:] >= lower[:-1]) and np.all(upper[1:] <= upper[:-1])


def test_an_unseen_event_keeps_the_upper_limit_above_what_it_could_add():
    # With n numbers 0 under a ceiling of 1, no level delta allows a limit below 1 - delta^(1/n): the mean could be it.
    for level in (0.01, 1e-5):
        _, upper = run(lambda rng, shape: np.zeros(shape), 1.0, 1e-3, level, [4096], None, runs=2)
        assert upper[-1].max() >= 1 - level ** (1 / 4096)
        assert upper[-1].max() <= 2 * (1 - level ** (1 / 4096))


def test_tiny_levels_are_kept():
    # Were limits at 1e-5 wrong once in 4000 runs (as those of a normal approximation are here), this would show.
    for draw, ceiling, mean in LAWS.values():
        lower, upper = run(draw, ceiling, mean, 1e-5, [16] * 4 + [64] * 8, np.random.default_rng(2))
        assert not np.any(lower[-1] > mean)
        assert not np.any(upper[-1] < mean)


def test_lower_limit_needs_no_moment():
    # Tail index 1/2: the mean is infinite, and any finite lower limit is right; it must also be finite.
    lower, _ = run(lambda rng, shape: rng.random(shape) ** -2.0, None, 1.0, 0.01, [1024], np.random.default_rng(3))
    assert np.all(np.isfinite(lower)) and np.median(lower[-1]) > 10


@pytest.mark.parametrize("narrowed", [None, 1])
@pytest.mark.parametrize(("factor", "side"), [(0.97, 0), (1.03, 1)])
def test_a_gap_of_three_per_cent_is_seen_with_few_more_numbers_than_at_best(factor, side, narrowed):
    # Uniform numbers: the best test with known variance needs 2 log(100) (0.577/0.03)^2 = 3400.
    rng = np.random.default_rng(4)
    limits = run(lambda rng, shape: rng.random(shape), 1.0, 0.5, 0.01, [1024] * 10, rng, runs=200, narrowed=narrowed)
    seen = limits[0][-1] > 0.5 * factor if side == 0 else limits[1][-1] < 0.5 * factor
    assert seen.mean() > 0.85


def test_logs_are_the_sums_they_are_said_to_be():
    rng = np.random.default_rng(5)
    grid = betting.stakes(np.array([1.0, 2.0, 5.0]))
    for count in (1, 15, 16, 160, 40_000):
        numbers = rng.exponential(size=(count, 3))
        expected = np.log1p(numbers[..., None] * grid).sum(0)
        np.testing.assert_allclose(betting.logs(numbers, grid), expected, rtol=1e-12, atol=1e-14 * count)
    huge = np.full((16, 3), 1e200)
    np.testing.assert_allclose(betting.logs(huge, grid), 16 * np.log(1e200 * grid), rtol=1e-12)


def test_lower_limit_is_where_the_average_of_the_bets_is_one_over_the_level():
    numbers = np.random.default_rng(6).exponential(size=(500, 2)) * [1.0, 30.0]
    grid = betting.stakes(np.array([1.0, 30.0]))
    m = betting.lower_limit(Bets(grid, 500, betting.logs(numbers, grid)), 0.01, np.zeros(2))
    wealth = np.exp((np.log1p(numbers[..., None] * grid) - np.log1p(grid * m[:, None])).sum(0)).mean(-1)
    np.testing.assert_allclose(wealth, 100, rtol=1e-3)
    assert np.all(wealth >= 100 * (1 - 1e-9))


def norms(rng, runs, count, dim, mean, radius):
    """Vectors of norm at most 1 around ``mean`` along the first axis: points of a sphere about it."""
    vectors = rng.standard_normal((count, runs, dim))
    vectors *= radius / np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[..., 0] += mean
    return vectors


@pytest.mark.by_chance(1e-7)
@pytest.mark.parametrize("mean", [0.0, 0.3])
def test_upper_limits_of_norms_hold_and_close_in(mean):
    rng, runs = np.random.default_rng(7), 1000
    wrong = np.zeros(runs, dtype=bool)
    total, gram = np.zeros((runs, 3)), np.zeros((runs, 3, 3))
    for number in range(1, 21):
        vectors = norms(rng, runs, 50, 3, mean, 0.5)
        total += vectors.sum(0)
        gram += np.einsum("ntd,nte->tde", vectors, vectors)
        norm, largest = np.linalg.norm(total, axis=-1) / (50 * number), np.linalg.eigvalsh(gram)[:, -1]
        upper = betting.upper_limit_of_norm(50 * number, norm, largest, np.ones(runs), 0.05)
        wrong |= upper < mean
    assert wrong.sum() <= 90  # at a rate of 5 %: more with probability below 1e-7
    # The spread along an axis is 0.5/sqrt(3); 3.5 standard errors plus the drift of the centre at 0.
    assert np.median(upper) < mean + 4.5 * math.hypot(0.5 / math.sqrt(3), mean) / math.sqrt(1000) + 0.02


def test_upper_limit_of_norms_is_where_the_average_of_the_lines_is_one_over_the_level():
    args = 300, np.array([0.2]), np.array([7.0]), np.array([2.0])
    for level in (0.05, 1e-6):
        upper = betting.upper_limit_of_norm(*args, level)
        psi = -np.log1p(-betting.SLOPES) - betting.SLOPES
        wealth = np.mean(np.exp(300 * betting.SLOPES / 2 * (upper - 0.2) - psi * 7.0 / 4))
        assert wealth == pytest.approx(1 / level, rel=1e-4)
        assert wealth >= 1 / level * (1 - 1e-9)


def test_the_exponent_of_the_lines_is_a_bound():
    # exp(s x - psi(s) x^2) <= 1 + s x for x >= -1: the inequality that the upper limit rests on.
    x, s = np.linspace(-1, 30, 2001), betting.SLOPES[:, None]
    assert np.all(np.exp(s * x + (np.log1p(-s) + s) * x**2) <= 1 + s * x + 1e-15)


@pytest.mark.by_chance(1e-5)
def test_normal_reach_covers_normal_means_at_all_sizes():
    rng, level = np.random.default_rng(8), 0.01
    wrong, total, squares, count = np.zeros(2000, dtype=bool), 0.0, 0.0, 0
    for _ in range(30):
        numbers = rng.standard_normal((512, 2000))
        total, squares, count = total + numbers.sum(0), squares + (numbers**2).sum(0), count + 512
        if count >= betting.LEAST:
            wrong |= total / count + betting.normal_reach(count, squares - total**2 / count, level) < 0
    assert wrong.sum() <= 43  # at 1 %: more with probability below 1e-5


def test_normal_reach_is_where_the_mixture_is_one_over_the_level():
    """The mixture of ``exp(s x - s^2 V/2)`` over a normal slope s, whose variance is 1/r, r = `TUNED` variances."""
    for count, squares, level in ((64, 3.0, 0.01), (512, 700.0, 1e-5), (40_000, 0.5, 0.2)):
        x = count * betting.normal_reach(count, np.array(squares), level)
        r = betting.TUNED * squares / count
        assert np.sqrt(r / (r + squares)) * np.exp(x**2 / (2 * (r + squares))) == pytest.approx(1 / level)


def test_stakes_are_even_from_end_to_end():
    grid = betting.stakes(np.array([1.0, 8.0]), 2.0**7)
    assert grid.shape == (2, betting.STAKES)
    np.testing.assert_allclose(grid[0], 2.0 ** np.linspace(-7, 7, betting.STAKES))
    np.testing.assert_allclose(grid[1], grid[0] / 8)
    np.testing.assert_allclose(betting.stakes(np.ones(1))[0, [0, -1]], [2.0**-10, 2.0**10])
    for slopes, largest in ((betting.SLOPES, 0.75), (betting.SQUARE_SLOPES, 4.0)):
        np.testing.assert_allclose(np.sort(slopes)[::-1], largest / 2.0 ** np.arange(betting.STAKES))


def square_limits(draw, square, level, blocks, rng, runs=RUNS, narrowed=None):
    """Running lower and upper limits of a mean whose mean square is known, (runs,)."""
    ones = np.ones(runs)
    up, down = (Bets(betting.SQUARE_SLOPES / np.sqrt(square) * ones[:, None]) for _ in range(2))
    low, high = -np.sqrt(square) * ones, np.sqrt(square) * ones
    for number, size in enumerate(blocks):
        numbers = draw(rng, (size, runs))
        for bets, limit, sign in ((up, low, -1), (down, high, 1)):
            if number == narrowed:
                bets.narrow(bets.earned_on_squares(square * ones, limit, sign))
            bets.add(size, betting.logs(sign * numbers, bets.offered, squared=True))
        low = betting.limits_of_squares(up, square * ones, level, low, -1)
        high = betting.limits_of_squares(down, square * ones, level, high, 1)
    return low, high


SQUARES = {
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0, 2.0),
    "heavy": (lambda rng, shape: rng.pareto(2.5, shape), 1 / 1.5, 2 / (1.5 * 0.5)),
    "signed": (lambda rng, shape: rng.standard_normal(shape) + 0.2, 0.2, 1.04),
    "rare": (lambda rng, shape: 30.0 * (rng.random(shape) < 1e-3), 0.03, 0.9),
}


@pytest.mark.parametrize(
    ("name", "level", "most"),
    [("exponential", 0.01, 75), ("heavy", 0.01, 75), ("signed", 0.01, 75), ("heavy", 0.001, 12), ("rare", 0.001, 12)],
)
def test_limits_from_a_mean_square_are_wrong_no_more_often_than_stated(name, level, most):
    draw, mean, square = SQUARES[name]
    low, high = square_limits(draw, square, level, [8] * 10 + [64] * 10, np.random.default_rng(9))
    assert np.sum(low > mean) <= most
    assert np.sum(high < mean) <= most
    assert np.all(high <= np.sqrt(square))


def test_limits_from_a_mean_square_close_in():
    # Slopes of the best size gain n gap^2 / (2 variance) from numbers whose mean square is the bound.
    low, high = square_limits(SQUARES["exponential"][0], 2.0, 0.01, [1024] * 16, np.random.default_rng(10), runs=50)
    assert np.median(high) < 1.045 and np.median(low) > 0.955


def test_a_huge_number_lowers_no_upper_limit():
    numbers = np.full((16, 1), 1.0)
    slopes, one = betting.SQUARE_SLOPES[None] / np.sqrt(2), np.ones(1)
    without = betting.logs(numbers, slopes, squared=True)
    numbers[3] = 1e200
    with_it = betting.logs(numbers, slopes, squared=True)
    limits = [
        betting.limits_of_squares(Bets(slopes, 16, sums), 2 * one, 0.01, np.sqrt(2) * one, 1)
        for sums in (without, with_it)
    ]
    assert limits[1] >= limits[0]


def test_logarithms_of_squares_are_the_sums_they_are_said_to_be():
    numbers, slopes = (
        np.random.default_rng(11).standard_normal((160, 2)) * [1.0, 5.0],
        np.array([[0.1, 2.0], [0.3, 1.0]]),
    )
    z = np.minimum(numbers[..., None] * slopes, 1.0)
    expected = np.log(1 - z + z**2 / 2).sum(0)
    np.testing.assert_allclose(betting.logs(numbers, slopes, squared=True), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(betting.logs(numbers[:7], slopes, squared=True), np.log(1 - z + z**2 / 2)[:7].sum(0))


def test_the_cubic_that_bounds_the_logarithm_is_a_bound():
    z = np.linspace(-50, 50, 100_001)
    assert np.all(np.log(1 - z + z**2 / 2) >= -z - np.abs(z) ** 3 / 6 - 1e-12)
    assert np.all(np.log(1 - np.minimum(z, 1) + np.minimum(z, 1) ** 2 / 2) >= -z - np.abs(z) ** 3 / 6 - 1e-12)


@pytest.mark.by_chance(2e-7)
@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_norms_with_a_mean_square_hold_at_every_sample_size(mean):
    """Heavy vectors, 500 runs as cells: at 1 % each side is wrong in more than 22 with probability below 1e-7."""
    rng, runs, dim = np.random.default_rng(12), 500, 3
    square = np.full(runs, 2.0 + mean**2)
    estimand, wrong = Norm(0.01 * runs, runs, square=square), np.zeros((2, runs), dtype=bool)
    for block in range(24):
        vectors = rng.standard_normal((64, runs, dim)) * np.sqrt(rng.exponential(2 / dim, (64, runs, 1)))
        vectors[..., 0] += mean
        estimand.merge(estimand.plan(block)(vectors))
        limits = estimand.limits()
        wrong |= limits.lower > mean, limits.upper < mean
    assert wrong.sum(1).max() <= 22
    assert limits.upper_kind == limits.lower_kind == "certified"
    assert np.median(limits.upper) < mean + 0.5 and np.median(limits.lower) > mean - 0.25


def test_a_replicate_near_its_centre_may_count_for_sixteen():
    """The two inequalities of the proof, and that the factor of what is counted is at most as many times psi."""
    slopes, m, near = betting.SLOPES[:, None], betting.EVERY, betting.NEAR
    x, psi = slopes * near, -np.log1p(-slopes) - slopes
    kappa = (np.expm1(x) - x) / near**2
    a = (m - 1) * kappa
    share = a * near**2 / (1 - x)
    counted = (-np.log1p(-x) - x - np.log1p(-share)) / near**2
    assert np.all(share < 1) and np.all(counted <= m * psi)
    xi = np.linspace(-near, near, 2001)
    assert np.all(np.exp(slopes * xi) <= 1 + slopes * xi + kappa * xi**2 + 1e-15)
    assert np.all(np.exp(slopes * xi - counted * xi**2) <= 1 + slopes * xi - a * xi**2 + 1e-15)


def test_all_far_replicates_are_seen_and_one_in_sixteen_of_the_near():
    distances = np.full((40, 2), 0.2)
    distances[[5, 16, 33], [0, 1, 0]] = 0.3
    seen, weights = betting.counted(distances, np.ones(2))
    assert seen.tolist() == [0, 5, 16, 32, 33]
    assert weights.tolist() == [[16, 16], [1, 0], [16, 1], [16, 16], [1, 0]]


@pytest.mark.by_chance(2e-6)
@pytest.mark.parametrize("far", [0.0, 0.05])
def test_norms_of_long_vectors_hold_with_few_outer_products(far):
    """36 entries, 200 runs as cells; at 1 % more than 13 are wrong with probability below 1e-6."""
    rng, runs, dim, mean = np.random.default_rng(13), 200, 36, 0.1
    estimand, wrong = Norm(0.01 * runs, runs, ceiling=np.ones(runs)), np.zeros((2, runs), dtype=bool)
    for block in range(12):
        vectors = rng.standard_normal((64, runs, dim))
        vectors *= np.where(rng.random((64, runs, 1)) < far, 0.9, 0.15) / np.linalg.norm(vectors, axis=-1)[..., None]
        vectors[..., 0] += mean
        estimand.merge(estimand.plan(block)(vectors))
        limits = estimand.limits()
        wrong |= limits.lower > mean, limits.upper < mean
    assert wrong.sum(1).max() <= 13
    # At the largest slope the limit is within (log 1500 + 0.64 n/16 (|x|^2 along an axis)) / (0.75 n) of the sample's.
    assert np.median(limits.upper) < mean + 2 * (math.log(1500) / 0.75 / 768) + 0.03
