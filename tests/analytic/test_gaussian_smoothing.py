"""Hessian estimators: Gaussian moments and Stein's identities by computer algebra, losses that attain bounds."""

import itertools

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad

from analytic import bound
from analytic.functions import NormMoment, norm_moment
from analytic.gaussian_smoothing import PAPER_SHAPE
from analytic.zeroth_order import largest_step, mean_estimate, mean_factor


def expectation(polynomial, variables):
    """Mean of a polynomial in independent standard Gaussian variables."""
    total = sp.S.Zero
    for powers, coefficient in sp.Poly(polynomial, *variables).terms():
        if all(p % 2 == 0 for p in powers):
            total += coefficient * sp.prod([sp.factorial2(p - 1) if p else 1 for p in powers])
    return sp.expand(total)


def _pairings(items):
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for k, other in enumerate(rest):
        for tail in _pairings(rest[:k] + rest[k + 1 :]):
            yield ((first, other), *tail)


@pytest.mark.parametrize("degree", [2, 4, 6, 8])
def test_isserlis(degree):
    rng = np.random.default_rng(degree)
    vectors = [sp.Matrix([int(x) for x in rng.integers(-2, 3, 2)]) for _ in range(degree)]
    u = sp.Matrix(sp.symbols("u0 u1"))
    by_pairs = sum(sp.prod([vectors[i].dot(vectors[j]) for i, j in p]) for p in _pairings(tuple(range(degree))))
    assert expectation(sp.expand(sp.prod([v.dot(u) for v in vectors])), list(u)) == by_pairs


@pytest.mark.parametrize("d", [1, 2, 3])
def test_gaussian_moments_in_the_bounds(d):
    u = sp.symbols(f"u:{d}")
    square, along = sum(x**2 for x in u), u[0] ** 2
    for k in (2, 4, 6, 8):
        assert expectation(sp.expand(square ** (k // 2)), u) == NormMoment(sp.Integer(k), sp.Integer(d))
    assert expectation(sp.expand(square * along), u) == d + 2
    assert expectation(sp.expand(square**2 * along), u) == (d + 2) * (d + 4)
    assert expectation(sp.expand(square**3 * along), u) == (d + 2) * (d + 4) * (d + 6)
    stein = square**2 * (square * along - 2 * along + 1)
    assert expectation(sp.expand(stein), u) == (d + 2) * ((d + 4) ** 2 + d)


def test_norm_moments():
    assert norm_moment(1, 1) == pytest.approx(np.sqrt(2 / np.pi))
    assert norm_moment(3, 1) == pytest.approx(2 * np.sqrt(2 / np.pi))
    assert norm_moment(3, 3) == pytest.approx(8 * np.sqrt(2 / np.pi))
    assert norm_moment(4, np.array([2.0, 5.0])) == pytest.approx([8, 35])
    huge = 10.0 ** np.arange(2, 15)
    assert norm_moment(1, huge) / np.sqrt(huge) - 1 == pytest.approx(-1 / (4 * huge), rel=0.01, abs=1e-12)


def test_stein_identities_on_a_quartic():
    w, u, nu = sp.symbols("w0 w1"), sp.symbols("u0 u1"), sp.Symbol("nu", positive=True)
    loss = (
        w[0] ** 4
        - 3 * w[0] ** 2 * w[1] ** 2
        + 2 * w[0] * w[1] ** 3
        + w[0] * w[1] ** 2
        - w[0] ** 3
        + 5 * w[0] * w[1]
        - w[1] ** 2
    )
    at = lambda f, s: sp.expand(
        f.subs(dict(zip(w, (x + s * nu * y for x, y in zip(w, u, strict=True)), strict=True)), simultaneous=True)
    )
    smooth = lambda f: expectation(at(f, 1), u)
    second = (at(loss, 1) + at(loss, -1) - 2 * loss) / (2 * nu**2)
    shift = (smooth(loss) - loss) / nu**2
    for i, k in itertools.product(range(2), repeat=2):
        hessian = smooth(sp.diff(loss, w[i], w[k]))
        eye = 1 if i == k else 0
        assert sp.expand(expectation(sp.expand(second * (u[i] * u[k] - eye)), u) - hessian) == 0
        assert sp.expand(expectation(sp.expand(second * u[i] * u[k]), u) - hessian - shift * eye) == 0
        difference = (at(sp.diff(loss, w[i]), 1) - sp.diff(loss, w[i])) / nu
        assert sp.expand(expectation(sp.expand(difference * u[k]), u) - hessian) == 0
    trace = sum(sp.diff(loss, x, x) for x in w)
    assert sp.expand(shift - trace / 2).subs(nu, 0) == 0
    estimate = mean_estimate(np.diag([1.0, 2.0]), 3.0, 1.0, 0.5)
    assert np.array_equal(estimate, np.diag([9.0, 10.0]))


def test_proposition_5_is_attained_by_powers_of_the_norm():
    d, nu, rho, tau = 6, 0.3, 1.7, 2.5
    # l = (rho/6)|w|^3 at 0, l = (tau/24)|w|^4 at 0: the trace of the Hessian is 0 there
    assert bound("prop5")(dim=d, nu=nu, rho=rho) == pytest.approx(rho / 6 * nu**3 * norm_moment(3, d) / nu**2)
    assert bound("prop5", "smooth")(dim=d, nu=nu, tau=tau) == pytest.approx(tau / 24 * nu**4 * d * (d + 2) / nu**2)
    assert bound("prop5", "paper")(dim=d, nu=nu, rho=rho) == pytest.approx(rho * nu / 6 * 27)


def test_refined_proposition_5_saturates():
    point = {"dim": 6, "rho": 1.7, "L": 0.4}
    assert bound("prop5", "refined")(nu=1e3, **point) == pytest.approx(2.4)
    assert bound("prop5", "refined")(nu=1e-3, **point) == bound("prop5")(nu=1e-3, **point)
    # l'' is -L within 0.1 of 0 and L beyond: the mean over a large radius is nearly L/2, half the trace at 0 is -L/2
    loss = lambda w: np.where(w < 0.1, -(w**2) / 2, w**2 / 2 - 0.2 * w + 0.01)
    mean = 2 * quad(lambda u: loss(50 * u) * np.exp(-u * u / 2) / np.sqrt(2 * np.pi), 0, 12, points=[0.002])[0]
    assert 0.99 < mean / 2500 + 0.5 < bound("prop5", "refined")(dim=1, nu=50, rho=1e6, L=1)


def test_third_derivative_of_the_cubic_norm_is_at_most_one():
    t, c = sp.symbols("t c")
    third = sp.diff((1 + 2 * c * t + t**2) ** sp.Rational(3, 2) / 6, t, 3).subs(t, 0)
    assert sp.expand(third - (3 * c - c**3) / 2) == 0


def test_proposition_6_by_hand_and_at_the_kink():
    kink = quad(lambda u: 1.3 * abs(0.2 * u) * np.exp(-u * u / 2) / np.sqrt(2 * np.pi), -12, 12, points=[0])[0]
    point = {"dim": 1, "nu": 0.2, "rho": 1.3}
    assert bound("prop6")(**point) == pytest.approx(kink, rel=1e-9)
    assert bound("prop6", "paper")(**point) / kink == pytest.approx(np.sqrt(np.pi / 2))
    assert bound("prop6", "smooth")(dim=3, nu=0.2, tau=5) == pytest.approx(0.3)
    assert bound("prop6", "refined")(dim=3, nu=1e6, rho=1, L=2) == 4


def test_proposition_7_is_attained():
    # sharp: l = (L/2) sum w_k|w_k| at 0; per direction f(u) = L |u_k|, mean of f(u) u^T is 0 by symmetry
    for d in (1, 2, 3):
        u = sp.symbols(f"u:{d}")
        square = sum(x**2 for x in u)
        kinked = expectation(sp.expand(square * u[0] ** 2), u)
        assert bound("prop7-vector")(L=3, dim=d, directions=5, sigma_g=0, D=1, nu=1) == pytest.approx(
            float(9 * kinked / 5)
        )
        frobenius = expectation(sp.expand(square**2), u)
        assert bound("prop7-frobenius")(L=3, dim=d, directions=5, sigma_g=0, D=1, nu=1) == pytest.approx(
            float(9 * frobenius / 5)
        )
        # refined: l = (L/2)|w|^2, f(u) = L u, mean L I
        point = {"L": 3, "dim": d, "directions": 5, "sigma_g": 0, "D": 1, "nu": 1e-12, "rho": 1}
        assert bound("prop7-vector", "refined")(**point) == pytest.approx(float(9 * (kinked - 1) / 5))
        assert bound("prop7-frobenius", "refined")(**point) == pytest.approx(float(9 * (frobenius - d) / 5))


def test_proposition_7_by_hand():
    point = {"L": 2, "dim": 4, "directions": 9, "sigma_g": 0.3, "D": 5, "nu": 0.1, "rho": 0.7}
    noise = 2 * 0.09 / (9 * 5 * 0.01)
    assert bound("prop7-vector")(**point) == pytest.approx(4 * 6 / 9 + noise)
    assert bound("prop7-frobenius")(**point) == pytest.approx(4 * 24 / 9 + 4 * noise)
    width = 4 / 3
    rest = 0.035 * np.sqrt(4 * 6 * 8 / 9) + np.sqrt(4 * noise)
    assert bound("prop7-spectral")(**point) == pytest.approx(2 * (2 * width + width**2) + rest)
    assert bound("finite-prop7-vector")(**point) == pytest.approx(4 * 6 / 9)
    deviation = min(2 * np.sqrt(5) + 0.035 * np.sqrt(48), 2 * np.sqrt(6))
    assert bound("finite-prop7-vector", "refined")(**point) == pytest.approx(deviation**2 / 9)
    assert PAPER_SHAPE["noise"] == {"sigma_g": 2, "dim": 1, "directions": -1, "D": -1, "nu": -2}


def test_refined_spectral_form_by_hand():
    quiet = {"L": 3, "sigma_g": 0, "D": 1, "nu": 1, "rho": 0}
    many = bound("prop7-spectral", "refined")(dim=100, directions=10**5, **quiet)
    square = (10 + np.sqrt(0.5)) ** 2 + 1
    assert many == pytest.approx(3 * (2 * np.sqrt(square / 1e5) + np.sqrt(square**2 + 4 * square) / 1e5))
    few = bound("prop7-spectral", "refined")(dim=100, directions=2, **quiet)
    assert few == pytest.approx(3 * np.sqrt(100 * 101 / 2))


def test_tail_constants_of_the_spectral_form():
    tail = lambda t: min(1.0, 2 * np.exp(-t * t / 2))
    start = np.sqrt(2 * np.log(2))
    moment = lambda k: quad(lambda t: k * t ** (k - 1) * tail(t), 0, 30, points=[start], limit=200)[0]
    assert moment(2) == pytest.approx(2 * np.log(2) + 2)
    assert moment(4) == pytest.approx(4 * np.log(2) ** 2 + 8 * np.log(2) + 8)
    assert moment(2) < 1.841**2
    assert moment(4) < 1.984**4 < 16


@pytest.mark.parametrize(("d", "directions"), [(1, 1), (1, 50), (4, 3), (16, 12), (16, 16), (16, 400), (48, 40)])
def test_the_moments_behind_the_refined_spectral_form(d, directions):
    u = np.random.default_rng(d + directions).normal(size=(2000, directions, d))
    singular = np.linalg.svd(u, compute_uv=False)
    root = np.sqrt(directions)
    low = root - singular[:, -1] if directions >= d else np.full(len(u), np.sqrt(d))
    width = np.maximum(singular[:, 0] - root, low)
    square = (np.sqrt(d) + np.sqrt(0.5)) ** 2 + 1
    assert np.mean(width**2) <= square
    assert np.mean(width**4) <= square**2 + 4 * square
    smallest = singular[:, -1] ** 2 / directions if directions >= d else 0.0
    norm = np.maximum(singular[:, 0] ** 2 / directions - 1, 1 - smallest)
    assert np.all(norm <= (2 * root * width + width**2) / directions + 1e-12)


@pytest.mark.parametrize("directions", [1, 4, 16, 40, 200])
def test_spectral_form_on_a_quadratic_for_few_and_many_directions(directions):
    # l = (L/2)|w|^2: H^ - E H^ is L (W - I)
    d, rng = 16, np.random.default_rng(directions)
    u = rng.normal(size=(200, directions, d))
    deviation = np.swapaxes(u, 1, 2) @ u / directions - np.eye(d)
    measured = np.sqrt((np.linalg.norm(deviation, 2, axis=(1, 2)) ** 2).mean())
    point = {"L": 1, "dim": d, "directions": directions, "sigma_g": 0, "D": 1, "nu": 1e-9, "rho": 1e-9}
    refined = bound("prop7-spectral", "refined")(**point)
    assert measured <= refined
    if directions == 1:
        assert measured > 0.9 * refined  # one direction: the Frobenius norm, all but attained
    else:
        assert measured > 0.6 * refined
    if directions >= d:
        assert refined <= bound("prop7-spectral")(**point)


def test_zeroth_order_variance_on_a_quadratic():
    # l = (L/2)|w|^2: t = (L/2)|u|^2, mean L (1 + d/2) v, or L v when Stein-corrected
    for d in (1, 3):
        u = sp.symbols(f"u:{d}")
        square = sum(x**2 for x in u)
        plain = expectation(sp.expand(square**3 * u[0] ** 2 / 4), u)
        stein = expectation(sp.expand(square**2 / 4 * (square * u[0] ** 2 - 2 * u[0] ** 2 + 1)), u)
        assert bound("zo-vector")(L=2, dim=d, directions=7) == pytest.approx(float(4 * plain / 7))
        assert bound("zo-stein-vector")(L=2, dim=d, directions=7) == pytest.approx(float(4 * stein / 7))
        assert plain - (1 + sp.Rational(d, 2)) ** 2 < plain
        assert expectation(sp.expand(square / 2 * (u[0] ** 2 - 1)), u) == 1


def test_proposition_8():
    point = {"alpha": 0.1, "L": 2, "dim": 8, "steps": 3}
    assert bound("prop8-mean")(**point) == 10
    assert bound("prop8")(**point) == pytest.approx(8)
    assert bound("prop8", "stein")(**point) == pytest.approx(1.2**3)
    assert mean_factor(**point) == 0
    assert mean_factor(alpha=0.3, L=1, dim=18, steps=[1, 2, 4]) == pytest.approx(
        [2, 4, 16]
    )  # diverges; (1 - 0.3)^N does not
    step = largest_step(2, 8, 3)
    assert bound("prop8")(**(point | {"alpha": step})) ** 2 == pytest.approx(2)


def test_central_difference():
    # l'' = rho|t| and l'' = tau t^2/2 at 0 in one dimension
    assert bound("hvp-central")(rho=3, delta=0.2) == pytest.approx((3 * 0.2**2 / 2 * 2) / 0.4)
    assert bound("hvp-central", "smooth")(tau=3, delta=0.2) == pytest.approx((3 * 0.2**3 / 6 * 2) / 0.4)
