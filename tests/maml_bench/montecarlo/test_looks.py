import itertools
import math
import time

import numpy as np
import pytest

from maml_bench.montecarlo.limits import mean
from maml_bench.montecarlo.looks import (
    FIRST_BLOCKS,
    LEAST_BUDGET,
    MOST_GROUPS,
    block_size,
    dominated,
    level_of_look,
    looks,
    schedule,
)
from maml_bench.montecarlo.workers import Workers


def normal(rng, replicates):
    return 1 + rng.standard_normal((replicates, 3))


def run(draw=normal, estimand=mean, budget=10_000, size=16, workers=1, **options):
    return list(
        looks(draw, estimand, seed=5, delta=0.01, budget=budget, size=size, workers=Workers(workers), **options)
    )


def test_numbers_double_and_end_at_the_budget():
    replicates = [look.replicates for look in run(budget=1000)]
    assert replicates == [64, 128, 256, 512, 992]
    assert [look.replicates for look in run(budget=LEAST_BUDGET)] == [LEAST_BUDGET]


def test_any_number_of_workers_gives_the_same_bits():
    one, three = run(workers=1, budget=100_000), run(workers=3, budget=100_000)
    for a, b in zip(one, three, strict=True):
        for field in ("value", "lower", "upper"):
            np.testing.assert_array_equal(getattr(a.limits, field), getattr(b.limits, field))


def test_stopping_early_does_not_change_what_was_seen():
    short = run(budget=1024)
    for a, b in zip(short, run(budget=100_000), strict=False):
        np.testing.assert_array_equal(a.limits.value, b.limits.value)


def test_value_is_the_mean_of_all_replicates():
    # 2 is exactly representable at every level of the tree; the number of replicates drawn must match.
    drawn = []

    def counting(rng, replicates):
        drawn.append(replicates)
        return np.full((replicates, 1), 2.0)

    final = run(counting, budget=50_000)[-1]
    assert final.limits.value[0] == 2.0
    assert sum(drawn) == final.replicates


def test_groups_stay_bounded_and_equal():
    seen = []

    def spy(batches, level):
        seen.append(len(batches))
        return mean(batches, level)

    run(estimand=spy, budget=2**17)
    assert max(seen) <= MOST_GROUPS
    assert seen[-1] >= MOST_GROUPS / 2


@pytest.mark.parametrize("most", [4, 5, 7, 8, 63, 64, 65, 127, 1000, 4097, 10**6 + 1])
def test_schedule_doubles_and_uses_nearly_all_blocks(most):
    plan = schedule(most)
    targets = [target for target, _, _ in plan]
    assert targets[:-1] == [4 * 2**k for k in range(len(targets) - 1)]
    assert targets[-1] <= most
    assert targets[-1] > most - plan[-1][1]
    for target, blocks, groups in plan:
        assert target % blocks == 0
        assert target // blocks * groups <= MOST_GROUPS


@pytest.mark.parametrize("budget", [64, 100, 1000, 16 * 65, 40_000])
def test_the_last_look_knows_that_it_is(budget):
    assert [look.last for look in run(budget=budget)] == [False] * (len(run(budget=budget)) - 1) + [True]


def test_levels_add_up_to_delta_for_all_cells():
    levels = []

    def spy(batches, level):
        levels.append(level)
        return mean(batches, level)

    run(estimand=spy, budget=2**14)
    assert levels == [level_of_look(0.01, k) / 3 for k in range(1, len(levels) + 1)]
    assert math.fsum(level_of_look(0.01, k) for k in range(1, 100_000)) == pytest.approx(0.01, rel=1e-4)


def test_time_budget_stops_before_a_look_that_would_exceed_it():
    def slow(rng, replicates):
        time.sleep(0.01)
        return normal(rng, replicates)

    seen = run(slow, budget=10**6, seconds=0.3)
    assert 1 <= len(seen) < 8


def test_overflow_is_an_error():
    with pytest.raises(OverflowError, match="diverges"):
        run(lambda rng, n: np.full((n, 1), np.inf))


@pytest.mark.parametrize(("floats", "budget"), list(itertools.product([1, 100, 10**6], [LEAST_BUDGET, 1000, 10**6])))
def test_block_size_is_a_power_of_two_within_budget(floats, budget):
    size = block_size(floats, budget)
    assert size & (size - 1) == 0
    assert size >= 16
    assert FIRST_BLOCKS * size <= budget


def test_an_infinite_second_moment_is_noticed_and_a_finite_one_is_not():
    # Tail index 1.5: noticed in at least 9 of 10 runs; of 50 runs fewer than 35 has probability < 1e-5.
    # Normal and exponential: never.
    rng = np.random.default_rng(0)
    heavy = sum(dominated(rng.pareto(1.5, (1024, 1, 64)).mean(-1)) for _ in range(50))
    light = sum(dominated(draw((1024, 3, 16)).mean(-1)) for draw in (rng.standard_normal, rng.standard_exponential))
    assert heavy >= 35
    assert light == 0
    assert not dominated(np.ones((64, 2)))
