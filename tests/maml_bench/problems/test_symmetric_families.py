"""The radial cubic and the axisymmetric losses: derivatives and certificates under attack, and what they attain."""

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, audit, check
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import Axisymmetric, RadialCubic


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


def test_differences_across_a_kink_are_no_fault():
    """At these seeds the audit differences the gradient across the kink at the origin."""
    for seed in (1322117304, 2147036171, 493631901):
        assert audit(RadialCubic(1, radius=1.6), seed=seed, points=128, draws=512).passed


def test_the_planted_derivative_is_found():
    class Wrong(Axisymmetric):
        def hvp(self, w, v, sample=None):
            return super().hvp(w, v) + 1e-4 * v

    assert {row.name for row in audit(Wrong(3, [0.2, 0.1])).violations} >= {"hvp"}


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
        (lambda: RadialCubic(2, radius=0), "radius = 0"),
        (lambda: Axisymmetric(1, [1.0]), "must be at least 2"),
        (lambda: Axisymmetric(2, [1.0], 5), "degree = 5"),
        (lambda: Axisymmetric(2, [0.0, 0, 0, 1], 4), "coefficients"),
        (lambda: RadialCubic(2)[0], "single task"),
    ):
        with pytest.raises((ValueError, IndexError), match=message):
            make()
