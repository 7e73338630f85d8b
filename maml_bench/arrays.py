"""Arrays with many leading axes: small dense linear algebra, and narrowing the axes of tasks."""

import math

import numpy as np


def matvec(matrix: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Apply matrices ``(*batch, m, d)`` to points ``(..., *batch, d)``: one matrix product per task, not one per point.

    Returns an array ``(..., *batch, m)``; leading axes broadcast from the right.
    """
    batch, (rows, dim) = matrix.shape[:-2], matrix.shape[-2:]
    if math.prod(batch) == 1:
        shape = np.broadcast_shapes(w.shape[:-1], batch)
        return (w @ matrix.reshape(rows, dim).T).reshape(*shape, rows)
    if w.ndim - 1 <= len(batch):
        return np.matvec(matrix, w)
    shape = np.broadcast_shapes(w.shape[:-1], batch)
    points = np.moveaxis(np.broadcast_to(w, (*shape, dim)).reshape(-1, *batch, dim), 0, -2)
    return np.moveaxis(points @ matrix.swapaxes(-1, -2), -2, 0).reshape(*shape, rows)


def transposed_matvec(matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Apply the transposes of ``(*batch, m, d)`` to ``(..., *batch, m)``."""
    return matvec(matrix.swapaxes(-1, -2), x)


def random_orthogonal(rng: np.random.Generator, size: tuple[int, ...], dim: int) -> np.ndarray:
    """Haar-distributed orthogonal matrices, shape ``(*size, dim, dim)``."""
    factor, triangle = np.linalg.qr(rng.standard_normal((*size, dim, dim)))
    return factor * np.sign(np.diagonal(triangle, axis1=-2, axis2=-1))[..., None, :]


def take(index, batch_shape: tuple[int, ...], *fields: tuple[np.ndarray, int]) -> list[np.ndarray]:
    """``field[index]`` for every (field, core) whose last ``core`` axes describe one task.

    A field without task axes is shared by all tasks and stays as it is.

    Raises
    ------
    IndexError
        If the index is outside the tasks.
    """
    if not batch_shape:
        raise IndexError("a single task (batch_shape ()) cannot be indexed")
    taken = []
    for field, core in fields:
        core_shape = field.shape[field.ndim - core :]
        shared = field.ndim == core
        taken.append(field if shared else np.broadcast_to(field, (*batch_shape, *core_shape))[index])
    if all(field.ndim == core for field, core in fields):
        raise IndexError("all fields are shared by all tasks: there is nothing to index")
    return taken
