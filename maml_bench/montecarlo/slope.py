"""Exponents: the slope of a straight line in log-log coordinates, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Slope:
    """A fitted exponent with its two-sided limits."""

    value: float
    lower: float
    upper: float

    def __str__(self):
        if self.upper - self.lower < 5e-4:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.lower:.3f}, {self.upper:.3f}]"


def loglog_slope(x: Sequence[float], value: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> Slope:
    """Least-squares slope of log(value) against log(x).

    Parameters
    ----------
    x, value : sequences of float > 0, of one length >= 2
    lower, upper : sequences of float
        Limits of each value; equal to ``value`` where it is exact.

    Returns
    -------
    Slope
        With limits that hold whenever all the values' limits do: the extreme slopes over the box of the limits.
        They speak of the fit to the true values, not of an asymptotic exponent.

    Raises
    ------
    ValueError
        If there are fewer than two distinct x, or a number is not positive.
    """
    x, value, lower, upper = (np.asarray(a, dtype=float) for a in (x, value, lower, upper))
    if len(np.unique(x)) < 2:
        raise ValueError(f"x = {x}: a slope needs two distinct points")
    if not (np.all(x > 0) and np.all(value > 0) and np.all(lower > 0) and np.all(upper > 0)):
        raise ValueError("x, value, lower and upper must be > 0 for a slope in log-log coordinates")
    centered = np.log(x) - np.log(x).mean()
    weight = centered / np.vdot(centered, centered)
    return Slope(
        float(weight @ np.log(value)),
        float(weight @ np.log(np.where(weight > 0, lower, upper))),
        float(weight @ np.log(np.where(weight > 0, upper, lower))),
    )
