"""A run: blocks of replicates, one after another, with limits after each, until the caller stops asking.

Block k has the random stream of the `SeedSequence` child numbered k, and a size that depends on k and on what a
replicate takes, not on the budget. So a larger budget continues the same run: where a budget ends inside a block, the
replicates used are the first ones of the whole block. Limits hold at all sample sizes at once, so those after a block
are intersected with those before, and stopping at whichever block changes nothing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from maml_bench.montecarlo.estimands import Beside
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.matrices import Dyads, finite
from maml_bench.montecarlo.mean import Mean
from maml_bench.montecarlo.norm import Norm
from maml_bench.montecarlo.workers import Workers

Draw = Callable[[np.random.Generator, int], np.ndarray]
"""``draw(rng, replicates) -> (replicates, cells, ...)``: independent replicates of a quantity."""

FIRST_BLOCK, LAST_BLOCK = 64, 16384
HALVED = 5
"""The number of the block from which on one adds less than there is."""

BLOCK_FLOATS = 2**20
LARGEST_BLOCK = 2**26


@dataclass(frozen=True)
class Look:
    """Limits after a number of replicates, and whether the budget allows no more."""

    replicates: int
    limits: Limits
    last: bool


def block_size(number: int, floats: int) -> int:
    """Replicates in block ``number``, if one replicate takes ``floats`` numbers: the first ones double what there is,
    later ones add half or a third, so that few are drawn after a decision, until their arrays take about 8 MB.

    Raises
    ------
    ValueError
        If not even one replicate fits into memory.
    """
    if floats > LARGEST_BLOCK:
        raise ValueError(
            f"one replicate needs arrays of {8e-9 * floats:.2g} GB, at most {8e-9 * LARGEST_BLOCK:.2g} GB: "
            "use smaller batches, fewer tasks, steps or directions, or a smaller dimension"
        )
    most = min(max(BLOCK_FLOATS // floats, 1), LAST_BLOCK)
    doubled = max(number - 1, 0) if number < HALVED else HALVED - 2 + (number - HALVED) // 2
    return int(min(most, FIRST_BLOCK << min(doubled, 30)))


def block_generator(seed: int, block: int) -> np.random.Generator:
    """The random stream of one block."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(block,))))


def _block(draw, plan, seed, number, size, kept):
    with np.errstate(all="ignore"):
        values = draw(block_generator(seed, number), size)[:kept]
    if not finite(values):
        raise OverflowError("replicates overflow or are undefined: the run diverges at these parameters")
    return plan(values)


def looks(
    draw: Callable[[np.random.Generator, int], np.ndarray | Dyads],
    estimand: Mean | Norm | Beside,
    *,
    seed: int,
    budget: int,
    floats: int,
    workers: Workers,
    seconds: float = np.inf,
) -> Iterator[Look]:
    """Yield a look after every block, until the budget is spent.

    Parameters
    ----------
    draw : callable
        ``draw(rng, replicates) -> (replicates, cells, ...)``.
    estimand : Mean, Norm or Beside
    budget : int
        Most replicates to use, at least 1.
    floats : int
        Numbers that one replicate takes.
    seconds : float
        A block that would not end in time, judged by the pace so far, is not begun.

    Raises
    ------
    OverflowError
        If a replicate is not finite.
    EnvelopeExceeded
        If a replicate exceeds its ceiling.
    ValueError
        If a replicate does not fit into memory, or one of a mean is negative.
    """
    start = time.perf_counter()
    number, done = 0, 0
    earlier: Limits | None = None
    while done < budget:
        jobs: list[tuple[Any, ...]] = []
        ahead = min(workers.count, 2 ** number.bit_length() - number)  # blocks that share a plan
        for block in range(number, number + ahead):
            size = block_size(block, floats)
            kept = min(size, budget - done - sum(job[-1] for job in jobs))
            if kept > 0:
                jobs.append((_block, draw, estimand.plan(block), seed, block, size, kept))
        elapsed = time.perf_counter() - start
        if done and elapsed * (1 + jobs[0][-2] / done) > seconds:
            return
        for job, part in zip(jobs, workers.map(jobs), strict=True):
            estimand.merge(part)
            done, number = done + job[-1], number + 1
            earlier = estimand.limits(last=done >= budget).within(earlier)
            yield Look(done, earlier, done >= budget)
