"""Arrays with many leading axes: small dense linear algebra, and narrowing the axes of tasks."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SMALL = 36
"""Many matrices of at most so many entries are kept in Fortran's order, the task axes running fastest in memory: a call
for each would cost more than its product, and sums along them then run over the tasks.
"""


def matvec(matrix: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Apply matrices ``(*batch, m, d)`` to points ``(..., *batch, d)``: one matrix product per task, not one per point.

    Returns an array ``(..., *batch, m)``; leading axes broadcast from the right.
    """
    batch, (rows, dim) = matrix.shape[:-2], matrix.shape[-2:]
    if math.prod(batch) == 1:
        shape = (1,) * (len(batch) + 1 - w.ndim) + w.shape[:-1]
        points = w.reshape(-1, dim)
        return (points @ _turned(matrix.reshape(rows, dim), len(points))).reshape(*shape, rows)
    if w.ndim - 1 <= len(batch):
        if batch and matrix.strides[0] == matrix.itemsize and rows * dim <= SMALL:
            return np.einsum("...ij,...j->...i", matrix, np.asfortranarray(w))
        return np.matvec(matrix, w)
    lead, own = w.shape[: w.ndim - 1 - len(batch)], w.shape[w.ndim - 1 - len(batch) : -1]
    whole = own if own == batch else np.broadcast_shapes(own, batch)
    # In the order of the points, so that what follows runs through memory in it.
    out = np.empty((*lead, *whole, rows), np.result_type(matrix, w))
    points_last = (*range(1, len(batch) + 1), 0, len(batch) + 1)
    np.matmul(
        w.reshape(-1, *own, dim).transpose(points_last),
        _turned(matrix, math.prod(lead)),
        out=out.reshape(-1, *whole, rows).transpose(points_last),
    )
    return out


def _turned(matrix, points):
    """The transposes; where many points meet them in the order of memory, which halves the time of their product."""
    turned = matrix.swapaxes(-1, -2)
    return np.ascontiguousarray(turned) if points > 2 * matrix.shape[-2] else turned


def into(ufunc: np.ufunc, fresh: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``ufunc(fresh, other)``, written over ``fresh`` unless the result is larger: a large new array costs more to
    allocate than to fill.
    """
    try:
        return ufunc(fresh, other, out=fresh)
    except ValueError:
        return ufunc(fresh, other)


def last_axis_first(x: np.ndarray) -> np.ndarray:
    """A copy of ``x`` in Fortran's order, the last axis slowest, if there are more points than it is long: what is
    added up along it is then as long as the points are many, and results of ufuncs keep the order.
    """
    return x.copy() if x.size < x.shape[-1] ** 2 else x.copy("F")


def running_sums(x: np.ndarray) -> np.ndarray:
    """``np.cumsum`` along the last axis, all points at a time where that axis comes first in memory: NumPy would take
    one point after the other.
    """
    if x.flags.c_contiguous:
        return np.cumsum(x, axis=-1)
    sums = x.copy("K")
    for k in range(1, x.shape[-1]):
        sums[..., k] += sums[..., k - 1]
    return sums


def transposed_matvec(matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Apply the transposes of ``(*batch, m, d)`` to ``(..., *batch, m)``."""
    return matvec(matrix.swapaxes(-1, -2), x)


def random_orthogonal(rng: np.random.Generator, size: tuple[int, ...], dim: int) -> np.ndarray:
    """Haar-distributed orthogonal matrices, shape ``(*size, dim, dim)``."""
    factor, triangle = np.linalg.qr(rng.standard_normal((*size, dim, dim)))
    return factor * np.sign(np.diagonal(triangle, axis1=-2, axis2=-1))[..., None, :]


def take(index, batch_shape: tuple[int, ...], *fields: tuple[np.ndarray, int]) -> list[np.ndarray]:
    """``field[index]`` for every (field, core) whose last ``core`` axes describe one task.

    A field without task axes is shared by all tasks and stays as it is. Small tasks that an array of integers gathers
    are laid out in Fortran's order, as `matvec` likes them.

    Raises
    ------
    IndexError
        If the index is outside the tasks.
    """
    if not batch_shape:
        raise IndexError("a single task (batch_shape ()) cannot be indexed")
    gathers = isinstance(index, np.ndarray) and index.dtype.kind in "iu" and len(batch_shape) == 1
    small = all(math.prod(field.shape[field.ndim - core :]) <= SMALL for field, core in fields)
    taken = []
    for field, core in fields:
        shape = (*batch_shape, *field.shape[field.ndim - core :])
        if field.ndim == core:
            taken.append(field)
            continue
        every = field if field.shape == shape else np.broadcast_to(field, shape)
        taken.append(every.T.take(index.T, axis=-1).T if gathers and small else every[index])
    if all(field.ndim == core for field, core in fields):
        raise IndexError("all fields are shared by all tasks: there is nothing to index")
    return taken


def select(tasks, index, **cores: int):
    """``tasks[index]`` for a frozen dataclass of arrays: some of its tasks, gathered by any index of NumPy.

    The checks of the constructor are not repeated: parts of checked arrays pass them, and an algorithm gathers the
    tasks of each of its iterations.

    Parameters
    ----------
    cores : int
        Fields that may carry task axes, with the number of last axes that describe one task.

    Raises
    ------
    IndexError
        As `take`.
    """
    taken = take(index, tasks.batch_shape, *((getattr(tasks, name), core) for name, core in cores.items()))
    return unchecked(tasks, **dict(zip(cores, taken, strict=True)))


def unchecked(instance, **changes):
    """`dataclasses.replace` without the checks of the constructor."""
    changed = object.__new__(type(instance))
    vars(changed).update({field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)})
    vars(changed).update(changes)
    return changed


def listed(field: np.ndarray, batch_shape: tuple[int, ...], core: int) -> np.ndarray:
    """A field whose last ``core`` axes describe one task, once for every task, all of them on one axis."""
    core_shape = field.shape[field.ndim - core :]
    return np.broadcast_to(field, (*batch_shape, *core_shape)).reshape(-1, *core_shape)


def by_columns(tasks, w: np.ndarray) -> np.ndarray:
    """The Hessians at w (..., d) from products with the unit vectors, (..., d, d)."""
    units = np.eye(w.shape[-1]).reshape(-1, *(1,) * (w.ndim - 1), w.shape[-1])
    return np.moveaxis(tasks.hvp(w, units), 0, -1)


def jets(tasks, w: np.ndarray) -> Iterator[tuple[Any, Any, Any]]:
    """Loss, gradient and Hessian of every task at w, which has one row a task."""
    at = w.reshape(*tasks.batch_shape, -1)
    values = tasks.loss(at), tasks.grad(at), tasks.hess(at)
    return zip(*(listed(value, tasks.batch_shape, core) for core, value in enumerate(values)), strict=True)


def singly(tasks) -> list:
    """Every task alone."""
    return [tasks[index] for index in np.ndindex(tasks.batch_shape)] if tasks.batch_shape else [tasks]


FLOATS_IN_CACHE = 2**15
"""Numbers of one array, so that a handful of them stay in the second-level cache."""


def by_blocks(function: Callable[..., np.ndarray], floats: int, *points: np.ndarray) -> np.ndarray:
    """``function(*points)``, of arrays with the same number of axes, by blocks of the first one: each fits the cache if
    an entry takes so many ``floats``.
    """
    longest, length = max(map(len, points)), max(1, FLOATS_IN_CACHE // floats)
    if longest <= length or len({x.ndim for x in points}) > 1:
        return function(*points)
    starts = range(0, longest, length)
    return np.concatenate([function(*(x if len(x) == 1 else x[k : k + length] for x in points)) for k in starts])


LARGEST = 2**27
"""Most numbers in one array: about 1 GB."""


def fits(floats: int, words: str) -> None:
    """Refuse at once what would not fit into memory.

    Raises
    ------
    ValueError
        If there are more than `LARGEST` numbers; says how much memory they would take.
    """
    if floats > LARGEST:
        raise ValueError(f"{words}: needs arrays of {8e-9 * floats:.2g} GB, at most {8e-9 * LARGEST:.2g} GB")
