"""Numbers of many digits in NumPy arrays: the same formulas, run again where rounding could decide.

An array of them has the dtype ``object``; arithmetic, ``@``, `numpy.einsum` and the functions below work on it as on
one of floats. What cannot keep the digits raises a `TypeError` in place of losing them: `float` of such a number, most
of `numpy.linalg`, and a float of more than `SHORT` bits that meets one, since such a float has been rounded before.
Halves, squares and counts are short.

>>> import numpy as np
>>> x = many_digits(np.array([1e-20]))
>>> as_floats(np.exp(x) - 1) == 1e-20
array([ True])
"""

from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import mpmath
import numpy as np
import scipy

DIGITS = 60
"""Decimal digits that are carried."""

SHORT = 32
"""Bits of the mantissa of a float that counts as exact."""

_CONTEXT = mpmath.MPContext()
_CONTEXT.dps = DIGITS
_NUMBER: Any = _CONTEXT.mpf  # this context's own class


def _method(name):
    function = getattr(_CONTEXT, name)
    return lambda self: function(self)


for _name in ("exp", "expm1", "log", "log1p", "sin", "cos", "sqrt"):
    setattr(_NUMBER, _name, _method(_name))  # NumPy looks for methods of these names


def _refuse(self):
    raise TypeError("a float would lose the digits of this number: see analytic.digits.as_floats")


def _guarded(name):
    operation = getattr(_NUMBER, name)

    def method(self, other):
        if isinstance(other, float) and mpmath.libmp.from_float(other)[3] > SHORT:
            raise TypeError(f"{other!r} has been rounded: make it a number of many digits before")
        return operation(self, other)

    return method


_NUMBER.__float__ = _refuse
for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow"):
    setattr(_NUMBER, f"__{_name}__", _guarded(f"__{_name}__"))

_each = np.frompyfunc(_NUMBER, 1, 1)
_erf = np.frompyfunc(_CONTEXT.erf, 1, 1)


def many_digits(value) -> np.ndarray:
    """An array of floats or integers as one of numbers with `DIGITS` digits, equal to them."""
    return np.asarray(_each(np.asarray(value, dtype=object)), dtype=object)


def is_precise(value) -> bool:
    """Whether a value is an array of numbers with many digits, or one of them."""
    return getattr(value, "dtype", None) == object or isinstance(value, _NUMBER)


def as_numbers(value) -> np.ndarray:
    """An array of floats, or of numbers with many digits if the value has them."""
    array = np.asarray(value)
    return array if is_precise(array) else array.astype(float)


def as_floats(value) -> np.ndarray:
    """The nearest floats; where there are numbers with many digits, other ones must be short."""
    return _nearest(value) if is_precise(value) else np.asarray(value, dtype=float)


@partial(np.vectorize, otypes=[float])
def _nearest(number):
    return mpmath.libmp.to_float((number if isinstance(number, _NUMBER) else _NUMBER(0) + number)._mpf_)


def in_many_digits(value: Any, keep: tuple[str, ...] = ()) -> Any:
    """A tree of dataclasses, tuples, arrays and numbers with many digits in place of floats; nothing is checked again.

    Parameters
    ----------
    keep : tuple of str
        Attributes that stay as they are, of those that have them; other derived ones are derived anew.

    Raises
    ------
    TypeError
        For anything else in it.

    Examples
    --------
    >>> from analytic.regularity import Regularity
    >>> from analytic.digits import in_many_digits
    >>> in_many_digits(Regularity(L=0.1, rho=0.5)).L * 3 > 0.3
    True
    """
    if isinstance(value, np.ndarray):
        return many_digits(value) if value.dtype.kind == "f" else value
    if isinstance(value, float):
        return _NUMBER(value)
    if isinstance(value, tuple):
        return tuple(in_many_digits(item, keep) for item in value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, type) or not is_dataclass(value):
        raise TypeError(f"{value!r}: not known to hold nothing but numbers")
    twin = object.__new__(type(value))
    vars(twin).update({field.name: in_many_digits(getattr(value, field.name), keep) for field in fields(value)})
    vars(twin).update({name: getattr(value, name) for name in keep if hasattr(value, name)})
    return twin


def erf(x) -> np.ndarray:
    """The error function."""
    return _erf(x) if is_precise(x) else scipy.special.erf(x)


def pi(like) -> Any:
    """The number pi, as fits to a value."""
    return +_CONTEXT.pi if is_precise(like) else np.pi


def spectral_norm(matrix) -> np.ndarray:
    """The largest singular value of matrices (..., m, n)."""
    if not is_precise(matrix):
        return np.linalg.norm(matrix, ord=2, axis=(-2, -1))
    found = [max(_CONTEXT.svd_r(_CONTEXT.matrix(one.tolist()), compute_uv=False)) for one in _flat(matrix)]
    return np.array(found, dtype=object).reshape(matrix.shape[:-2])


def _flat(matrix):
    return matrix.reshape(-1, *matrix.shape[-2:])
