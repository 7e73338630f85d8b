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
        Symmetric positive semidefinite, shared by all tasks; 0 if gradients are bounded.
    linear : array (tasks, d)
    slope : array (tasks,)
    bend : float
    """

    __repr__ = brief

    A: np.ndarray
    linear: np.ndarray
    slope: np.ndarray
    bend: float


LARGEST = 1024
"""Dimensions up to which a family states a bowl that is round: whoever asks takes the eigenvalues of a full matrix."""


def round_bowl(curvature: float, linear: np.ndarray, slope: np.ndarray, bend: float) -> Bowl | None:
    """A bowl with ``A = curvature I``; None in more than `LARGEST` dimensions."""
    dim = linear.shape[-1]
    return None if dim > LARGEST else Bowl(curvature * np.eye(dim), linear, slope, bend)
