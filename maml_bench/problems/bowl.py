"""Losses that are one bowl for all tasks, up to a bounded gradient: what keeps runs from going far."""

from dataclasses import dataclass

import numpy as np

from analytic.brief import brief


@dataclass(frozen=True, eq=False)
class Bowl:
    """``||grad l_i(w) - (A w - linear_i)|| <= slope_i`` and ``||hess l_i(w) - A|| <= bend`` for every w.

    Parameters
    ----------
    A : array (d, d)
        Symmetric positive semidefinite, shared by all tasks.
    linear : array (tasks, d)
    slope : array (tasks,)
    bend : float
    """

    __repr__ = brief

    A: np.ndarray
    linear: np.ndarray
    slope: np.ndarray
    bend: float
