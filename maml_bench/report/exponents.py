"""Exponents fitted to findings of a sweep."""

from collections.abc import Sequence

from maml_bench.finding import Finding
from maml_bench.montecarlo.slope import Slope, loglog_slope


def measured_slope(findings: Sequence[Finding], parameter: str, scale: Sequence[float] | None = None) -> Slope:
    """Exponent of the measured value in a swept parameter, with limits that hold whenever those of all values do.

    ``scale`` multiplies the values (to show them in units that are swept along).

    Raises
    ------
    ValueError
        If a lower limit is not positive: then nothing is known about the exponent.
    """
    return _slope(findings, parameter, scale, "value", "lower", "upper")


def bound_slope(findings: Sequence[Finding], parameter: str, scale: Sequence[float] | None = None) -> Slope:
    """Exponent of the findings' bounds in a swept parameter."""
    return _slope(findings, parameter, scale, "bound", "bound", "bound")


def _slope(findings, parameter, scale, *fields):
    x = [f.parameters[parameter] for f in findings]
    scale = [1.0] * len(x) if scale is None else scale
    return loglog_slope(
        x, *([getattr(f.verdict, field) * k for f, k in zip(findings, scale, strict=True)] for field in fields)
    )
