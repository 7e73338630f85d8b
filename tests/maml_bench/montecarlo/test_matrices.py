"""Matrices of rank one give the sums of a norm that their entries give."""

import numpy as np
import pytest

from maml_bench.montecarlo import betting
from maml_bench.montecarlo.matrices import Columns, Dyads, Whole, finite
from maml_bench.montecarlo.norm import Norm


def block(cells, dim, other, count=50):
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((count, cells, dim)), rng.standard_normal((count, cells, other))
    return Dyads(left, right, rng.standard_normal((cells, dim, other)))


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 2, 3), (2, 7, 70), (1, 1, 1)])
def test_all_kinds_of_blocks_agree(shape):
    found, direction = block(*shape), np.random.default_rng(1).standard_normal(shape)
    values = np.asarray(found)
    np.testing.assert_array_equal(values[7, 0, 0], found.left[7, 0, 0] * found.right[7, 0] + found.shift[0, 0])
    assert found.shape == values.shape and len(found) == 50
    for some in (found, Whole(values)):
        np.testing.assert_array_equal(np.asarray(some[10:20]), values[10:20])
        np.testing.assert_allclose(np.asarray(some - direction), values - direction, atol=1e-14)
    flat = values.reshape(50, shape[0], -1)
    for some in (found, Whole(values), Columns.of(found), Columns.of(Whole(values))):
        assert some.shape == values.shape
        np.testing.assert_allclose(some.squared_norms(), (flat**2).sum(-1), rtol=1e-12)
        np.testing.assert_allclose(some.mean(), values.mean(0), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(some.inner(direction), np.einsum("ncij,cij->nc", values, direction), atol=1e-12)
        np.testing.assert_allclose(some.entries(), flat.transpose(1, 2, 0), rtol=1e-12, atol=1e-14)


def test_norms_of_dyads_without_a_shift_are_products():
    found = block(2, 2, 3) - block(2, 2, 3).shift
    np.testing.assert_allclose(found.squared_norms(), (np.asarray(found) ** 2).sum((-2, -1)), rtol=1e-13)


@pytest.mark.parametrize("spectral", [True, False])
@pytest.mark.parametrize("dim", [2, 8, 33])
def test_limits_are_those_of_the_matrices_written_out(dim, spectral):
    def limits(written):
        norm = Norm(0.01, 2, ceiling=np.full(2, 10.0 * dim), spectral=spectral)
        rng = np.random.default_rng(2)
        for number in range(4):
            left, right = rng.uniform(-1, 1, (2, 200, 2, dim))
            found = Dyads(left, right, np.broadcast_to(np.eye(dim), (2, dim, dim)))
            norm.merge(norm.plan(number)(np.asarray(found) if written else found))
        return norm.limits()

    one, other = limits(False), limits(True)
    for name in ("value", "lower", "upper"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12)


def test_what_is_not_finite_is_found():
    found = block(1, 2, 2)
    assert finite(found) and finite(np.asarray(found))
    assert not finite(found - np.full((1, 2, 2), np.nan))
    for factor in (np.inf, np.nan):
        assert not finite(Dyads(found.left * factor, found.right, found.shift))
    assert finite(Dyads(found.left * 1e200, found.right * 1e-200, found.shift))
    with np.errstate(over="ignore"):
        assert not finite(Dyads(found.left * 1e200, found.right * 1e200, found.shift))


@pytest.mark.parametrize("size", [20, 200])
def test_largest_eigenvalues_are_bounded_from_above(size):
    rows = np.random.default_rng(3).standard_normal((3, 500, size))
    grams = rows.mT @ rows
    exact, found = np.linalg.eigvalsh(grams)[:, -1], betting.largest_eigenvalues(grams)
    assert np.all(found >= exact * (1 - 1e-12)) and np.all(found <= exact * (1 + betting.MARGIN))
    assert np.all(betting.largest_eigenvalues(0 * grams) == 0)


def test_an_eigenvector_that_powers_do_not_find_is_not_missed():
    """Of the largest eigenvalue, 5, nothing is in the rows' sums: powers come to the next one, 1."""
    gram = np.eye(200)
    gram[:2, :2] = [[3.0, -2.0], [-2.0, 3.0]]
    assert betting.largest_eigenvalues(gram[None])[0] == pytest.approx(5, rel=1e-12)
