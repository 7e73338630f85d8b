"""Count, mean and spread of blocks, merged."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of blocks of numbers or vectors, merged without cancellation."""

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Moments":
        """Of values (n, cells, ...); the squares are summed over all but the first two axes: (cells,)."""
        every = np.ones(len(values))
        flat = values.reshape(len(values), -1)
        mean = every @ flat / len(values)
        away = flat - mean
        away *= away
        shape = values.shape[1:]
        return cls(len(values), mean.reshape(shape), (every @ away).reshape(shape[0], -1).sum(-1))

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        gap = other.mean - self.mean
        away = (gap.reshape(len(gap), -1) ** 2).sum(-1)
        return Moments(
            count,
            self.mean + gap * (other.count / count),
            self.squares + other.squares + away * (self.count * other.count / count),
        )
