"""Numbers of many digits in NumPy arrays: the same formulas, run again where rounding could decide.

An array of them has the dtype ``object``; arithmetic, ``@``, `numpy.einsum` and the functions below work on it as on
one of floats, and floats and integers that meet it count as exact. What goes through `numpy.linalg` does not.

>>> import numpy as np
>>> x = many_digits(np.array([1e-20]))
>>> float((np.exp(x) - 1)[0]) == 1e-20
True
"""

import mpmath
import numpy as np

DIGITS = 60
"""Decimal digits that are carried."""

_CONTEXT = mpmath.MPContext()
_CONTEXT.dps = DIGITS


def _method(name):
    function = getattr(_CONTEXT, name)
    return lambda self: function(self)


for _name in ("exp", "expm1", "log", "log1p", "sin", "cos", "sqrt"):
    setattr(_CONTEXT.mpf, _name, _method(_name))  # of this context's own class; NumPy looks for methods of these names


_each = np.frompyfunc(_CONTEXT.mpf, 1, 1)


def many_digits(value) -> np.ndarray:
    """An array of floats or integers as one of numbers with `DIGITS` digits, equal to them."""
    return np.asarray(_each(np.asarray(value, dtype=object)), dtype=object)


def is_precise(value) -> bool:
    """Whether a value is an array of numbers with many digits."""
    return getattr(value, "dtype", None) == object
