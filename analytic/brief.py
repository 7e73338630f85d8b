"""A short repr for what holds arrays: their shapes in place of their entries."""

from dataclasses import fields

import numpy as np

LARGEST = 4
"""An array of so many entries is still printed."""


def brief(self) -> str:
    """The repr of a dataclass, in a line: ``__repr__ = brief`` in the body of its class.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Points:
    ...     where: np.ndarray
    ...     weight: float
    ...     __repr__ = brief
    >>> Points(np.zeros((3, 4)), 0.5), Points(np.ones(2), 1.0)
    (Points(where=array(3, 4), weight=0.5), Points(where=[1. 1.], weight=1.0))
    """
    inside = ", ".join(f"{field.name}={_shown(getattr(self, field.name))}" for field in fields(self) if field.repr)
    return f"{type(self).__name__}({inside})"


def _shown(value) -> str:
    if isinstance(value, np.ndarray):
        few = value.size <= LARGEST
        return " ".join(np.array2string(value, separator=" ").split()) if few else f"array{value.shape}"
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)
