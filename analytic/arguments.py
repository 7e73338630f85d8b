"""Argument checks: each error names the argument, what was given and what is allowed."""

import math
import operator
from collections.abc import Callable

import numpy as np

from analytic.digits import is_precise


def settle(instance: object, **checks: Callable[[str, object], object]) -> None:
    """Replace fields of a frozen dataclass by what their checks make of them: ``settle(self, nu=positive)``.

    To be called in ``__post_init__``. A check is any function here that takes a name and a value.
    """
    for name, check in checks.items():
        object.__setattr__(instance, name, check(name, getattr(instance, name)))


def natural(name: str, value) -> int:
    """``value`` as an integer >= 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ValueError(f"{name} = {value!r}: must be an integer >= 1")
    return number


def seed(value, name: str = "seed") -> int:
    """``value`` as an integer >= 0."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"{name} = {value!r}: must be an integer >= 0")
    return int(value)


def positive(name: str, value) -> float:
    """``value`` as a finite float > 0."""
    number = _number(name, value, "a finite number > 0")
    if not 0 < number < math.inf:
        raise ValueError(f"{name} = {value!r}: must be a finite number > 0")
    return number


def nonnegative(name: str, value) -> float:
    """``value`` as a finite float >= 0."""
    number = _number(name, value, "a finite number >= 0")
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} = {value!r}: must be a finite number >= 0")
    return number


def _number(name, value, allowed) -> float:
    try:
        return value if is_precise(value) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r}: must be {allowed}") from None


def finite(name: str, value) -> float:
    """``value`` as a finite float of either sign."""
    number = _number(name, value, "a finite number")
    if not math.isfinite(number):
        raise ValueError(f"{name} = {value!r}: must be a finite number")
    return number


def probability(name: str, value) -> float:
    """``value`` as a float strictly between 0 and 1."""
    number = _number(name, value, "a number strictly between 0 and 1")
    if not 0 < number < 1:
        raise ValueError(f"{name} = {value!r}: must be a number strictly between 0 and 1")
    return number


def array(name: str, value, ndim: int, exact: bool = False) -> np.ndarray:
    """``value`` as a read-only, finite float array of at least (or exactly) ``ndim`` axes, none of them empty."""
    try:
        out = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: must be a rectangular array of numbers") from None
    if out.ndim < ndim or (exact and out.ndim != ndim):
        raise ValueError(f"{name} has shape {out.shape}: must have {'' if exact else 'at least '}{ndim} axes")
    if out.size == 0:
        raise ValueError(f"{name} has shape {out.shape}: must not be empty")
    if not np.isfinite(out).all():
        raise ValueError(f"{name} contains {out[~np.isfinite(out)].flat[0]}: all entries must be finite")
    out.flags.writeable = False
    return out


def vectors(name: str, value) -> np.ndarray:
    """``value`` as a read-only, finite array (..., n)."""
    return array(name, value, 1)


def matrices(name: str, value) -> np.ndarray:
    """``value`` as a read-only, finite array (..., m, n)."""
    return array(name, value, 2)


def symmetric(name: str, value, dim: int | None = None) -> np.ndarray:
    """``value`` as a (..., d, d) array of symmetric matrices (up to rounding, which is averaged away).

    With ``dim`` it must be one matrix of that size.
    """
    out = array(name, value, 2) if dim is None else shaped(name, value, (dim, dim))
    if out.shape[-1] != out.shape[-2]:
        raise ValueError(f"{name} has shape {out.shape}: the last two axes must be equal")
    transposed = out.swapaxes(-1, -2)
    gap = np.abs(out - transposed).max()
    if gap > 1e-12 * np.abs(out).max():
        raise ValueError(f"{name} is not symmetric: an entry differs from its mirror by {gap:g}")
    return (out + transposed) / 2


def shaped(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """``value`` as a finite float array of the given shape."""
    out = np.asarray(value, dtype=float)
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}: expected {shape}")
    if not np.isfinite(out).all():
        raise ValueError(f"{name} holds a value that is not finite")
    return out


def vector(name: str, value) -> np.ndarray:
    """``value`` as a read-only, finite vector of any length >= 1."""
    return array(name, value, 1, exact=True)


def labels(name: str, value) -> np.ndarray:
    """``value`` as a read-only array (..., n) of labels, each -1 or 1."""
    out = array(name, value, 1)
    wrong = np.abs(out) != 1
    if wrong.any():
        raise ValueError(f"{name} contains {out[wrong].flat[0]:g}: labels must be -1 or 1")
    return out


def last_axis(name: str, value: np.ndarray, size: int, like: str) -> None:
    """Require ``value.shape[-1] == size``, the size of ``like``."""
    if value.shape[-1] != size:
        raise ValueError(f"{name} has shape {value.shape}: the last axis must be {size}, as in {like}")


def common_shape(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that leading (task) axes broadcast to."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"leading (task) axes do not broadcast: {given}") from None
