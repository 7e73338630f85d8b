"""Losses with a symmetry: polynomials against moments by hand, and the radial loss of one variable against the kink."""

import numpy as np
import pytest

from analytic.moments import quadratic, symmetric
from maml_bench.problems import Axisymmetric, Kink

NU = 0.3


def assert_same(one, two, dim):
    v = np.arange(1.0, dim + 1)
    np.testing.assert_allclose(one.hess, two.hess, atol=1e-13)
    assert one.excess == pytest.approx(two.excess, rel=1e-12)
    for name in ("ggs_vector_variance", "zo_vector_variance", "zo_stein_vector_variance"):
        assert getattr(one, name)(v, 3) == pytest.approx(getattr(two, name)(v, 3), rel=1e-11), name
    for name in ("ggs_frobenius_variance", "zo_frobenius_variance", "zo_stein_frobenius_variance"):
        assert getattr(one, name)(3) == pytest.approx(getattr(two, name)(3), rel=1e-11), name


@pytest.mark.parametrize("dim", [2, 3, 200])
def test_quadratics(dim):
    ball = symmetric.radial(lambda r: r**2, lambda r: 2 * r, lambda r: 0 * r + 2, (), dim, NU)
    assert_same(ball, quadratic.smoothing(0.0, np.zeros(dim), 2 * np.eye(dim), NU), dim)
    # ||w||^2 (1 + 2 t^2) = ||w||^2 + 2 w_1^2
    A = np.diag(np.append(6.0, np.full(dim - 1, 2.0)))
    few = A[: min(dim, 3), : min(dim, 3)]
    parts = lambda w: np.vecdot(w, w @ few) / 2, lambda w: w @ few, lambda w: np.broadcast_to(few, (*w.shape, len(few)))
    ridge = symmetric.axisymmetric(2, *parts, dim, NU)
    assert_same(ridge, quadratic.smoothing(0.0, np.zeros(dim), A, NU), dim)


@pytest.mark.parametrize("radius", [0.4, 1.0])
def test_the_radial_cubic_of_one_variable_is_a_kink(radius):
    def phi(r):
        return np.where(
            r < radius, r**3 / 6, radius**3 / 6 + radius**2 / 2 * (r - radius) + radius / 2 * (r - radius) ** 2
        )

    def slope(r):
        return np.where(r < radius, r**2 / 2, radius**2 / 2 + radius * (r - radius))

    found = symmetric.radial(phi, slope, lambda r: np.minimum(r, radius), (radius,), 1, NU)
    assert_same(found, Kink([0.0], [0.0], 1.0, radius).smoothings(np.zeros((1, 1)), NU)[0], 1)


def test_a_quartic_by_hand():
    # w_1^2 s^2 in d = 3: second derivatives 2 s^2 along the axis and 2 w_1^2 across, of means 4 nu^2 and 2 nu^2;
    # E w_1^2 s^2 = 2 nu^4.
    # t^2 (1 - t^2) = (1 - cos 4a)/8
    [found] = Axisymmetric(3, [1 / 8, 0.0, -1 / 8], 4).smoothings(np.zeros(3), NU)
    np.testing.assert_allclose(found.hess, NU**2 * np.diag([4.0, 2.0, 2.0]), atol=1e-14)
    assert found.excess == pytest.approx(2 * NU**2)


def test_radial_and_axisymmetric_agree_on_a_power_of_the_length():
    [power] = Axisymmetric(4, [1.0]).smoothings(np.zeros(4), NU)
    assert_same(power, symmetric.radial(lambda r: r**3, lambda r: 3 * r**2, lambda r: 6 * r, (), 4, NU), 4)
