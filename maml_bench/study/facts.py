"""Exponents fitted to findings of a sweep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from maml_bench.study.findings import Finding
from maml_bench.study.tables import markdown_table


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


def measured_slope(
    findings: Sequence[Finding], parameter: str | Sequence[float], scale: Sequence[float] | None = None
) -> Slope:
    """Exponent of the measured value in a swept parameter, with limits that hold whenever those of all values do.

    ``parameter`` is a name, or the values of something swept along, such as ``(1 + alpha L)^N``. ``scale`` multiplies
    the values (to show them in units that are swept along).

    Raises
    ------
    ValueError
        If a lower limit is not positive: then nothing is known about the exponent.
    """
    return _slope(findings, parameter, scale, "value", "lower", "upper")


def bound_slope(
    findings: Sequence[Finding], parameter: str | Sequence[float], scale: Sequence[float] | None = None
) -> Slope:
    """Exponent of the findings' bounds in a swept parameter; see `measured_slope`."""
    return _slope(findings, parameter, scale, "bound", "bound", "bound")


def _slope(findings, parameter, scale, *fields):
    x = [f.parameters[parameter] for f in findings] if isinstance(parameter, str) else list(parameter)
    scale = [1.0] * len(x) if scale is None else scale
    return loglog_slope(
        x, *([getattr(f.verdict, field) * k for f, k in zip(findings, scale, strict=True)] for field in fields)
    )


NEAR = 0.1
"""A fitted exponent within this of the expected one agrees with it:
over a finite range a sum of powers has no exact exponent.
"""


def near(slope: Slope, expected: float) -> bool:
    """Whether the limits of a fitted exponent lie within `NEAR` of the expected one."""
    return expected - NEAR <= slope.lower <= slope.upper <= expected + NEAR


def exponent_table(rows: Iterable[tuple[str, str, Sequence[Finding], float]]) -> str:
    """A table from rows of what is measured, the parameter, findings of one form,
    and the exponent expected of the measured values.

    Where limits reach 0, or the sweep has fewer than two points, the exponent is unknown, and said to be.
    """
    lines = []
    for words, parameter, findings, expected in rows:
        try:
            slope, bound = measured_slope(findings, parameter), bound_slope(findings, parameter)
        except ValueError:
            lines.append([words, parameter, "unknown", "unknown", f"{expected:g}", "unknown"])
            continue
        outside = not slope.lower - NEAR <= expected <= slope.upper + NEAR
        verdict = "yes" if near(slope, expected) else "no" if outside else "undecided"
        lines.append([words, parameter, str(slope), str(bound), f"{expected:g}", verdict])
    header = ["what", "in", "measured", "bound", "expected", f"measured within {NEAR:g} of it"]
    return markdown_table(header, lines)


def minimum_on_grid(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Where a function with one minimum is least on a grid in order, with the two neighbours:
    its minimum lies between them.
    """
    at = min(range(len(x)), key=y.__getitem__)
    below, above = sorted((x[max(at - 1, 0)], x[min(at + 1, len(x) - 1)]))
    return x[at], below, above


def crossing_on_grid(x: Sequence[float], y: Sequence[float], limit: float) -> tuple[float, float]:
    """The last x of an increasing grid up to which y stays at most the limit (to rounding), and the next one.

    Raises
    ------
    ValueError
        If y is past the limit at the first x, or nowhere.
    """
    beyond = [value > limit * (1 + 1e-9) for value in y]
    if beyond[0] or not any(beyond):
        raise ValueError(f"the grid from {x[0]:g} to {x[-1]:g} does not reach across the limit {limit:g}")
    first = beyond.index(True)
    return x[first - 1], x[first]
