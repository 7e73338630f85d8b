import numpy as np
import pytest

from maml_bench.montecarlo.batches import BATCHES_PER_BLOCK, block_generator, group_means, halve


def uniform(rng, replicates):
    return rng.random((replicates, 2))


def test_blocks_have_streams_of_their_own():
    draws = [block_generator(seed, block).random(4) for seed in (0, 1) for block in (0, 1, 2)]
    assert len({tuple(draw) for draw in draws}) == 6


@pytest.mark.parametrize(("blocks", "groups"), [(1, 16), (1, 4), (1, 1), (8, 128), (8, 8), (8, 1), (4, 16)])
def test_group_means_are_means_of_consecutive_replicates(blocks, groups):
    size = 64
    means = group_means(uniform, 7, 3, blocks, size, groups)
    replicates = np.concatenate([uniform(block_generator(7, 3 + k), size) for k in range(blocks)])
    np.testing.assert_allclose(means, replicates.reshape(groups, -1, 2).mean(1), rtol=1e-14)


def test_grouping_in_any_two_steps_gives_the_same_bits():
    fine = group_means(uniform, 0, 0, 8, 64, 8 * BATCHES_PER_BLOCK)
    while len(fine) > 1:
        fine = halve(fine)
    np.testing.assert_array_equal(fine, group_means(uniform, 0, 0, 8, 64, 1))
    halves = np.concatenate([group_means(uniform, 0, start, 4, 64, 1) for start in (0, 4)])
    np.testing.assert_array_equal(fine, halve(halves))


def test_averaging_does_not_drift():
    # 2^18 copies of 0.1: a running sum in double precision is off by about 1e-12, the tree by nothing at all.
    constant = group_means(lambda rng, n: np.full((n, 1), 0.1), 0, 0, 64, 4096, 1)
    assert constant[0, 0] == pytest.approx(0.1, rel=2e-16)
