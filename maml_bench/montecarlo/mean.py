"""The mean of numbers, or its root, from replicates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.limits import ASYMPTOTIC, CERTIFIED, Limits
from maml_bench.montecarlo.moments import Moments
from maml_bench.montecarlo.tilted import within

FITTED = 2.0**14
"""Reach of stakes that are fitted to a mean: numbers without a ceiling may be much larger, and rare."""


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
        bet on in place of what each lacks, and no number need be below the ceiling. Either mean tells the value: that
        which spreads less.
    """

    def __init__(self, level, cells, ceiling=None, square=None, root=False, floor=None, parts=False):
        self.levels, self.root = np.array([[level / cells], [level]]), root
        self.floor, self.parts = floor, parts
        self.ceiling = ceiling if floor is None else ceiling - floor
        ceiling = self.ceiling
        self.moments: Any = None  # Moments, from the first block on; of parts of both, one beside the other
        self.signed = False
        self.rising: Any = None  # Bets that the mean is larger; with a ceiling also that of what numbers lack to it
        self.falling: Any = None  # Bets on a smaller mean, with a bound of the mean square
        self.low = np.zeros((2, cells if ceiling is None else 2 * cells))
        self.square = square
        if ceiling is not None:
            self.rising = betting.Bets(betting.stakes(np.tile(np.where(ceiling > 0, ceiling, 1.0), 2)))
        elif square is not None:
            size = np.sqrt(np.where(square > 0, square, 1.0))
            self.rising, self.falling = betting.Bets(betting.stakes(size)), betting.Bets(betting.square_slopes(size))
            self.high = np.tile(np.sqrt(square), (2, 1))

    def plan(self, block: int) -> "MeanPlan":
        """How block number ``block`` is to be looked at."""
        if block >= betting.NARROW and block & (block - 1) == 0:
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
        ceiling, mean = self.ceiling, moments.mean
        if self.parts:
            (mean, rest), (spread, other) = mean.reshape(2, -1), moments.squares.reshape(2, -1)
            mean = np.where(other < spread, np.maximum(ceiling - rest, 0.0), mean)
        low = self.low[:, : mean.size]
        if self.square is not None:
            ceiling = np.sqrt(self.square)
            upper = self.high = betting.limits_of_squares(self.falling, self.square, self.levels, self.high, 1)
        elif ceiling is None:
            kind = ASYMPTOTIC
            upper = betting.normal_upper(moments.mean, moments.count, moments.squares, self.levels)
        else:
            upper = ceiling - self.low[:, low.shape[1] :]
        found = Limits(mean, low[0], upper[0], low[1], upper[1], CERTIFIED, kind, ceiling)
        if self.floor is not None:
            found = found.map(lambda above: self.floor + above)
        return found.map(np.sqrt) if self.root else found

    def _signed(self):
        """A negative number has been seen: bets on numbers >= 0 are off."""
        mean, count, squares = self.moments.mean, self.moments.count, self.moments.squares
        upper, lower = (sign * betting.normal_upper(sign * mean, count, squares, self.levels) for sign in (1, -1))
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
        if self.floor is not None and self.ceiling is not None:
            values = values - self.floor
            within(self.ceiling - values, self.ceiling)
            values = np.maximum(values, 0.0)
        least = np.min(values if lacking is None else np.minimum(values, lacking))
        if least < 0:
            if self.root or self.falling is not None or self.ceiling is not None:
                raise ValueError(f"a replicate is {least:.6g}: what is estimated is a mean of numbers >= 0")
            return Moments.of(values), None, None, True
        numbers = values
        if self.ceiling is not None:
            if lacking is None:
                within(values, self.ceiling)
                values = np.minimum(values, self.ceiling)
                lacking = self.ceiling - values
            numbers = np.concatenate([values.T, lacking.T]).T
        up = None if self.rising is None else betting.logs(numbers, self.rising)
        down = None if self.falling is None else betting.logs(values, self.falling, squared=True)
        return Moments.of(numbers if self.parts else values), up, down, False
