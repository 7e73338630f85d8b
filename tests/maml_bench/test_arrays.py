"""Products of many small matrices, in every layout, and gathering without the constructor's checks."""

from dataclasses import dataclass

import numpy as np
import pytest

from maml_bench.arrays import (
    FLOATS_IN_CACHE,
    SMALL,
    by_blocks,
    last_axis_first,
    matvec,
    running_sums,
    select,
    transposed_matvec,
)


@dataclass(frozen=True)
class Lines:
    slope: np.ndarray
    level: np.ndarray
    unit: float

    @property
    def batch_shape(self):
        return np.broadcast_shapes(self.slope.shape[:-2], self.level.shape[:-1])

    def __post_init__(self):
        if self.unit < 0:
            raise ValueError("checked")


@pytest.mark.parametrize("dim", [1, 3, 6, 7])
def test_products_with_gathered_matrices(dim):
    rng = np.random.default_rng(dim)
    index = rng.integers(5, size=(11, 4))
    lines = Lines(rng.standard_normal((5, dim, dim)), rng.standard_normal((5, dim)), 1.0)
    gathered = select(lines, index, slope=2, level=1)
    assert np.array_equal(gathered.slope, lines.slope[index])
    assert (gathered.slope.strides[0] == 8) == (dim * dim <= SMALL)  # the task axes run fastest
    for lead in ((), (4,), (11, 4), (11, 1)):
        w = rng.standard_normal((*lead, dim))
        expected = np.einsum("rbij,rbj->rbi", lines.slope[index], np.broadcast_to(w, (11, 4, dim)))
        np.testing.assert_allclose(matvec(gathered.slope, w), expected, rtol=1e-12, atol=1e-12)
        expected = np.einsum("rbji,rbj->rbi", lines.slope[index], np.broadcast_to(w, (11, 4, dim)))
        np.testing.assert_allclose(transposed_matvec(gathered.slope, w), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lead", [(), (1,), (50,), (5, 10)])
def test_the_last_axis_first_in_memory(lead):
    x = np.random.default_rng(0).standard_normal((*lead, 4))
    turned = last_axis_first(x)
    assert np.array_equal(turned, x)
    assert not np.may_share_memory(turned, x)
    assert (turned.strides[-1] == 8 * 50) == (50 * 4 == x.size)  # where there are more points than entries
    np.testing.assert_allclose(running_sums(turned), np.cumsum(x, axis=-1), rtol=1e-14, atol=1e-14)
    assert np.array_equal(turned, x)  # not written over


def test_blocks_of_the_first_axis_fit_the_cache_and_change_nothing():
    x, y, seen = np.arange(14.0).reshape(7, 2), np.array([[1.0, 2.0]]), []

    def function(a, b):
        seen.append(len(a))
        return a * b

    for floats, lengths in ((FLOATS_IN_CACHE // 3, [3, 3, 1]), (10 * FLOATS_IN_CACHE, [1] * 7), (1, [7])):
        seen.clear()
        assert np.array_equal(by_blocks(function, floats, x, y), x * y)
        assert seen == lengths
    assert np.array_equal(
        by_blocks(function, FLOATS_IN_CACHE, x[:2, None], np.ones((7, 2))), x[:2, None] * np.ones((7, 2))
    )


def test_select_narrows_by_any_index_and_leaves_other_fields():
    lines = Lines(np.arange(6.0).reshape(6, 1, 1), np.ones(1), 2.0)
    for index in (2, slice(1, 4), [0, 0, 5], np.array([[1], [2]]), np.arange(6) > 3):
        chosen = select(lines, index, slope=2, level=1)
        assert type(chosen) is Lines
        assert np.array_equal(chosen.slope, lines.slope[index])
        assert chosen.level is lines.level  # shared by all tasks
        assert chosen.unit == 2.0


def test_an_index_outside_the_tasks_is_refused():
    lines = Lines(np.zeros((3, 1, 1)), np.zeros((3, 1)), 0.0)
    for index in (3, np.array([0, 3])):
        with pytest.raises(IndexError):
            select(lines, index, slope=2, level=1)
