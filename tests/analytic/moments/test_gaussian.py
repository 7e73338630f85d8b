"""Moments of quadratic forms against pairings, and what is common to all families."""

from itertools import product

import numpy as np
import pytest

from analytic.moments import quadratic
from analytic.moments.gaussian import Monomial, form_moment, fourier

RNG = np.random.default_rng(0)


def symmetric(dim):
    half = RNG.normal(size=(dim, dim))
    return half + half.T


def pairings(indices):
    """E u_i u_j ... by Isserlis: sum over perfect matchings of equal indices."""
    if not indices:
        return 1
    first, *rest = indices
    return sum(pairings(rest[:k] + rest[k + 1 :]) for k, other in enumerate(rest) if other == first)


@pytest.mark.parametrize(("count", "power"), [(1, 0), (2, 0), (3, 0), (2, 1), (1, 2), (0, 3)])
def test_form_moment_is_the_sum_over_pairings(count, power):
    forms = [symmetric(2) for _ in range(count)]
    total = 0.0
    for index in product(range(2), repeat=2 * (count + power)):
        value = 1.0
        for k in range(count + power):
            form = forms[k] if k < count else np.eye(2)
            value *= form[index[2 * k], index[2 * k + 1]]
        total += value * pairings(list(index)) if value else 0.0
    np.testing.assert_allclose(form_moment(Monomial(1.5, tuple(forms), power), 2), 1.5 * total, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fourier_terms_against_quadrature(brute_moments, count):
    forms, t = tuple(symmetric(2) for _ in range(count)), np.array([0.6, -0.9])
    u, mass = brute_moments.directions(2, 40)
    p = np.prod([np.sum((u @ form) * u, axis=1) for form in forms], axis=0)
    terms = fourier(Monomial(1.0, forms))
    value = sum(term.constant * np.prod([-t @ form @ t for form in term.forms]) for term in terms)
    np.testing.assert_allclose(value * np.exp(-t @ t / 2), mass @ (p * np.cos(u @ t)), rtol=1e-11)


def test_fresh_batches_add_their_variance_over_nu_squared():
    smoothing = quadratic.smoothing(0.0, np.zeros(2), np.diag([1.0, 2.0]), nu=0.1)
    v = np.array([3.0, 4.0])
    added = smoothing.ggs_vector_variance(v, 5, sigma_g=0.3, D=2) - smoothing.ggs_vector_variance(v, 5)
    np.testing.assert_allclose(added, 2 * 0.3**2 * 25 / (5 * 2 * 0.1**2), rtol=1e-12)
    added = smoothing.ggs_frobenius_variance(5, sigma_g=0.3, D=2) - smoothing.ggs_frobenius_variance(5)
    np.testing.assert_allclose(added, 2 * 0.3**2 * 2 / (5 * 2 * 0.1**2), rtol=1e-12)
