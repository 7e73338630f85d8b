"""Numbers of many digits: what goes through NumPy keeps them, and what could not raises an error."""

from dataclasses import dataclass
from functools import cached_property

import mpmath
import numpy as np
import pytest

from analytic.digits import (
    DIGITS,
    as_floats,
    as_numbers,
    erf,
    in_many_digits,
    is_precise,
    many_digits,
    pi,
    spectral_norm,
)


def test_functions_and_products_keep_the_digits():
    x = many_digits([[1e-25, 3.0], [0.5, -2.0]])
    least = mpmath.mpf(10) ** (5 - DIGITS)
    with mpmath.workdps(2 * DIGITS):
        for found, expected in (
            (np.exp(x)[0, 0], mpmath.exp(mpmath.mpf(1e-25))),
            (np.sqrt(x)[0, 1], mpmath.sqrt(3)),
            (np.cos(x)[1, 1], mpmath.cos(2)),
            (np.sin(x)[1, 0], mpmath.sin(0.5)),
            (np.log(x)[0, 1], mpmath.log(3)),
            (erf(x)[1, 0], mpmath.erf(0.5)),
            (pi(x), mpmath.pi),
            ((x @ x)[0, 0], mpmath.mpf(1e-25) ** 2 + 1.5),
            (np.einsum("ij,j->i", x, x[0])[1], mpmath.mpf(1e-25) / 2 - 6),
            (spectral_norm(x[:, 1:])[()], mpmath.sqrt(13)),
        ):
            assert abs(found - expected) <= least * abs(expected)


def test_floats_remain_floats():
    x = np.array([[0.5, -2.0]])
    assert not is_precise(x) and as_floats(x).dtype == as_numbers([1, 2]).dtype == float
    assert (pi(x), erf(0.0), spectral_norm(x)) == (np.pi, 0.0, pytest.approx(np.sqrt(4.25)))


def test_integers_and_short_floats_count_as_exact():
    x = many_digits(np.array([0.1, 3]))
    assert is_precise(x) and is_precise(x[0]) and not is_precise(0.1)
    assert (x * np.array([2, 1]))[0] == 0.2 and x[0] * 0.5 == 0.05
    assert (x[0] / 3) * 3 - x[0] != x[0] and abs((x[0] / 3) * 3 - x[0]) < mpmath.mpf(10) ** -DIGITS


@pytest.mark.parametrize(
    "lossy",
    [
        lambda x: x * 0.1,
        lambda x: 0.1 - x,
        lambda x: np.sqrt(2) + x[0],
        lambda x: x[0] / np.float64(0.1),
        lambda x: 0.1**x,
        lambda x: np.array([0.1]) * x,
        lambda x: x.astype(float),
        lambda x: float(x[0]),
        lambda x: np.asarray([x[0], 0.1], dtype=float),
        lambda x: as_floats(np.array([x[0], 0.1], dtype=object)),
        lambda x: np.linalg.norm(x[:, None], 2),
    ],
)
def test_what_would_lose_digits_is_an_error(lossy):
    with pytest.raises(TypeError):
        lossy(many_digits([0.3]))


def test_numbers_are_compared_with_any_float():
    assert many_digits(0.1)[()] == 0.1 and many_digits(0.3)[()] > 0.1 and 0.3 < many_digits(0.30000001)[()]


@dataclass(frozen=True)
class Inner:
    rate: float
    size: int
    label: str = "a"

    @cached_property
    def kept(self):
        return 3 * self.rate

    @cached_property
    def derived(self):
        return 3 * self.rate


@dataclass(frozen=True)
class Outer:
    inner: Inner
    points: np.ndarray
    pair: tuple = (0.5, None)


def test_a_tree_of_numbers_is_made_precise_and_what_is_derived_is_derived_anew():
    inner = Inner(0.1, 2)
    assert inner.derived == 3 * 0.1
    found = in_many_digits(Outer(inner, np.array([0.2])), keep=("kept",))
    assert is_precise(found.points) and is_precise(found.inner.rate) and is_precise(found.pair[0])
    assert found.inner.size == 2 and found.inner.label == "a" and found.pair[1] is None
    assert found.inner.kept == 3 * 0.1 and is_precise(found.inner.derived)
    with pytest.raises(TypeError, match="nothing but numbers"):
        in_many_digits(Outer(inner, np.array([0.2]), (object(),)))
