"""Moments of the inner path and of the stochastic meta gradient, for several tasks: what every exact method returns."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from analytic.brief import brief


@dataclass(frozen=True)
class PathMoments:
    """Exact moments at the end of the inner path and of the meta gradient G; None where unknown.

    Leading axes are tasks; in one variable the last axis, d, may be left out.

    Attributes
    ----------
    path_bias : array (..., d) or None
        ``E w_N - w~_N``.
    path_first, path_second : array (...) or None
        ``E ||w_N - w~_N||`` and ``E ||w_N - w~_N||^2``.
    gradient : array (..., d) or None
        The meta gradient along the exact path.
    bias : array (..., d) or None
        ``E G`` less the meta gradient.
    second_moment : array (...) or None
        ``E ||G||^2``.
    """

    __repr__ = brief

    path_bias: np.ndarray | None = None
    path_first: Any = None
    path_second: Any = None
    gradient: np.ndarray | None = None
    bias: np.ndarray | None = None
    second_moment: Any = None

    @property
    def complete(self) -> bool:
        """Whether every moment is known."""
        return all(getattr(self, field.name) is not None for field in fields(self))

    def filled(self, other: "PathMoments | None") -> "PathMoments":
        """These moments, with those of the other where they are unknown."""
        if other is None:
            return self
        missing = (field.name for field in fields(self) if getattr(self, field.name) is None)
        return replace(self, **{name: getattr(other, name) for name in missing})

    def listed(self, dim: int) -> "PathMoments":
        """With all tasks on one axis: vectors (tasks, dim), numbers (tasks,)."""
        vectors = {"path_bias", "gradient", "bias"}
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        shaped = {
            name: np.reshape(value, (-1, dim) if name in vectors else -1)
            for name, value in known.items()
            if value is not None
        }
        return replace(self, **shaped)


def stacked(moments: list[PathMoments]) -> PathMoments:
    """The moments of single tasks, all of which know the same, along a first axis."""
    names = (field.name for field in fields(PathMoments))
    columns = {name: [getattr(found, name) for found in moments] for name in names}
    return PathMoments(**{name: None if column[0] is None else np.array(column) for name, column in columns.items()})
