"""The radial cubic, axisymmetric losses, the hourglass: derivatives and certificates attacked, and what they attain."""

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, audit, check
from maml_bench.claims.gaussian_smoothing import spectral_squares
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import Axisymmetric, Hourglass, RadialCubic


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_the_certificate_of_the_radial_cubic_is_attained(dim):
    found = audit(RadialCubic(dim, rho=1.3, radius=0.7))
    assert found.passed, str(found)
    assert min(found["L"].ratio, found["rho"].ratio) > 0.99


@pytest.mark.parametrize("dim", [2, 3, 7])
def test_the_certificate_of_the_cubic_is_attained(dim):
    coefficients = np.random.default_rng(dim).standard_normal(5) / np.arange(1, 6) ** 3
    found = audit(Axisymmetric(dim, coefficients))
    assert found.passed, str(found)
    assert found["rho"].ratio > 0.995


def test_the_certificate_of_a_power_of_the_length():
    # ||w||^3 has the third derivative 6 (3b - b^3)/2 along v at angle arccos b, at most 6.
    assert Axisymmetric(4, [1.0]).regularity.rho == pytest.approx(6, rel=1e-4)


@pytest.mark.parametrize("dim", [2, 3, 7, 20])
def test_the_quartic_is_certified_exactly_and_attains_what_its_docstring_says(dim):
    tasks = Axisymmetric.quartic(dim, tau=1.7)
    found = audit(tasks)
    assert found.passed and tasks.regularity.tau == pytest.approx(1.7) and found["tau"].ratio > 0.999
    b = min((dim + 2) / 9, 1)
    setting = Setting(tasks, np.zeros(dim), InnerLoop(0.1, 1), GaussianSmoothing(0.1, 1))
    ratio = check("prop6", setting, form="smooth").ratio
    assert ratio == pytest.approx((0.5 + 3 * b - 4.5 * b**2 + (dim - 1) * b) / dim, rel=1e-12)


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_the_hourglass_is_smooth_with_constant_one_odd_and_as_steep_as_far_out(dim):
    tasks = Hourglass(dim)
    found = audit(tasks)
    assert found.passed and found["L"].ratio > 1 - 1e-9
    w = np.random.default_rng(dim).standard_normal((1000, dim))
    np.testing.assert_allclose(np.linalg.norm(tasks.grad(w), axis=-1), np.linalg.norm(w, axis=-1))
    np.testing.assert_array_equal(tasks.grad(-w), tasks.grad(w))
    np.testing.assert_array_equal(tasks.loss(-w), -tasks.loss(w))


@pytest.mark.parametrize(("dim", "square"), [(2, 1 / 2 + 1 / np.pi), (3, (1 + np.sqrt(2)) / 3)])
def test_the_share_of_the_first_row_by_hand(dim, square):
    """E max(t, 1 - t): t = cos^2 a for a uniform angle a; t = x^2 for x uniform on [0, 1]."""
    assert Hourglass(dim).row(2) == pytest.approx(square, rel=1e-12)


@pytest.mark.by_chance(2e-9)
@pytest.mark.parametrize(("dim", "directions"), [(2, 1), (3, 10), (16, 16)])
def test_nearly_all_of_the_variance_of_an_hourglass_is_in_one_row(dim, directions):
    """Its share of the Frobenius variance d (d + 2)/Q; 4000 draws, six standard errors."""
    tasks = Hourglass(dim)
    setting = Setting(tasks, np.zeros(dim), InnerLoop(0.1, 1), GaussianSmoothing(1.0, directions))
    whole = check("prop7-frobenius", setting)
    assert whole.value == pytest.approx(dim * (dim + 2) / directions, rel=1e-12) == whole.bound
    squares = spectral_squares(setting)(np.random.default_rng(0), 4000)[:, 0]
    error = 6 * squares.std() / np.sqrt(4000)
    least = 1.0 if directions == 1 else tasks.row(2)
    assert least - error / whole.value <= squares.mean() / whole.value <= 1 + error / whole.value


@pytest.mark.by_chance(1e-8)
@pytest.mark.parametrize("dim", [2, 5])
def test_the_mean_gradient_of_an_hourglass(dim):
    gradients = Hourglass(dim).grad(np.random.default_rng(1).standard_normal((200_000, dim)))
    (smooth,) = Hourglass(dim).smoothings(np.zeros(dim), 1.0)
    np.testing.assert_allclose(gradients.mean(0), smooth.grad, atol=6 * gradients.std() / 200_000**0.5)


def test_differences_across_a_kink_are_no_fault():
    """At these seeds the audit differences the gradient across the kink at the origin."""
    for seed in (1322117304, 2147036171, 493631901):
        assert audit(RadialCubic(1, radius=1.6), seed=seed, points=128, draws=512).passed


def test_the_planted_derivative_is_found():
    class Wrong(Axisymmetric):
        def hvp(self, w, v, sample=None):
            return super().hvp(w, v) + 1e-4 * v

    assert {row.name for row in audit(Wrong(3, [0.2, 0.1])).violations} >= {"hvp"}


@pytest.mark.by_chance(1e-6)
@pytest.mark.parametrize("tasks", [RadialCubic(3), Axisymmetric(3, [0.2, 0.1, -0.05])])
def test_exact_means_agree_with_sampled_ones(tasks):
    """Ten standard errors or so: fails for less than one seed in a million."""
    setting = Setting(tasks, np.zeros(3), InnerLoop(0.1, 1), GaussianSmoothing(0.3, 1))
    exact, sampled = (check("prop6", setting, method=m, budget=40_000, precision=0) for m in ("exact", "monte-carlo"))
    assert sampled.lower * 0.97 <= exact.value <= sampled.upper * 1.03


def test_away_from_the_centre_no_exact_value_is_known():
    hessian = ZerothOrder(0.3, 1, data="population")
    found = check("prop5", Setting(RadialCubic(2), np.array([0.1, 0.0]), InnerLoop(0.1, 1), hessian), budget=2000)
    assert "exact" not in str(found.evidence if hasattr(found, "evidence") else found.method)


def test_bad_input_is_refused():
    for make, message in (
        (lambda: RadialCubic(0), "dimension = 0"),
        (lambda: Hourglass(1), "dimension = 1: must be at least 2"),
        (lambda: RadialCubic(2, radius=0), "radius = 0"),
        (lambda: Axisymmetric(1, [1.0]), "must be at least 2"),
        (lambda: Axisymmetric(2, [1.0], 5), "degree = 5"),
        (lambda: Axisymmetric(2, [0.0, 0, 0, 1], 4), "coefficients"),
        (lambda: RadialCubic(2)[0], "single task"),
    ):
        with pytest.raises((ValueError, IndexError), match=message):
            make()
