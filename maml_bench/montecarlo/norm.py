"""The norm of a mean vector or matrix, from replicates."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.limits import ASYMPTOTIC, CERTIFIED, Limits
from maml_bench.montecarlo.matrices import Columns, Dyads, Whole
from maml_bench.montecarlo.moments import Moments
from maml_bench.montecarlo.rows import squares
from maml_bench.montecarlo.tilted import within

FEW, WAIT = 32, 1.25
"""Of a mean of so many entries few outer products are taken, and their largest eigenvalue when there are so many times
more replicates than when it was last."""

LARGEST_GRAM = 1024
"""Largest number of entries of a mean whose Gram matrix is kept."""


class Norm:
    """The Euclidean norm of a mean vector or matrix, or the spectral norm of a mean matrix.

    Parameters
    ----------
    level : float
        Probability that any lower limit is wrong, ever, and that any upper limit is.
    cells : int
    ceiling : array (cells,), optional
        The norm of no replicate exceeds it, by a proof: each is checked. Without it all limits are asymptotic.
    square : array (cells,), optional
        In place of a ceiling: the mean square of the norm does not exceed it, by a proof.
    spectral : bool

    Notes
    -----
    The direction of the lower limit and the centre of the upper one are those of the mean of all blocks before number
    ``2^k``, for blocks ``2^k, ..., 2^(k+1) - 1``.
    """

    def __init__(self, level, cells, ceiling=None, square=None, spectral=False):
        self.levels, self.ceiling, self.spectral = np.array([[level / cells], [level]]), ceiling, spectral
        self.square = square
        self.moments: Any = None  # Moments, from the first block on, as the rest
        self.along: Any = None
        self.gram: Any = None
        self._plan: Any = None
        self._due = 0
        self.bets: Any = None
        self.low, self.high = np.zeros((2, cells)), np.full((2, cells), np.inf)
        if square is not None:
            self.bets = betting.Bets(betting.square_slopes(np.sqrt(np.where(square > 0, square, 1.0))))
            self.high = np.tile(np.sqrt(square), (2, 1))
        elif ceiling is not None:
            self.reach = 2 * np.where(ceiling > 0, ceiling, 1.0)
            self.bets = betting.Bets(betting.stakes(self.reach))
            self.high = np.tile(ceiling, (2, 1))

    def plan(self, block: int) -> "NormPlan":
        """How block number ``block`` is to be looked at."""
        if self.moments is None or block & (block - 1) == 0:
            mean = direction = None
            if self.moments is not None:
                mean, direction = self.moments.mean, _direction(self.moments.mean, self.spectral)
                self._narrow(block)
            stakes = None if self.bets is None else self.bets.offered
            self._plan = NormPlan(mean, direction, stakes, self.ceiling, self.spectral)
        return self._plan

    def _narrow(self, block):
        if block < betting.NARROW or self.bets is None or not np.all(self.low > 0):
            return
        if self.square is not None:
            self.bets.narrow(self.bets.earned_on_squares(self.square, self.low[0], -1))
        else:
            self.bets.narrow(self.bets.earned(self.ceiling + self.low[0]))

    def merge(self, part: tuple) -> None:
        """Take in what a plan made of the next block."""
        moments, gram, along, bets = part
        self.moments = moments if self.moments is None else self.moments + moments
        self.gram = gram if self.gram is None else [one + other for one, other in zip(self.gram, gram, strict=True)]
        if along is not None:
            self.along = along if self.along is None else self.along + along
        if bets is not None:
            self.bets.add(moments.count, bets)

    def limits(self, last: bool = True) -> Limits:
        """Limits after the blocks so far; the upper ones of large matrices only now and then, unless it is the last."""
        count, along = self.moments.count, self.along
        norm = _norm(self.moments.mean, self.spectral)
        kind, ceiling = CERTIFIED if self.bets is not None else ASYMPTOTIC, self.ceiling
        if last or count >= self._due:
            self._due = count * (WAIT if self.moments.mean[0].size >= FEW else 1)
            self.high = self._upper(count, norm)
        if self.square is not None:
            ceiling = np.sqrt(self.square)
            self.low = betting.limits_of_squares(self.bets, self.square, self.levels, self.low, -1)
        elif self.ceiling is None:
            if along is not None and along.count >= betting.LEAST:
                reach = betting.normal_reach(along.count, along.squares, self.levels)
                self.low = np.where(self._agree(norm), 0.0, np.maximum(along.mean - reach, 0.0))
        else:
            above = self.ceiling + self.low
            self.low = np.maximum(betting.lower_limit(self.bets, self.levels, above) - self.ceiling, self.low)
        value = self._value(norm, self.high[0], self.low[0])
        return Limits(value, self.low[0], self.high[0], self.low[1], self.high[1], kind, kind, ceiling)

    def _upper(self, count, norm):
        largest = np.maximum(np.min([betting.largest_eigenvalues(gram) for gram in self.gram], axis=0), 0.0)
        if self.square is not None:
            slopes = self.bets.stakes
            sums = -slopes * (count * norm[:, None]) - slopes**3 * largest[:, None] / 6
            return betting.limits_of_squares(betting.Bets(slopes, count, sums), self.square, self.levels, self.high, 1)
        if self.ceiling is None:
            return np.where(self._agree(norm), np.inf, betting.normal_upper(norm, count, largest, self.levels))
        return np.minimum(betting.upper_limit_of_norm(count, norm, largest, self.reach, self.levels), self.high)

    def _agree(self, norm):
        """Cells whose vectors are all one, to the rounding of what is known of them: one that is rare would not show,
        long and in any direction. The spread of the first block is a difference, exact to half of the digits.
        """
        near = self.moments.squares <= self.moments.count * (1e-7 * norm) ** 2
        return (
            near if self.along is None else near & betting.agree(self.along.mean, self.along.count, self.along.squares)
        )

    def _value(self, norm, upper, lower):
        """The root of an unbiased estimate of the square; for the spectral norm the mean along earlier directions."""
        count = self.moments.count
        if not self.spectral and count > 1:
            norm = np.sqrt(np.maximum(norm**2 - self.moments.squares / (count - 1) / count, 0.0))
        elif self.spectral and self.along is not None:
            norm = np.clip(self.along.mean, 0.0, norm)
        return np.minimum(np.maximum(norm, lower), upper)


@dataclass(frozen=True)
class NormPlan:
    """Reduces a block of vectors or matrices (n, cells, ...), about a centre and along a direction (cells, ...)."""

    centre: np.ndarray | None
    direction: np.ndarray | None
    stakes: np.ndarray | None
    ceiling: np.ndarray | None
    spectral: bool

    def __call__(self, values: np.ndarray | Dyads) -> tuple:
        block = values if isinstance(values, Dyads) else Whole(values)
        count, entries = len(block), math.prod(block.shape[2:])
        few = entries < FEW and entries <= LARGEST_GRAM
        centre = np.zeros(block.shape[1:]) if self.centre is None else self.centre
        beside = block if self.centre is None else block - centre
        away: Columns | Dyads | Whole = Columns.of(beside) if few else beside
        sizes, gap = away.squared_norms(), away.mean()
        if self.ceiling is not None:
            self._check(block, np.sqrt(sizes.max(0)) + _norm(centre, spectral=False))
        spread = np.maximum(sizes.sum(0) - count * squares(gap.reshape(len(gap), -1)), 0.0)
        moments = Moments(count, centre + gap, spread)
        sums = bets = None
        if self.direction is not None:
            x = away.inner(self.direction) + (self.direction * centre).reshape(len(centre), -1).sum(-1)
            sums = Moments.of(x)
            if self.ceiling is not None and self.stakes is not None:
                bets = betting.logs(np.maximum(self.ceiling + x, 0.0), self.stakes)
            elif self.stakes is not None:
                bets = betting.logs(-x, self.stakes, squared=True)
        if self.ceiling is None and self.stakes is not None:  # a bound of the mean square: third powers, no centre
            away = _weighted(block, block.squared_norms() ** 0.25)
        elif self.ceiling is not None and not few:
            seen, weights = betting.counted(np.sqrt(sizes), 2 * np.where(self.ceiling > 0, self.ceiling, 1.0))
            away = _weighted(beside[seen], np.sqrt(weights))
        return moments, _grams(away, self.spectral), sums, bets

    def _check(self, block, most):
        """Frobenius norms bound spectral ones. They are worked out where ``most``, which bounds all, is too large."""
        if self.ceiling is None or np.all(most <= self.ceiling):
            return
        sizes = np.sqrt(block.squared_norms())
        large = sizes > self.ceiling
        if self.spectral and np.any(large):
            sizes[large] = np.linalg.norm(np.asarray(block)[large], 2, axis=(-2, -1))
        within(sizes, self.ceiling)


def _weighted(block, weights):
    return Whole(np.asarray(block) * weights.reshape(*weights.shape, *(1,) * (len(block.shape) - 2)))


def _grams(away, spectral):
    """Matrices (cells, m, m) whose largest eigenvalues are each at least ``sum_i <direction, away_i>^2``.

    The Gram matrix; if it is too large, for a direction u v' of unit vectors the sums of ``away' away`` and
    ``away away'``, else the sum of squares.
    """
    if math.prod(away.shape[2:]) <= LARGEST_GRAM:
        flat = away.entries()
        return [flat @ flat.mT]
    if not spectral:
        return [away.squared_norms().sum(0)[:, None, None]]
    rows = np.swapaxes(np.asarray(away), 0, 1)
    down, across = (x.reshape(len(x), -1, x.shape[-1]) for x in (rows, np.swapaxes(rows, -1, -2)))
    return [down.mT @ down, across.mT @ across]


def _norm(mean, spectral):
    if spectral:
        return np.linalg.norm(mean, 2, axis=(-2, -1))
    return np.linalg.norm(mean.reshape(len(mean), -1), axis=-1)


def _direction(mean, spectral):
    """Of dual norm 1 (or 0 where the mean is), (cells, ...)."""
    if spectral:
        u, _, vt = np.linalg.svd(mean)
        return u[..., :, :1] * vt[..., :1, :]
    size = _norm(mean, spectral).reshape(-1, *(1,) * (mean.ndim - 1))
    return np.divide(mean, size, out=np.zeros_like(mean), where=size > 0)
