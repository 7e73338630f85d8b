"""What is estimated from replicates: a mean, its root, or the norm of a mean; with limits for all sample sizes at once.

An estimand is fed block after block. What it keeps of them has a fixed size. Every replicate may be looked at in a
worker, by a `plan` that rests on earlier blocks alone; what comes back is merged in the order of the blocks, so no
number depends on the workers.

A limit is *certified* if it is valid at its level whatever the law (`maml_bench.montecarlo.betting`), else
*asymptotic*: valid for many replicates with a finite variance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.matrices import Columns, Dyads, Whole
from maml_bench.montecarlo.rows import squares
from maml_bench.montecarlo.tilted import ROUNDING, EnvelopeExceeded

CERTIFIED, ASYMPTOTIC, EXACT, SEARCH = "certified", "asymptotic", "exact", "search"

FITTED = 2.0**14
"""Reach of stakes that are fitted to a mean: numbers without a ceiling may be much larger, and rare."""

NARROW = 8
"""The number of the block from which on only the stakes are kept that are best."""

FEW, WAIT = 32, 1.25
"""Of a mean of so many entries few outer products are taken, and their largest eigenvalue when there are so many times
more replicates than when it was last."""

LARGEST_GRAM = 1024
"""Largest number of entries of a mean whose Gram matrix is kept."""


@dataclass(frozen=True)
class Limits:
    """A value for each cell, with a lower and an upper limit; arrays ``(cells,)``.

    Attributes
    ----------
    value, lower, upper : array (cells,)
        The limits of one side hold for all cells together.
    lower_alone, upper_alone : array (cells,)
        Each holds for its cell alone, at the full level: they serve where every cell has to pass its test.
    lower_kind, upper_kind : str
        ``certified`` or ``asymptotic``; of a value that was not sampled ``exact`` or ``search``.
    ceiling : array (cells,), optional
        What the value cannot exceed by proof, without rounding.
    near : Limits, optional
        Asymptotic ones beside certified ones that may be much wider.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    lower_alone: np.ndarray
    upper_alone: np.ndarray
    lower_kind: str
    upper_kind: str
    ceiling: np.ndarray | None = None
    near: "Limits | None" = None

    @property
    def sampled(self) -> bool:
        return self.lower_kind in (CERTIFIED, ASYMPTOTIC)

    @classmethod
    def around(cls, value: np.ndarray, error: np.ndarray, kind: str) -> "Limits":
        """Of a value that was computed, or found by a search, with a bound on its error."""
        lower, upper = value - error, value + error
        return cls(value, lower, upper, lower, upper, kind, kind)

    @property
    def kinds(self) -> tuple[str, str]:
        return self.lower_kind, self.upper_kind

    def within(self, earlier: "Limits | None") -> "Limits":
        """These limits and earlier ones of the same run: all of a kind are valid together, so the tightest are."""
        if earlier is None or earlier.kinds != self.kinds:
            return self
        return replace(
            self,
            near=self.near and self.near.within(earlier.near),
            **{name: np.maximum(getattr(self, name), getattr(earlier, name)) for name in ("lower", "lower_alone")},
            **{name: np.minimum(getattr(self, name), getattr(earlier, name)) for name in ("upper", "upper_alone")},
        )

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Limits":
        """The limits of an increasing function of the value."""
        names = ("value", "lower", "upper", "lower_alone", "upper_alone")
        changed: dict[str, Any] = {name: function(getattr(self, name)) for name in names}
        return replace(self, ceiling=None if self.ceiling is None else function(self.ceiling), **changed)


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


class Mean:
    """The mean of numbers >= 0, or its root; of signed numbers, too, with asymptotic limits.

    Parameters
    ----------
    level : float
        Probability that any lower limit is wrong, ever, and that any upper limit is.
    cells : int
    ceiling : array (cells,), optional
        No number exceeds it, by a proof: each number is checked. Without it upper limits are asymptotic, and so are
        lower limits once a number is negative; the stakes are fitted to the first block, and only later ones bet on.
    square : array (cells,), optional
        In place of a ceiling: the mean square of the numbers does not exceed it, by a proof.
    root : bool
        Estimate the root of the mean.
    floor : array (cells,), optional
        No number is below it, by a proof: the bets are on what is above. It needs a ceiling.
    parts : bool
        Numbers come with others >= 0, (..., 2), whose mean is what the mean of the first lacks to the ceiling: it is
        bet on in place of what each lacks, and no number need be below the ceiling.
    """

    def __init__(self, level, cells, ceiling=None, square=None, root=False, floor=None, parts=False):
        self.levels, self.root = np.array([[level / cells], [level]]), root
        self.floor, self.parts = floor, parts
        self.ceiling = ceiling if floor is None else ceiling - floor
        ceiling = self.ceiling
        self.moments: Any = None  # Moments, from the first block on
        self.signed = False
        self.rising: Any = None  # Bets that the mean is larger; with a ceiling also that of what numbers lack to it
        self.falling: Any = None  # Bets on a smaller mean, with a bound of the mean square
        self.low = np.zeros((2, cells if ceiling is None else 2 * cells))
        self.square = square
        if ceiling is not None:
            self.rising = betting.Bets(betting.stakes(np.tile(np.where(ceiling > 0, ceiling, 1.0), 2)))
        elif square is not None:
            size = np.sqrt(np.where(square > 0, square, 1.0))
            self.rising, self.falling = betting.Bets(betting.stakes(size)), betting.Bets(_slopes(size))
            self.high = np.tile(np.sqrt(square), (2, 1))

    def plan(self, block: int) -> "MeanPlan":
        """How block number ``block`` is to be looked at."""
        if block >= NARROW and block & (block - 1) == 0:
            self._narrow()
        rising, falling = (None if bets is None else bets.offered for bets in (self.rising, self.falling))
        return MeanPlan(rising, falling, self.ceiling, self.root, self.floor, self.parts)

    def _narrow(self):
        """Keep the stakes that earn most against what the limits have come to, once they have left where they began."""
        if self.rising is not None and np.all(self.low > 0):
            self.rising.narrow(self.rising.earned(self.low[0]))
        if self.square is not None and np.all(self.high < np.sqrt(self.square)):
            self.falling.narrow(self.falling.earned_on_squares(self.square, self.high[0], 1))

    def merge(self, part: "tuple") -> None:
        """Take in what a plan made of the next block."""
        moments, up, down, signed = part
        self.moments = moments if self.moments is None else self.moments + moments
        self.signed |= signed
        if signed:
            return
        if up is None:
            mean = self.moments.mean
            self.rising = betting.Bets(betting.stakes(np.where(mean > 0, mean, np.max(mean) or 1.0), FITTED))
            return
        self.rising.add(moments.count, up)
        if down is not None:
            self.falling.add(moments.count, down)

    def limits(self, last: bool = True) -> Limits:
        """Limits after the blocks so far."""
        moments = self.moments
        if self.signed:
            return self._signed()
        if self.rising is not None:
            self.low = betting.lower_limit(self.rising, self.levels, self.low)
        kind = CERTIFIED
        ceiling, low = self.ceiling, self.low[:, : self.moments.mean.size]
        if self.square is not None:
            ceiling = np.sqrt(self.square)
            upper = self.high = betting.limits_of_squares(self.falling, self.square, self.levels, self.high, 1)
        elif ceiling is None:
            kind = ASYMPTOTIC
            upper = _upper(moments.mean, moments.count, moments.squares, self.levels)
        else:
            upper = ceiling - self.low[:, low.shape[1] :]
        found = Limits(moments.mean, low[0], upper[0], low[1], upper[1], CERTIFIED, kind, ceiling)
        if self.floor is not None:
            found = found.map(lambda above: self.floor + above)
        return found.map(np.sqrt) if self.root else found

    def _signed(self):
        """A negative number has been seen: bets on numbers >= 0 are off."""
        mean, count, squares = self.moments.mean, self.moments.count, self.moments.squares
        upper, lower = _upper(mean, count, squares, self.levels), -_upper(-mean, count, squares, self.levels)
        return Limits(mean, lower[0], upper[0], lower[1], upper[1], ASYMPTOTIC, ASYMPTOTIC)


@dataclass(frozen=True)
class MeanPlan:
    """Reduces a block of numbers (n, cells): stakes on the numbers and, if there is a ceiling, on what they lack to it,
    and on squares, or None.
    """

    rising: np.ndarray | None
    falling: np.ndarray | None
    ceiling: np.ndarray | None
    root: bool
    floor: np.ndarray | None = None
    parts: bool = False

    def __call__(self, values: np.ndarray) -> tuple:
        lacking = None
        if self.parts:
            values, lacking = values[..., 0], values[..., 1]
        if values.ndim != 2:
            raise ValueError(f"replicates of a mean have the shape {values.shape}: must be (replicates, cells)")
        if self.floor is not None:
            values = values - self.floor
            _check(self.ceiling - values, self.ceiling)
            values = np.maximum(values, 0.0)
        least = np.min(values if lacking is None else np.minimum(values, lacking))
        if least < 0:
            if self.root or self.falling is not None or self.ceiling is not None:
                raise ValueError(f"a replicate is {least:.6g}: what is estimated is a mean of numbers >= 0")
            return Moments.of(values), None, None, True
        numbers = values
        if self.ceiling is not None:
            if lacking is None:
                _check(values, self.ceiling)
                values = np.minimum(values, self.ceiling)
                lacking = self.ceiling - values
            numbers = np.concatenate([values.T, lacking.T]).T
        up = None if self.rising is None else betting.logs(numbers, self.rising)
        down = None if self.falling is None else betting.logs(values, self.falling, squared=True)
        return Moments.of(values), up, down, False


def _upper(mean, count, squares, level):
    """Where all numbers agree there is none: an event too rare to be drawn would not show."""
    reach = betting.normal_reach(count, squares, level) if count >= betting.LEAST else np.full(np.shape(level), np.inf)
    return mean + np.where(squares > 0, reach, np.inf)


def _check(sizes, ceiling):
    wrong = sizes > ceiling * (1 + ROUNDING)
    if np.any(wrong):
        replicate, cell = map(int, np.unravel_index(np.argmax(np.where(wrong, sizes - ceiling, -np.inf)), sizes.shape))
        raise EnvelopeExceeded(
            f"replicate {replicate} of its block has the size {sizes[replicate, cell]:.17g} in cell {cell} and exceeds "
            f"its ceiling {np.broadcast_to(ceiling, sizes.shape)[replicate, cell]:.17g}"
        )


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
            self.bets = betting.Bets(_slopes(np.sqrt(np.where(square > 0, square, 1.0))))
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
        if block < NARROW or self.bets is None or not np.all(self.low > 0):
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
                self.low = np.maximum(along.mean - reach, 0.0)
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
            return _upper(norm, count, largest, self.levels)
        return np.minimum(betting.upper_limit_of_norm(count, norm, largest, self.reach, self.levels), self.high)

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
        if np.all(most <= self.ceiling):
            return
        sizes = np.sqrt(block.squared_norms())
        large = sizes > self.ceiling
        if self.spectral and np.any(large):
            sizes[large] = np.linalg.norm(np.asarray(block)[large], 2, axis=(-2, -1))
        _check(sizes, self.ceiling)


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


def _slopes(size):
    return betting.SQUARE_SLOPES / size[:, None]


@dataclass(frozen=True)
class Beside:
    """Two estimands of the same numbers: ``certified``, and ``near`` with limits that need no proof."""

    certified: Mean | Norm
    near: Mean | Norm

    def plan(self, block: int) -> "BesidePlan":
        """How block number ``block`` is to be looked at."""
        return BesidePlan(self.certified.plan(block), self.near.plan(block))

    def merge(self, part: tuple) -> None:
        """Take in what a plan made of the next block."""
        self.certified.merge(part[0])
        self.near.merge(part[1])

    def limits(self, last: bool = True) -> Limits:
        """Limits after the blocks so far."""
        return replace(self.certified.limits(last), near=self.near.limits(last))


@dataclass(frozen=True)
class BesidePlan:
    """Reduces a block of values in both ways."""

    certified: MeanPlan | NormPlan
    near: MeanPlan | NormPlan

    def __call__(self, values: np.ndarray) -> tuple:
        return self.certified(values), self.near(values)


def _root_of_mean(level, cells, ceiling, square, **known):
    return Mean(level, cells, ceiling, square, root=True, **known)


def _spectral_norm_of_mean(level, cells, ceiling, square):
    return Norm(level, cells, ceiling, square, spectral=True)


ESTIMANDS: dict[str, Callable[..., Mean | Norm]] = {
    "mean": Mean,
    "root of mean": _root_of_mean,
    "norm of mean": Norm,
    "spectral norm of mean": _spectral_norm_of_mean,
}
"""By name: a function of the level, the number of cells, the ceiling and the bound of the mean square (or None); of a
mean of numbers, or its root, also of the floor, and of whether there are parts."""
