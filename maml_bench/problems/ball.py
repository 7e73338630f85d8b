"""Where a certificate holds: everywhere, or on a ball around the origin."""

import numpy as np


def outside(tasks, w: np.ndarray) -> np.ndarray:
    """Which points lie outside the ball on which ``tasks.regularity`` is certified.

    Returns
    -------
    array of bool (...)
        One entry per leading index of ``w``. Rounding (1e-12, relative) is forgiven; a point with a NaN is outside.
    """
    radius = tasks.regularity.radius
    return ~(np.linalg.norm(w, axis=-1) <= radius * (1 + 1e-12))
