"""Input checks shared by the files of this room: an array of the wrong shape is an error that names it."""

import numpy as np


def shaped(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """``value`` as a finite float array of the given shape.

    Raises
    ------
    ValueError
        Naming the argument, its shape and the expected one.
    """
    array = np.asarray(value, dtype=float)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is not finite")
    return array


def vector(name: str, value) -> np.ndarray:
    """``value`` as a finite vector of any length >= 1."""
    array = np.asarray(value, dtype=float)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}: expected a vector")
    return shaped(name, array, array.shape)


def symmetric(name: str, value, dim: int) -> np.ndarray:
    """``value`` as a symmetric (dim, dim) array."""
    array = shaped(name, value, (dim, dim))
    if not np.allclose(array, array.T, rtol=1e-12, atol=1e-12 * np.abs(array).max()):
        raise ValueError(f"{name} is not symmetric")
    return array
