"""Rows of a few numbers each, very many of them: what NumPy would go through row by row is done column by column."""

import numpy as np

FEW = 8
"""So few numbers on the last axis are gone through one by one: a loop over them for each row costs more."""

MANY = 64
"""From so many numbers on, an inner product for each row costs less than an array of products."""


def products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``x.y`` along the last axis, of arrays with one shape."""
    if x.shape[-1] >= MANY:
        return np.vecdot(x, y)
    return ((x * y).reshape(-1, x.shape[-1]) @ np.ones(x.shape[-1])).reshape(x.shape[:-1])


def squares(x: np.ndarray) -> np.ndarray:
    """``||x||^2`` along the last axis."""
    return products(x, x)


def along(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """``x.v`` along the last axis; v broadcasts."""
    if v.size == x.shape[-1]:
        return (x.reshape(-1, x.shape[-1]) @ v.reshape(-1)).reshape(x.shape[:-1])
    return np.vecdot(x, v)


def stretch(x: np.ndarray, factor: np.ndarray) -> None:
    """Multiply x (..., d) by ``factor`` (...), in place."""
    if x.shape[-1] > FEW:
        x *= factor[..., None]
        return
    for column in np.moveaxis(x, -1, 0):
        column *= factor


def shift(x: np.ndarray, factor: np.ndarray, v: np.ndarray) -> None:
    """Add ``factor v`` to x (..., d), in place; v broadcasts."""
    if x.shape[-1] > FEW:
        x += factor[..., None] * v
        return
    for column, part in zip(np.moveaxis(x, -1, 0), np.moveaxis(np.broadcast_to(v, x.shape), -1, 0), strict=True):
        column += factor * part


def put(x: np.ndarray, place: np.ndarray, rows: np.ndarray) -> None:
    """``x[place] = rows`` for numbers x (n,) or rows x (n, d) of one array, in place."""
    if x.ndim == 1 or x.shape[-1] > FEW:
        x[place] = rows
        return
    for column, part in zip(x.T, rows.T, strict=True):
        column[place] = part
