"""Branch and bound: a proved lower bound of a smooth function on a box, and the least value seen.

With value f(c), gradient g and ``Hess f >= -m I`` on the cell ``|u - c| <= h``, Taylor's formula gives
``f(u) >= f(c) - sum_k |g_k| h_k - (m/2) ||h||^2`` there. Cells whose bound exceeds a value that is attained are
dropped; the others are halved across their longest side. At any time the least of the remaining bounds is a lower
bound of f.
"""

from collections.abc import Callable

import numpy as np

BLOCK = 2**13


def lowest(
    function: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    centre: np.ndarray,
    half: np.ndarray,
    attained: float,
    tolerance: float,
    evaluations: int,
) -> float:
    """A lower bound of the function on the box ``|u - centre| <= half``, or ``attained`` if that is lower.

    Parameters
    ----------
    function : callable
        ``function(points, radii)``: at points (m, d) the values (m,), the gradients (m, d), and a number (m,) that
        the least eigenvalue of the Hessian is nowhere below the negative of, within the radius of the point.
    attained : float
        A value of the function somewhere.
    tolerance : float
        The search ends when the bound is this close to the least value seen.
    evaluations : int
        The search ends, with a lower bound that may be loose, before it evaluates more points.
    """
    centres, halves, bounds = centre[None], np.broadcast_to(half, (1, len(half))), np.full(1, -np.inf)
    spent = 0
    while True:
        parts = [slice(first, first + BLOCK) for first in range(0, len(centres), BLOCK)]
        found = [function(centres[part], np.linalg.norm(halves[part], axis=-1)) for part in parts]
        values, gradients, curvatures = (np.concatenate(columns) for columns in zip(*found, strict=True))
        spent += len(centres)
        attained = min(attained, float(values.min()))
        drop = np.vecdot(np.abs(gradients), halves) + curvatures / 2 * np.vecdot(halves, halves)
        bounds = np.maximum(bounds, values - drop)
        kept = bounds < attained
        least = min(float(bounds.min()), attained)
        if attained - least <= tolerance or spent + 2 * kept.sum() > evaluations:
            return least
        centres, halves, bounds = (np.repeat(array[kept], 2, axis=0) for array in (centres, halves, bounds))
        side = halves.argmax(-1)
        rows = np.arange(len(side))
        halves[rows, side] /= 2
        centres[rows, side] += np.where(rows % 2, 1, -1) * halves[rows, side]
