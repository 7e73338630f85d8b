"""Argument checks: each error names the argument, what was given and what is allowed."""

import math
import operator
from collections.abc import Callable, Collection

import numpy as np

from analytic.digits import is_precise


def settle(instance: object, **checks: Callable[[str, object], object]) -> None:
    """Replace fields of a frozen dataclass by what their checks make of them: ``settle(self, nu=positive)``.

    To be called in ``__post_init__``. A check is any function here that takes a name and a value.
    """
    for name, check in checks.items():
        object.__setattr__(instance, name, check(name, getattr(instance, name)))


SHOWN = 60
"""Most letters of a value in a message."""

LARGEST = 2**63
"""Integers are below."""


def shown(value: object) -> str:
    """``value`` in a line, for a message."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001  # anybody's repr may fail, and that of an integer of thousands of digits does
        text = f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def one_of(name: str, value, allowed: Collection):
    """``value``, which is one of the words or integers allowed."""
    if not isinstance(value, str | int | np.integer) or value not in allowed:
        raise ValueError(f"{name} = {shown(value)}: must be one of {', '.join(map(str, allowed))}")
    return value


def known(kind: str, value, names: Collection[str], of: str = "") -> str:
    """``value``, which is one of the names known of its kind."""
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"unknown {kind} {shown(value)}{of}; known: {', '.join(names)}")
    return value


def generator(name: str, value) -> np.random.Generator:
    """``value``, or a generator with that seed."""
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {shown(value)}: must be a random generator or an integer >= 0") from None


def natural(name: str, value) -> int:
    """``value`` as an integer >= 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ValueError(f"{name} = {shown(value)}: must be an integer >= 1")
    if number >= LARGEST:
        raise ValueError(f"{name} = {shown(value)}: must be an integer below 2^63")
    return number


def seed(value, name: str = "seed") -> int:
    """``value`` as an integer >= 0."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"{name} = {shown(value)}: must be an integer >= 0")
    return int(value)


def positive(name: str, value) -> float:
    """``value`` as a finite float > 0."""
    return _number(name, value, lambda number: 0 < number < math.inf, "a finite number > 0")


def nonnegative(name: str, value) -> float:
    """``value`` as a finite float >= 0."""
    return _number(name, value, lambda number: 0 <= number < math.inf, "a finite number >= 0")


def finite(name: str, value) -> float:
    """``value`` as a finite float of either sign."""
    return _number(name, value, math.isfinite, "a finite number")


def probability(name: str, value) -> float:
    """``value`` as a float strictly between 0 and 1."""
    return _number(name, value, lambda number: 0 < number < 1, "a number strictly between 0 and 1")


def duration(name: str, value) -> float:
    """``value`` as a float > 0, which may be infinite."""
    return _number(name, value, lambda number: number > 0, "a number > 0")


def limit(name: str, value) -> float:
    """``value`` as a float >= 0, which may be infinite."""
    return _number(name, value, lambda number: number >= 0, "a number >= 0")


def _number(name, value, allowed, words) -> float:
    try:
        number = value if is_precise(value) and np.ndim(value) == 0 else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not allowed(number):
        raise ValueError(f"{name} = {shown(value)}: must be {words}")
    return number


def real(value) -> np.ndarray:
    """A new array of floats.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If it is not rectangular, not of numbers, or one of them is too large for a float; complex ones are none.
    """
    if np.asarray(value).dtype.kind == "c":
        raise TypeError("complex numbers")
    return np.array(value, dtype=float)


def array(name: str, value, ndim: int, exact: bool = False) -> np.ndarray:
    """``value`` as a read-only, finite float array of at least (or exactly) ``ndim`` axes, none of them empty."""
    try:
        out = real(value)
    except (TypeError, ValueError, OverflowError):
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
    gap = np.abs(out / 2 - transposed / 2).max()  # halves first: a sum of large ones overflows
    if gap > 5e-13 * np.abs(out).max():
        raise ValueError(f"{name} is not symmetric: an entry differs from its mirror by {2 * float(gap):g}")
    return out / 2 + transposed / 2


def shaped(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """``value`` as a finite float array of the given shape."""
    out = array(name, value, 0)
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}: expected {shape}")
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


def common_shape(what: str = "leading (task) axes", /, **shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all of these, which are told as ``what``, broadcast to."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        given = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise ValueError(f"{what} do not broadcast: {given}") from None
