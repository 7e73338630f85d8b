"""Limits as functions of what is drawn: they grow with its unit, take cells apart, and do not see the blocks' seams."""

import numpy as np
import pytest

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.estimands import ESTIMANDS
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.mean import Mean
from maml_bench.montecarlo.moments import Moments
from maml_bench.montecarlo.norm import Norm
from maml_bench.montecarlo.tilted import EnvelopeExceeded

SIDES = ("value", "lower", "upper", "lower_alone", "upper_alone")
KNOWN = {"ceiling": (4.0, None), "square": (None, 4.0), "nothing": (None, None)}


def numbers(name, cells=2, blocks=6):
    """Blocks of replicates, of size at most 2 times the unit: numbers, or matrices."""
    rng = np.random.default_rng(3)
    shape = (cells,) if "mean" == name or name.startswith("root") else (cells, 2, 3)
    scale = 1.0 if len(shape) == 1 else 0.5
    return [scale * rng.uniform(0.2, 1.5, (200, *shape)) for _ in range(blocks)]


def limits(name, known, blocks, unit=1.0, level=0.01):
    cells = blocks[0].shape[1]
    ceiling, square = (None if x is None else np.full(cells, x) for x in KNOWN[known])
    ceiling = None if ceiling is None else unit * ceiling
    square = None if square is None else unit**2 * square
    estimand = ESTIMANDS[name](level, cells, ceiling, square)
    for number, block in enumerate(blocks):
        estimand.merge(estimand.plan(number)(unit * block))
    return estimand.limits()


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("name", ESTIMANDS)
@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_limits_grow_with_the_unit(name, known, unit):
    if name == "root of mean" and known == "square":
        known = "ceiling"  # of a root no mean square is known
    blocks = numbers(name)
    plain, scaled = limits(name, known, blocks), limits(name, known, blocks, unit)
    factor = np.sqrt(unit) if name == "root of mean" else unit
    for side in SIDES:
        np.testing.assert_allclose(getattr(scaled, side), factor * getattr(plain, side), rtol=1e-6, err_msg=side)
    assert np.all(plain.lower < plain.value) and np.all(plain.value < plain.upper)
    if plain.ceiling is not None:
        np.testing.assert_allclose(scaled.ceiling, factor * plain.ceiling)


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("name", ESTIMANDS)
def test_a_cell_alone_has_its_limits_at_the_full_level(name, known):
    """Together, two cells share the level: each has the limits that it would have alone at half of it."""
    if name == "root of mean" and known == "square":
        known = "ceiling"
    blocks = numbers(name)
    if known != "nothing":  # without a ceiling stakes are fitted, to the largest cell where a cell is 0
        both = limits(name, known, blocks)
        for cell in (0, 1):
            own = [block[:, cell : cell + 1] for block in blocks]
            full, half = limits(name, known, own), limits(name, known, own, level=0.005)
            assert (both.lower_alone[cell], both.upper_alone[cell]) == pytest.approx((full.lower[0], full.upper[0]))
            assert (both.lower[cell], both.upper[cell]) == pytest.approx((half.lower[0], half.upper[0]))
            assert both.value[cell] == pytest.approx(full.value[0])


@pytest.mark.parametrize("name", ["mean", "root of mean"])
def test_a_mean_is_the_mean(name):
    blocks = numbers(name)
    found = limits(name, "ceiling", blocks)
    mean = np.concatenate(blocks).mean(0)
    np.testing.assert_allclose(found.value, np.sqrt(mean) if name == "root of mean" else mean)
    assert (found.lower_kind, found.upper_kind) == ("certified", "certified")
    assert limits(name, "nothing", blocks).upper_kind == "asymptotic"


def test_an_asymptotic_limit_is_a_normal_reach_away():
    blocks = numbers("mean")
    every = np.concatenate(blocks)
    found, squares = limits("mean", "nothing", blocks), every.var(0) * len(every)
    reach = [betting.normal_reach(len(every), squares, level) for level in (0.005, 0.01)]
    np.testing.assert_allclose((found.upper, found.upper_alone), every.mean(0) + reach)
    signed = [block - 0.8 for block in blocks]  # some are negative: no bets, both sides are asymptotic
    found = limits("mean", "nothing", signed)
    np.testing.assert_allclose((found.upper, found.upper_alone), every.mean(0) - 0.8 + reach)
    np.testing.assert_allclose((found.lower, found.lower_alone), every.mean(0) - 0.8 - np.array(reach))
    assert (found.lower_kind, found.upper_kind) == ("asymptotic", "asymptotic")
    few = limits("mean", "nothing", [blocks[0][: betting.LEAST - 1]])
    assert np.isinf(few.upper).all() and np.isfinite(limits("mean", "nothing", [every[: betting.LEAST]]).upper).all()
    same = limits("mean", "nothing", [np.ones((500, 1))] * 3)
    assert np.isinf(same.upper).all() and same.value == 1


def test_the_square_of_a_norm_is_estimated_without_bias():
    """||mean||^2 less what the spread adds to it, at least the lower limit and at most the upper one."""
    blocks = numbers("norm of mean")
    every = np.concatenate(blocks).reshape(1200, 2, 6)
    square = (every.mean(0) ** 2).sum(-1) - every.var(0, ddof=1).sum(-1) / 1200
    for known in KNOWN:
        np.testing.assert_allclose(limits("norm of mean", known, blocks).value, np.sqrt(square))
    spectral = limits("spectral norm of mean", "ceiling", blocks)
    exact = np.linalg.norm(every.mean(0).reshape(2, 2, 3), 2, axis=(-2, -1))
    np.testing.assert_allclose(spectral.value, exact, rtol=0.05)
    assert np.all(spectral.value <= exact * (1 + 1e-12))


def test_the_mean_of_norms_is_followed_along_a_direction_of_the_past():
    """Blocks 2^k to 2^(k+1) - 1 are looked at about the mean of all before block 2^k, and along it."""
    blocks, estimand = numbers("norm of mean"), Norm(0.01, 2)
    centres = []
    for number, block in enumerate(blocks):
        plan = estimand.plan(number)
        centres.append(None if plan.centre is None else plan.centre)
        estimand.merge(plan(block))
    assert centres[0] is None
    for number, before in ((1, 1), (2, 2), (3, 2), (4, 4), (5, 4)):
        np.testing.assert_allclose(centres[number], np.concatenate(blocks[:before]).mean(0))
    mean = np.concatenate(blocks[:4]).mean(0)
    np.testing.assert_allclose(plan.direction, mean / np.linalg.norm(mean, axis=(1, 2), keepdims=True))
    assert estimand.along.count == 1000  # all blocks but the first


def test_moments_do_not_see_where_blocks_end():
    values = np.random.default_rng(0).standard_normal((50, 3, 2)) + 1e6
    whole = Moments.of(values)
    for cut in (1, 20, 49):
        parts = Moments.of(values[:cut]) + Moments.of(values[cut:])
        assert parts.count == 50
        np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)
        np.testing.assert_allclose(parts.squares, whole.squares, rtol=1e-8)
    np.testing.assert_allclose(whole.squares, 50 * values.var(0).sum(-1), rtol=1e-8)


def test_limits_around_a_number_and_within_earlier_ones():
    plain = Limits.around(np.array([2.0]), np.array([0.5]), "exact")
    assert [float(getattr(plain, side)[0]) for side in SIDES] == [2, 1.5, 2.5, 1.5, 2.5] and not plain.sampled
    tighter = Limits.around(np.array([2.2]), np.array([0.5]), "exact").within(plain)
    assert [float(getattr(tighter, side)[0]) for side in SIDES] == pytest.approx([2.2, 1.7, 2.5, 1.7, 2.5])
    twice = tighter.map(lambda x: 2 * x)
    assert [float(getattr(twice, side)[0]) for side in SIDES] == pytest.approx([4.4, 3.4, 5, 3.4, 5])


def test_nothing_above_a_ceiling_of_0():
    for estimand, shape in ((Mean(0.01, 2, np.zeros(2)), (64, 2)), (Norm(0.01, 2, np.zeros(2)), (64, 2, 3))):
        for block in range(3):
            estimand.merge(estimand.plan(block)(np.zeros(shape)))
        found = estimand.limits()
        assert np.array_equal(found.value, [0, 0]) and np.array_equal(found.upper, [0, 0])


def test_nothing_is_said_of_a_norm_before_there_are_enough_replicates_along_a_direction():
    """Of blocks after the first, which gives the direction; more than enough is enough, and reaches as a normal law."""
    every = 3.0 + np.random.default_rng(5).standard_normal((1000, 1, 4))
    for count, said in ((betting.LEAST - 1, False), (betting.LEAST, True), (betting.LEAST + 1, True), (700, True)):
        estimand = Norm(0.01, 1)
        for number, block in enumerate((every[:200], every[200 : 200 + count])):
            estimand.merge(estimand.plan(number)(block))
        found = estimand.limits()
        along = every[200 : 200 + count, 0] @ (every[:200, 0].mean(0) / np.linalg.norm(every[:200, 0].mean(0)))
        reach = betting.normal_reach(count, np.sum((along - along.mean()) ** 2), 0.01)
        assert found.lower == pytest.approx(along.mean() - reach if said else 0.0)


@pytest.mark.parametrize("name", ["mean", "root of mean"])
def test_a_floor_moves_numbers_and_limits(name):
    """Numbers from a floor on have the limits of what is above it; below it they prove it wrong."""
    floor, ceiling = np.array([5.0, 7.0]), np.array([1.5, 2.5])
    blocks = [np.random.default_rng(0).random((200, 2)) for _ in range(3)]
    above, moved = ESTIMANDS["mean"](0.01, 2, ceiling), ESTIMANDS[name](0.01, 2, floor + ceiling, None, floor=floor)
    for number, block in enumerate(blocks):
        above.merge(above.plan(number)(block))
        moved.merge(moved.plan(number)(floor + block))
    for side in (*SIDES, "ceiling"):
        expected = floor + getattr(above.limits(), side)
        expected = np.sqrt(expected) if name == "root of mean" else expected
        np.testing.assert_allclose(getattr(moved.limits(), side), expected, rtol=1e-9, err_msg=side)
    with pytest.raises(EnvelopeExceeded):
        moved.plan(3)(floor - 0.01 + 0 * blocks[0])


def test_two_parts_of_a_known_mean():
    """Uniform numbers and what they lack to 1, each times a factor of its own, of mean 1 and without a bound: the mean
    of both together is 1, and the limits are those of lower bets on each.
    """
    rng = np.random.default_rng(0)
    parts, blocks = ESTIMANDS["mean"](0.01, 1, np.ones(1), None, parts=True), []
    for number in range(4):
        uniform = rng.random((500, 1))
        both = np.stack([uniform, 1 - uniform], axis=-1)
        factors = rng.exponential(1.0, both.shape)
        blocks.append(both * factors)
        parts.merge(parts.plan(number)(blocks[-1]))
    found = parts.limits()
    drawn = np.concatenate(blocks)
    assert drawn.max() > 1 and found.lower < 0.5 < found.upper and found.upper - found.lower < 0.2
    stakes = betting.stakes(np.ones(1))
    for values, limit in ((drawn[..., 0], found.lower), (drawn[..., 1], 1 - found.upper)):
        bets = betting.Bets(stakes)
        bets.add(len(values), betting.logs(values, stakes))
        assert betting.lower_limit(bets, 0.01, np.zeros(1)) == pytest.approx(limit)
    with pytest.raises(ValueError, match="numbers >= 0"):
        parts.plan(4)(np.array([[[1.0, -0.1]]]))


def test_of_two_parts_the_one_that_spreads_less_tells_the_mean():
    """One is 0.3 always, the other has the mean 0.7, in two cells of one order each; over several blocks."""
    parts, rng = ESTIMANDS["root of mean"](0.01, 2, np.ones(2), None, parts=True), np.random.default_rng(0)
    for number in range(3):
        rare, always = 0.7 * rng.exponential(1.0, 100) ** 2 / 2, np.full(100, 0.3)
        parts.merge(parts.plan(number)(np.stack([[rare, always], [always, rare]]).transpose(2, 0, 1)))
    np.testing.assert_allclose(parts.limits().value ** 2, [0.7, 0.3], rtol=1e-12)
