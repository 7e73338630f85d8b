"""Replicates with a ceiling: unbiased against exact values, and within their ceilings on tasks that attain them."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from zoo import assert_mean, at, within_ceiling

from maml_bench.claims import hessian_envelopes as envelopes
from maml_bench.claims.hessian_draws import hessians, mean_hessians
from maml_bench.claims.zeroth_order import excess_error, mean_product_norm
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import Kink, Quadratic, RankOne, Trigonometric

COUNT, SIGMAS = 6000, 5.5
assert_means = partial(assert_mean, sigmas=SIGMAS, slack=1e-9)
replicates = partial(within_ceiling, slack=1e-9)


def tasks(name, dim):
    if name == "trigonometric":
        return Trigonometric.random(dim, 2, 1)
    if name == "kink":
        return Kink(np.zeros((2, dim)), np.ones((2, dim)), rho=2.0, radius=0.7)
    return Quadratic(np.array([1.5 * np.eye(dim), -np.diag(np.arange(1.0, dim + 1))]), np.ones((2, dim)))


def setting(family, dim, hessian, steps=2):
    return at(family, 0.3, 0.1, steps, hessian)


FAMILIES = ("trigonometric", "kink", "quadratic")
PLAIN, STEIN = ZerothOrder(0.3, 2, data="population"), ZerothOrder(0.3, 2, stein=True, data="population")
SMOOTHED = GaussianSmoothing(0.3, 2, data="population")


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("hessian", [SMOOTHED, PLAIN, STEIN])
def test_mean_matrices(name, dim, hessian):
    case = setting(tasks(name, dim), dim, hessian)
    known = envelopes.known_mean(case, case.w)
    for spectral in (True, False):
        found = replicates(envelopes.deviations(case, known, spectral))
        assert_means(found, mean_hessians(case))
    if hessian is SMOOTHED:
        assert_means(replicates(envelopes.deviations(case)), mean_hessians(case) - hessians(case))


@pytest.mark.by_chance(1e-6)
@pytest.mark.parametrize("name", FAMILIES)
def test_excesses(name):
    case = setting(tasks(name, 3), 3, PLAIN)
    found = replicates(envelopes.excesses(case))
    assert found.shape == (COUNT, 2, 1)
    error = found.std(0) / math.sqrt(COUNT)
    assert np.all(np.abs(np.abs(found.mean(0)) - excess_error(case)[:, None]) <= SIGMAS * error + 1e-12)


@pytest.mark.by_chance(1e-6)
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("hessian", [PLAIN, STEIN])
def test_products(name, hessian):
    case = setting(tasks(name, 2), 2, hessian, steps=3)
    found = replicates(envelopes.products(case))
    error = np.linalg.norm(found.std(0), axis=(-2, -1)) / math.sqrt(COUNT)
    measured = np.linalg.norm(found.mean(0), 2, axis=(-2, -1))
    assert np.all(np.abs(measured - mean_product_norm(case)) <= SIGMAS * error + 1e-9)


def test_the_smaller_of_the_envelopes_is_taken():
    def ceiling(nu):
        return float(envelopes.deviations(setting(family, 1, GaussianSmoothing(nu, 1))).ceiling[0])

    family = tasks("kink", 1)  # rho = 2, L = 1.4, tau infinite: rho nu E|u|^3 / 2, or 2 L
    assert ceiling(0.1) == pytest.approx(0.1 * 2 * math.sqrt(2 / math.pi))
    assert ceiling(1e3) == pytest.approx(2.8)


@pytest.mark.parametrize(
    "hessian", [GaussianSmoothing(1e-9, 1), ZerothOrder(1e-6, 1), ZerothOrder(1e-6, 1, stein=True)]
)
def test_rounding_does_not_accuse_a_certificate(hessian):
    case = setting(tasks("trigonometric", 1), 1, replace(hessian, nu=min(hessian.nu, 1e-6), data="population"))
    replicates(envelopes.deviations(case))
    replicates(envelopes.products(case)) if isinstance(hessian, ZerothOrder) else None


def test_what_is_not_proved_has_no_ceiling():
    ball = at(RankOne(np.ones((1, 2)), radius=3.0), 1.0, 0.01, 1, SMOOTHED)
    assert envelopes.deviations(ball) is None


@pytest.mark.parametrize("hessian", [SMOOTHED, PLAIN])
def test_envelopes_of_means_are_attained_at_a_kink(hessian):
    # d = 1, h = 2 |t|^3 / 6 at its kink: replicates are their ceiling, rho nu E|u|^3 / 2 or rho nu E|u|^5 / 6.
    family = Kink(np.zeros((1, 1)), np.ones((1, 1)), rho=2.0, radius=1e3)
    case = at(family, 0.0, 0.1, 1, replace(hessian, nu=0.01))
    expected = 0.01 * math.sqrt(8 / math.pi) * (1.0 if hessian is SMOOTHED else 4 / 3)
    found = replicates(envelopes.deviations(case), count=100)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(envelopes.deviations(case).ceiling, expected, rtol=1e-9)


def test_ceilings_in_closed_form():
    case = setting(tasks("quadratic", 3), 3, SMOOTHED)
    known = np.broadcast_to(2 * np.eye(3), (2, 3, 3))
    assert envelopes.deviations(case, known).ceiling == pytest.approx(2.0)
    assert envelopes.deviations(case, known, spectral=False).ceiling == pytest.approx(2 * math.sqrt(3))
