"""Many seeds of one experiment: rows with limits, paired comparisons, and the choice of step sizes on other seeds."""

from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np
from scipy import stats

CONFIDENCE = 0.99
"""Of the two-sided limits of a row, by itself."""


def row(quantity: str, values: np.ndarray, **labels) -> dict:
    """The mean of one value per seed, with Student limits, as a row of a study.

    If a seed diverged there is no mean: the row then has ``diverged``, their number, and no value.
    """
    values = np.asarray(values, dtype=float)
    about = {"quantity": quantity, "replicates": len(values), **labels}
    lost = int(np.sum(~np.isfinite(values)))
    if lost:
        return about | {"diverged": lost}
    with np.errstate(over="ignore"):
        mean = values.mean()
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
        reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error if error else 0.0
    found = {"value": float(mean), "lower": float(mean - reach), "upper": float(mean + reach)}
    return about | found | {"evidence": "asymptotic", "diverged": 0}


def known(quantity: str, value: SupportsFloat, **labels) -> dict:
    """A number without error, as a row of a study."""
    number = float(value)
    return {"quantity": quantity, **labels, "value": number, "lower": number, "upper": number, "evidence": "exact"}


def best(scores: np.ndarray) -> tuple[int, ...]:
    """The index of the least mean over the last axis, that of the seeds; a cell where a seed diverged counts as worst.

    Ties, and a grid that diverges everywhere, go to the first cell.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.asarray(scores, dtype=float).mean(-1)
    return tuple(int(i) for i in np.unravel_index(np.argmin(np.where(np.isfinite(means), means, np.inf)), means.shape))


def checkpoints(iterations: int, count: int = 40) -> np.ndarray:
    """Iterations to report, counted from 1, the last among them; evenly spread in their logarithm."""
    return np.unique(np.geomspace(1, iterations, count).round().astype(int))


def generators(seed: int, block: int, count: int) -> list[np.random.Generator]:
    """Independent streams of a block of seeds: the same data, whichever method draws its directions beside."""
    return [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block, k))) for k in range(count)]


def blocks(seeds: int, size: int) -> Sequence[tuple[int, int]]:
    """Number and size of each block of seeds."""
    return [(k, min(size, seeds - k * size)) for k in range(-(-seeds // size))]
