"""A block of vectors or matrices, and what the sums of a norm ask of it: kept in the way in which that costs least.

All three kinds have ``shape``, (replicates, cells, ...), and

* ``squared_norms()``, sums of squared entries, (replicates, cells);
* ``mean()`` over replicates, (cells, ...);
* ``inner(direction)``, inner products with a direction (cells, ...), (replicates, cells);
* ``entries()``, all entries with the replicates last, (cells, entries, replicates).
"""

from dataclasses import dataclass, replace

import numpy as np

from maml_bench.montecarlo.rows import products, squares


@dataclass(frozen=True, eq=False)
class Dyads:
    """The matrices ``shift + left right'``, of rank one but for the shift: no entry of them is written out.

    Parameters
    ----------
    left : array (replicates, cells, d)
    right : array (replicates, cells, e)
    shift : array (cells, d, e)

    Examples
    --------
    >>> found = Dyads(np.ones((5, 1, 2)), np.ones((5, 1, 2)), np.eye(2)[None])
    >>> found.shape
    (5, 1, 2, 2)
    >>> np.asarray(found)[0, 0]
    array([[2., 1.],
           [1., 2.]])
    """

    left: np.ndarray
    right: np.ndarray
    shift: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.left.shape, self.right.shape[-1])

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, replicates) -> "Dyads":
        return Dyads(self.left[replicates], self.right[replicates], self.shift)

    def __sub__(self, matrices: np.ndarray) -> "Dyads":
        return replace(self, shift=self.shift - matrices)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        found = self.left[..., :, None] * self.right[..., None, :]
        found += self.shift
        return np.asarray(found, dtype)

    def squared_norms(self) -> np.ndarray:
        fixed = squares(self.shift.reshape(len(self.shift), -1))
        sizes = squares(self.left) * squares(self.right)
        return np.maximum(sizes + 2 * self._bilinear(self.shift) + fixed, 0.0) if fixed.any() else sizes

    def mean(self) -> np.ndarray:
        return _cells_first(self.left).mT @ _cells_first(self.right) / len(self) + self.shift

    def inner(self, direction: np.ndarray) -> np.ndarray:
        return self._bilinear(direction) + (self.shift * direction).sum((-2, -1))

    def entries(self) -> np.ndarray:
        found = np.empty((*self.shape[1:], len(self)))
        for row, left, fixed in zip(found.swapaxes(0, 1), self.left.T, self.shift.swapaxes(0, 1), strict=True):
            for entry, right, known in zip(row.swapaxes(0, 1), self.right.T, fixed.T, strict=True):
                np.multiply(left, right, out=entry)
                entry += known[:, None]
        return found.reshape(self.shape[1], -1, len(self))

    def _bilinear(self, matrices):
        """``left' M right``, (replicates, cells)."""
        return products(self.left, _cells_first(_cells_first(self.right) @ matrices.mT))


@dataclass(frozen=True, eq=False)
class Whole:
    """An array (replicates, cells, ...)."""

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def _flat(self):
        return self.values.reshape(*self.shape[:2], -1)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, replicates) -> "Whole":
        return Whole(self.values[replicates])

    def __sub__(self, matrices: np.ndarray) -> "Whole":
        return Whole(self.values - matrices)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self.values, dtype)

    def squared_norms(self) -> np.ndarray:
        return squares(self._flat)

    def mean(self) -> np.ndarray:
        return (np.ones(len(self)) @ self.values.reshape(len(self), -1) / len(self)).reshape(self.shape[1:])

    def inner(self, direction: np.ndarray) -> np.ndarray:
        if len(direction) == 1:
            return self.values.reshape(len(self), -1) @ direction.reshape(-1, 1)
        return np.vecdot(self._flat, direction.reshape(len(direction), -1))

    def entries(self) -> np.ndarray:
        return _cells_first(self._flat).mT


@dataclass(frozen=True, eq=False)
class Columns:
    """Of few entries: ``found`` holds one after the other, (cells, entries, replicates); ``core`` is their shape."""

    found: np.ndarray
    core: tuple[int, ...]

    @classmethod
    def of(cls, block: Dyads | Whole) -> "Columns":
        return cls(np.ascontiguousarray(block.entries()), block.shape[2:])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.found.shape[-1], len(self.found), *self.core

    def squared_norms(self) -> np.ndarray:
        return (self.found * self.found).sum(1).T

    def mean(self) -> np.ndarray:
        count = self.found.shape[-1]
        return (self.found @ np.ones(count) / count).reshape(-1, *self.core)

    def inner(self, direction: np.ndarray) -> np.ndarray:
        return (direction.reshape(len(direction), 1, -1) @ self.found)[:, 0].T

    def entries(self) -> np.ndarray:
        return self.found


def finite(block: np.ndarray | Dyads) -> bool:
    """Whether all entries are finite."""
    if not isinstance(block, Dyads):
        return bool(np.all(np.isfinite(block)))
    with np.errstate(all="ignore"):  # no product of two entries is larger than the root of this
        total = np.vdot(block.left, block.left) * np.vdot(block.right, block.right)
        return bool(np.all(np.isfinite(total + block.shift)) or np.all(np.isfinite(np.asarray(block))))


def _cells_first(rows):
    return rows.swapaxes(0, 1)
