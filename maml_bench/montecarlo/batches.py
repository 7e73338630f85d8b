"""Replicates in blocks, each with its own random stream, reduced to batch means.

A block has a fixed number of replicates and draws them from the `SeedSequence` child numbered like the block, so what
a block yields depends on nothing but the seed and its number. Replicates are averaged in batches, batches pairwise,
always along the same binary tree: the result is the same, bit for bit, for any number of workers and any order of
work, and its rounding error grows with the logarithm of the number of replicates.
"""

from collections.abc import Callable

import numpy as np

BATCHES_PER_BLOCK = 16

Draw = Callable[[np.random.Generator, int], np.ndarray]
"""``draw(rng, replicates) -> (replicates, ...)``: independent replicates of a quantity."""


def block_generator(seed: int, block: int) -> np.random.Generator:
    """The random stream of one block."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(block,))))


def halve(means: np.ndarray) -> np.ndarray:
    """Average neighbours: ``(2n, ...) -> (n, ...)``."""
    return (means[0::2] + means[1::2]) / 2


def group_means(draw: Draw, seed: int, first: int, blocks: int, size: int, groups: int) -> np.ndarray:
    """Means of ``groups`` equal groups of the replicates in ``blocks`` consecutive blocks of ``size`` replicates.

    ``blocks``, ``size`` and ``groups`` are powers of two. Returns an array ``(groups, ...)``.
    """
    if blocks > 1 and groups == 1:
        half = blocks // 2
        parts = [group_means(draw, seed, start, half, size, 1) for start in (first, first + half)]
        return halve(np.concatenate(parts))
    if blocks > 1:
        per_block = groups // blocks
        return np.concatenate([group_means(draw, seed, first + k, 1, size, per_block) for k in range(blocks)])
    with np.errstate(over="ignore", invalid="ignore"):  # `looks` refuses means that are not finite
        replicates = draw(block_generator(seed, first), size)
    means = replicates.reshape(BATCHES_PER_BLOCK, size // BATCHES_PER_BLOCK, *replicates.shape[1:]).mean(1)
    while len(means) > groups:
        means = halve(means)
    return means
