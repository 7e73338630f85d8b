"""Runs and their estimands: prefixes, workers, limits that only tighten, certified and asymptotic sides."""

import math

import numpy as np
import pytest

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.limits import ASYMPTOTIC, CERTIFIED
from maml_bench.montecarlo.mean import Mean
from maml_bench.montecarlo.moments import Moments
from maml_bench.montecarlo.norm import Norm, NormPlan
from maml_bench.montecarlo.sequence import FIRST_BLOCK, LAST_BLOCK, block_generator, block_size, looks
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.montecarlo.workers import Workers


def uniform(rng, count):
    """Two cells of means 1/2 and 1."""
    return rng.random((count, 2)) * [1.0, 2.0]


def run(draw, estimand, budget=20_000, seed=0, floats=1000, **options):
    return list(looks(draw, estimand, seed=seed, budget=budget, floats=floats, **{"workers": Workers(1), **options}))


def bounded_mean(level=0.01, **options):
    return Mean(level, 2, **{"ceiling": np.array([1.0, 2.0]), **options})


def test_sizes_of_blocks_grow_to_what_fits():
    sizes = [block_size(number, 1) for number in range(15)]
    assert sizes == [64, 64, 128, 256, 512, 512, 512, 1024, 1024, 2048, 2048, 4096, 4096, 8192, 8192]
    assert block_size(100, 2**12) == 256
    assert block_size(0, 2**26) == 1
    with pytest.raises(ValueError, match="one replicate needs arrays of 2.1 GB, at most 0.54 GB"):
        block_size(0, 2**28)
    assert FIRST_BLOCK < LAST_BLOCK


def test_a_larger_budget_continues_the_same_run():
    short, long = run(uniform, bounded_mean(), 5000), run(uniform, bounded_mean(), 9000)
    for one, other in zip(short[:-1], long, strict=False):
        assert one.replicates == other.replicates
        np.testing.assert_array_equal(one.limits.lower, other.limits.lower)
        np.testing.assert_array_equal(one.limits.upper, other.limits.upper)
    assert short[-1].replicates == 5000 and short[-1].last and not long[-2].last


def test_a_budget_that_ends_inside_a_block_uses_its_first_replicates():
    found = run(uniform, bounded_mean(), 100)[-1]
    both = np.concatenate([uniform(block_generator(0, 0), 64), uniform(block_generator(0, 1), 64)[:36]])
    np.testing.assert_allclose(found.limits.value, both.mean(0), rtol=1e-14)
    assert run(uniform, bounded_mean(), 1)[-1].replicates == 1


@pytest.mark.parametrize("options", [{"workers": Workers(3)}, {"workers": Workers(2, processes=True)}])
@pytest.mark.parametrize("make", [bounded_mean, lambda: Norm(0.01, 2, ceiling=np.array([1.0, 2.0]))])
def test_no_number_depends_on_the_workers(make, options):
    draw = uniform if isinstance(make(), Mean) else vectors
    one, other = run(draw, make()), run(draw, make(), **options)
    assert [look.replicates for look in one] == [look.replicates for look in other]
    for name in ("value", "lower", "upper", "lower_alone", "upper_alone"):
        np.testing.assert_array_equal(getattr(one[-1].limits, name), getattr(other[-1].limits, name))


def vectors(rng, count):
    """Two cells with the mean norms 0.3 and 0; no vector is longer than 1."""
    points = rng.standard_normal((count, 2, 3))
    points *= 0.5 / np.linalg.norm(points, axis=-1, keepdims=True)
    points[:, 0, 1] += 0.3
    return points


def test_limits_tighten_and_close_in_on_the_mean():
    found = run(uniform, bounded_mean())
    for before, after in zip(found, found[1:], strict=False):
        assert np.all(after.limits.lower >= before.limits.lower) and np.all(after.limits.upper <= before.limits.upper)
    limits = found[-1].limits
    assert limits.lower_kind == limits.upper_kind == CERTIFIED
    assert np.all(limits.lower < [0.5, 1.0]) and np.all([0.5, 1.0] < limits.upper)
    assert np.all(limits.upper - limits.lower < [0.04, 0.08])
    # Alone, a cell has the full level; together they share it.
    assert np.all(limits.lower_alone > limits.lower) and np.all(limits.upper_alone < limits.upper)


def test_without_a_ceiling_the_lower_limit_stays_certified():
    found = run(uniform, Mean(0.01, 2))
    assert found[-1].limits.lower_kind == CERTIFIED and found[-1].limits.upper_kind == ASYMPTOTIC
    few = run(uniform, Mean(0.01, 2), 63)[-1].limits
    assert not np.any(np.isfinite(few.upper))  # too few for a normal approximation
    assert np.all(found[-1].limits.upper < [0.53, 1.06])


def test_without_a_ceiling_the_first_block_is_looked_at_and_not_bet_on():
    found = run(uniform, Mean(0.01, 2))
    assert not found[0].limits.lower.any()
    assert np.all(found[-1].limits.lower > [0.47, 0.94])


def test_the_root_of_a_mean():
    plain, root = run(uniform, bounded_mean()), run(uniform, bounded_mean(root=True))
    for name in ("value", "lower", "upper"):
        np.testing.assert_allclose(getattr(root[-1].limits, name) ** 2, getattr(plain[-1].limits, name))


def test_norms_are_enclosed_and_their_value_is_not_inflated_by_noise():
    found = run(vectors, Norm(0.01, 2, ceiling=np.array([1.0, 1.0])), 40_000)[-1].limits
    assert found.lower_kind == found.upper_kind == CERTIFIED
    assert found.lower[0] < 0.3 < found.upper[0] < 0.33 and found.lower[0] > 0.27
    assert found.lower[1] == 0.0 and found.upper[1] < 0.02
    assert found.value[1] < 0.005
    asymptotic = run(vectors, Norm(0.01, 2), 40_000)[-1].limits
    assert asymptotic.lower_kind == asymptotic.upper_kind == ASYMPTOTIC
    assert 0.27 < asymptotic.lower[0] < 0.3 < asymptotic.upper[0] < 0.33


def matrices(rng, count):
    """The mean diag(0.4, -0.1), plus noise of rank one; no spectral norm exceeds 0.9."""
    u, v = rng.standard_normal((2, count, 1, 2))
    noise = 0.5 * u[..., :, None] * v[..., None, :] / np.linalg.norm(u, axis=-1)[..., None, None]
    return noise / np.linalg.norm(v, axis=-1)[..., None, None] + np.diag([0.4, -0.1])


def test_spectral_and_frobenius_norms_of_mean_matrices():
    spectral = run(matrices, Norm(0.01, 1, ceiling=np.array([0.9]), spectral=True), 40_000)[-1].limits
    assert 0.37 < spectral.lower[0] < 0.4 < spectral.upper[0] < 0.43
    assert 0.37 < spectral.value[0] < 0.43
    frobenius = run(matrices, Norm(0.01, 1, ceiling=np.array([1.0])), 40_000)[-1].limits
    assert 0.38 < frobenius.lower[0] < math.hypot(0.4, 0.1) < frobenius.upper[0] < 0.45


@pytest.mark.parametrize("spectral", [False, True])
def test_large_matrices_keep_small_sums_and_their_limits_hold(spectral, monkeypatch):
    tight = run(matrices, Norm(0.01, 1, ceiling=np.array([1.0]), spectral=spectral), 20_000)[-1].limits
    monkeypatch.setattr("maml_bench.montecarlo.norm.LARGEST_GRAM", 3)
    estimand = Norm(0.01, 1, ceiling=np.array([1.0]), spectral=spectral)
    loose = run(matrices, estimand, 20_000)[-1].limits
    assert all(gram.shape[-1] <= 2 for gram in estimand.gram)
    assert tight.upper[0] < loose.upper[0] < tight.upper[0] + 0.03


@pytest.mark.by_chance(4e-5)
def test_norm_limits_are_wrong_no_more_often_than_stated():
    # 400 cells at a level of 5 % each: more than 41 wrong with probability below 1e-5.
    def draw(rng, count):
        points = rng.standard_normal((count, 400, 2))
        points *= np.where(rng.random((count, 400, 1)) < 0.02, 0.7, 0.01) / np.linalg.norm(
            points, axis=-1, keepdims=True
        )
        return points + [0.0, 0.3]

    for ceiling in (np.full(400, 1.0), None):
        found = run(draw, Norm(0.05, 400, ceiling=ceiling), 3000)[-1].limits
        assert np.sum(found.upper_alone < 0.3) <= 41
        assert np.sum(found.lower_alone > 0.3) <= 41
        assert np.median(found.upper_alone) < 0.36


def test_moments_merge_as_if_taken_at_once():
    values = np.random.default_rng(0).standard_normal((100, 3, 2)) + 1e6
    merged = Moments.of(values[:30]) + Moments.of(values[30:31]) + Moments.of(values[31:])
    whole = Moments.of(values)
    assert merged.count == 100
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-15)
    np.testing.assert_allclose(merged.squares, ((values - values.mean(0)) ** 2).sum((0, 2)), rtol=1e-9)


def test_refusals_show_the_replicate():
    with pytest.raises(EnvelopeExceeded, match=r"in cell 1 and exceeds its ceiling 1$"):
        run(uniform, bounded_mean(ceiling=np.array([1.0, 1.0])))
    with pytest.raises(EnvelopeExceeded, match="exceeds its ceiling"):
        run(vectors, Norm(0.01, 2, ceiling=np.array([0.6, 0.6])))
    with pytest.raises(ValueError, match="a mean of numbers >= 0"):
        run(lambda rng, count: uniform(rng, count) - 0.5, bounded_mean())
    with pytest.raises(OverflowError, match="overflow or are undefined"):
        run(lambda rng, count: uniform(rng, count) / [1.0, 0.0], Mean(0.01, 2))
    with pytest.raises(ValueError, match=r"must be \(replicates, cells\)"):
        run(vectors, Mean(0.01, 2))


def test_a_ceiling_of_zero_decides_at_once():
    found = run(lambda rng, count: np.zeros((count, 1)), Mean(0.01, 1, ceiling=np.zeros(1)), 1)[-1].limits
    assert found.upper[0] == found.lower[0] == 0.0


def test_time_ends_a_run_between_blocks():
    found = run(uniform, bounded_mean(), 10**9, seconds=0.2)
    assert not found[-1].last


def test_signed_numbers_have_asymptotic_limits_on_both_sides():
    found = run(lambda rng, count: uniform(rng, count) - 0.5, Mean(0.01, 2), 40_000)[-1].limits
    assert found.lower_kind == found.upper_kind == ASYMPTOTIC
    assert np.all(found.lower < [0, 0.5]) and np.all([0, 0.5] < found.upper) and np.all(found.upper < [0.02, 0.54])


@pytest.mark.parametrize("number", [1.0, 0.7, 1e-7])  # sums of the last two are rounded
def test_numbers_that_all_agree_have_no_asymptotic_upper_limit(number):
    assert run(lambda rng, count: np.full((count, 1), number), Mean(0.01, 1), 5000)[-1].limits.upper[0] == np.inf


def test_vectors_that_all_agree_have_no_asymptotic_limits():
    """One that is rare may be long, in any direction."""
    found = run(lambda rng, count: np.full((count, 1, 2), 0.7), Norm(0.01, 1), 5000)[-1].limits
    assert (found.lower[0], found.upper[0]) == (0.0, np.inf)


def test_asymptotic_limits_contain_the_value_of_now():
    """The first blocks see nothing of a heavy tail, and their limits exclude the mean that it has later."""
    late = iter([1e-3] * 4 + [100.0] * 1000)
    found = run(lambda rng, count: next(late) * rng.random((count, 1)), Mean(0.01, 1), 40_000)
    assert all(look.limits.lower[0] <= look.limits.value[0] <= look.limits.upper[0] for look in found)


STAKED = {
    "mean": (uniform, lambda: Mean(0.01, 2, ceiling=np.array([1.0, 2.0]))),
    "mean with a mean square": (uniform, lambda: Mean(0.01, 2, square=np.array([0.5, 2.0]))),
    "norm": (lambda rng, n: vectors(rng, n)[:, :1], lambda: Norm(0.01, 1, ceiling=np.ones(1))),
    "norm with a mean square": (lambda rng, n: vectors(rng, n)[:, :1], lambda: Norm(0.01, 1, square=np.full(1, 0.5))),
}


@pytest.mark.parametrize("name", STAKED)
def test_stakes_that_are_dropped_would_have_earned_little(name, monkeypatch):
    """From block 8 on, after 1536 of 40,000 replicates: no limit is 5 % farther than with all stakes."""
    draw, make = STAKED[name]
    estimand = make()
    few = run(draw, estimand, 40_000, floats=2**12)[-1].limits
    kept = [bets for bets in vars(estimand).values() if isinstance(bets, betting.Bets)]
    assert kept and all(bets.offered.shape[-1] == len(betting.WINDOW) for bets in kept)
    monkeypatch.setattr("maml_bench.montecarlo.betting.NARROW", math.inf)
    every = run(draw, make(), 40_000, floats=2**12)[-1].limits
    assert np.all(few.upper - few.value <= 1.05 * (every.upper - every.value))
    assert np.all(few.value - few.lower <= 1.05 * (every.value - every.lower))


def test_of_long_vectors_some_replicates_count_for_many():
    """36 entries, all near 0 but number 5: the first, that one and number 16 are seen, and how often each counts."""
    values = 0.01 * np.random.default_rng(0).standard_normal((32, 1, 36))
    values[5] *= 12
    gram = NormPlan(None, None, None, np.ones(1), False)(values)[1][0][0]
    first, far, other = (np.outer(values[n, 0], values[n, 0]) for n in (0, 5, 16))
    np.testing.assert_allclose(gram, 16 * first + far + 16 * other, rtol=1e-12, atol=1e-15)


def test_eigenvalues_of_large_sums_are_found_now_and_then_and_at_the_end():
    draw = lambda rng, n: 0.1 * rng.random((n, 1, 36))
    found = run(draw, Norm(0.01, 1, ceiling=np.ones(1)), 9000, floats=2**14)
    upper = [float(look.limits.upper[0]) for look in found]
    fell = [number for number in range(1, len(upper)) if upper[number] < upper[number - 1]]
    assert len(found) > 100 and len(fell) < 30
    assert fell[-1] == len(found) - 1 and len(fell) > 8
