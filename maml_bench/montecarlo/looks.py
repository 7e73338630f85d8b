"""A sequential run: looks at doubling numbers of replicates, until the caller stops asking or the budget is spent.

Look k is taken at the level ``delta * 6 / (pi^2 k^2)``; the levels of all looks add up to delta,
so a decision made at whichever look is wrong with probability at most delta.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from maml_bench.montecarlo.batches import BATCHES_PER_BLOCK, Draw, group_means, halve
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.workers import Workers

FIRST_BLOCKS = 4
MOST_GROUPS = 512
LEAST_BUDGET = FIRST_BLOCKS * BATCHES_PER_BLOCK
BLOCK_FLOATS = 2**19
LARGEST_BLOCK = 2**27
CAUTION = 10


@dataclass(frozen=True)
class Look:
    """What is known after ``replicates`` replicates: limits valid simultaneously with all other looks.

    ``dominated``: one batch alone makes up a large part of some cell's variance, as happens when the second moment is
    infinite; the limits are then ``CAUTION`` times as wide as the batches say. ``constant``: all batches of a cell
    agree, so that an event too rare to be drawn would not show; the limits deserve no trust. ``last``: the budget of
    replicates allows no further look.
    """

    replicates: int
    limits: Limits
    dominated: bool
    constant: bool
    last: bool


def block_size(floats_per_replicate: int, budget: int) -> int:
    """Replicates in a block: a power of two that keeps a block's arrays near 4 MB,
    and four blocks inside the budget.

    Raises
    ------
    ValueError
        If the budget is below ``LEAST_BUDGET``, or the smallest block does not fit into memory.
    """
    if budget < LEAST_BUDGET:
        raise ValueError(f"budget = {budget}: must be at least {LEAST_BUDGET} replicates")
    if floats_per_replicate * BATCHES_PER_BLOCK > LARGEST_BLOCK:
        gigabytes = 8e-9 * floats_per_replicate * BATCHES_PER_BLOCK
        raise ValueError(
            f"a block of {BATCHES_PER_BLOCK} replicates needs arrays of {gigabytes:.2g} GB, at most 1 GB: "
            "use smaller batches, fewer tasks or a smaller dimension"
        )
    size = min(max(BLOCK_FLOATS // floats_per_replicate, BATCHES_PER_BLOCK), 4096, budget // FIRST_BLOCKS)
    return 2 ** int(math.log2(size))


def dominated(batches: np.ndarray) -> bool:
    """Whether one of the batches ``(G, cells, ...)`` has too large a part in the sum of squared deviations of a cell.

    With normal batches the largest part exceeds 0.3 (of fewer than 256) or 0.1 (of more) with probability below
    1e-4. With an infinite second moment it does not fall as batches are added: tail index 1.5 exceeds 0.1 nine
    times in ten, at any number.
    """
    deviations = (batches - batches.mean(0)).reshape(*batches.shape[:2], -1)
    squares = np.vecdot(deviations, deviations)
    total = squares.sum(0)
    most = 0.3 if len(batches) < 256 else 0.1
    return bool(np.any(squares.max(0) > most * total))


def level_of_look(delta: float, number: int) -> float:
    """The share of delta that look ``number`` = 1, 2, ... spends."""
    return delta * 6 / (math.pi * number) ** 2


def looks(
    draw: Draw,
    estimand: Callable[[np.ndarray, float], Limits],
    *,
    seed: int,
    delta: float,
    budget: int,
    size: int,
    workers: Workers,
    seconds: float = math.inf,
) -> Iterator[Look]:
    """Yield looks at doubling numbers of blocks, the last one as large as the budget of replicates allows.

    Parameters
    ----------
    draw : callable
        ``draw(rng, replicates) -> (replicates, cells, ...)``.
    estimand : callable
        ``estimand(batches, level) -> Limits``.
    delta : float
        Probability that any limit of any look is wrong, for each side and all cells together.
    budget : int
        Most replicates to draw, at least ``LEAST_BUDGET``.
    size : int
        Replicates in a block.
    seconds : float
        A look that would not end in time, judged by the pace so far, is not begun.
    """
    start = time.perf_counter()
    means, done = None, 0
    plan = schedule(budget // size)
    for number, (target, blocks, groups) in enumerate(plan, start=1):
        elapsed = time.perf_counter() - start
        if done and elapsed * target / done > seconds:
            return
        while done // blocks * groups < (0 if means is None else len(means)):
            means = halve(means)
        jobs = [(group_means, draw, seed, first, blocks, size, groups) for first in range(done, target, blocks)]
        fresh = np.concatenate(workers.map(jobs))
        if not np.isfinite(fresh).all():
            raise OverflowError("replicates overflow or are undefined: the run diverges at these parameters")
        means = fresh if means is None else np.concatenate([means, fresh])
        done = target
        level = level_of_look(delta, number) / means.shape[1]
        constant = bool(np.any(np.all(means == means[0], axis=(0, *range(2, means.ndim)))))
        limits, heavy = estimand(means, level), dominated(means)
        last = number == len(plan)
        yield Look(done * size, limits.widened(CAUTION) if heavy else limits, heavy, constant, last)


def schedule(most: int) -> list[tuple[int, int, int]]:
    """The looks that ``most`` blocks allow: (blocks up to this look, blocks in a job,
    groups that a job is averaged to).

    Jobs grow so that there are never more than ``MOST_GROUPS`` groups; the last look is cut to whole jobs.
    """
    plan, target, blocks, groups = [], FIRST_BLOCKS, 1, BATCHES_PER_BLOCK
    while not plan or plan[-1][0] < most:
        while target // blocks * groups > MOST_GROUPS:
            blocks, groups = (blocks, groups // 2) if groups > 1 else (2 * blocks, groups)
        whole = min(target, most // blocks * blocks)
        if plan and whole <= plan[-1][0]:
            break
        plan.append((whole, blocks, groups))
        target *= 2
    return plan
