"""Numbers of many digits: what goes through NumPy keeps them."""

import mpmath
import numpy as np

from analytic.digits import DIGITS, is_precise, many_digits


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
            ((x @ x)[0, 0], mpmath.mpf(1e-25) ** 2 + 1.5),
            (np.einsum("ij,j->i", x, x[0])[1], mpmath.mpf(1e-25) / 2 - 6),
        ):
            assert abs(found - expected) <= least * abs(expected)


def test_floats_and_integers_count_as_exact():
    x = many_digits(np.array([0.1, 3]))
    assert is_precise(x) and not is_precise(x.astype(float)) and not is_precise(0.1)
    assert x[0] - 0.1 == 0 and (x * np.array([2, 1]))[0] == 0.2
    assert (x[0] / 3) * 3 - x[0] != x[0] and abs((x[0] / 3) * 3 - x[0]) < mpmath.mpf(10) ** -DIGITS
