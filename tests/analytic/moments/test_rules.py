"""Quadrature rules, with floats and with many digits, against the moments of N(0, 1)."""

import math

import numpy as np
import pytest

from analytic.digits import as_floats, in_many_digits
from analytic.moments.rules import hermite, log_factorials, piecewise

MOMENTS = [math.prod(range(1, 2 * k, 2)) for k in range(5)]


FINE = {"nodes": 64, "reach": 20}


def errors(points, mass):
    """Relative ones, of the moments of even order."""
    return as_floats(np.array([np.sum(mass * points ** (2 * k)) / exact - 1 for k, exact in enumerate(MOMENTS)]))


@pytest.mark.parametrize(("precise", "error"), [(False, 1e-13), (True, 1e-55)])
def test_gauss_hermite_integrates_powers(precise, error):
    assert np.abs(errors(*hermite(20, precise))).max() < error


@pytest.mark.parametrize(("keep", "options", "error"), [(np.array, {}, 1e-13), (in_many_digits, FINE, 1e-52)])
def test_pieces_integrate_powers_of_the_size_of_a_number(keep, options, error):
    points, mass = piecewise(keep(np.array([0.0, 0.7])), **options)
    assert np.abs(errors(points, mass)).max() < error
    assert float(as_floats(np.sum(mass * abs(points) ** 3))) == pytest.approx(2 * np.sqrt(2 / np.pi), rel=1e-13)


@pytest.mark.parametrize("precise", [False, True])
def test_logarithms_of_factorials(precise):
    assert as_floats(np.exp(log_factorials(6, precise))) == pytest.approx([math.factorial(k) for k in range(7)])
