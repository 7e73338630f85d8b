"""Proposition 8: products of means, sampled and exact, and the instances that attain the bound.

Tests of a mean reject where an entry is five standard errors off (false alarm about 6e-7 an entry, by normal
approximation); tests of limits have confidence 1 - 1e-5 on each side. Seeds are fixed; ten were tried.
"""

import mpmath
import numpy as np
import pytest
from zoo import assert_mean, at, families, slanted

from analytic.zeroth_order import mean_factor
from maml_bench import check
from maml_bench.claims import hessian_draws, zeroth_order
from maml_bench.claims.hessian_draws import points
from maml_bench.hessians import ZerothOrder
from maml_bench.problems import Kink, Logistic, Quadratic, SoftmaxBandit

FAMILIES = families(3, 2, radius=3.0)


def setting(tasks, stein=False, nu=0.6, alpha=0.2, steps=3):
    return at(tasks, slanted(tasks.dim), alpha, steps, ZerothOrder(nu, 2, stein, "population"))


def exact_products(case):
    """The product of the exact means, in the order of the meta gradient."""
    product, w = np.eye(case.tasks.dim), np.broadcast_to(case.w, (*case.tasks.batch_shape, case.tasks.dim))
    for _ in range(case.inner.steps):
        product = product @ (np.eye(case.tasks.dim) - case.inner.alpha * hessian_draws.mean_hessians(case, w))
        w = w - case.inner.alpha * case.tasks.grad(w)
    return product


def plain_products(case, rng, count):
    """The same product from the estimator alone, with nothing known subtracted."""
    product = np.eye(case.tasks.dim)
    w = np.broadcast_to(case.w, (*case.tasks.batch_shape, case.tasks.dim))
    for _ in range(case.inner.steps):
        columns = case.hessian.operator(case.tasks, points(case, w, count), 1, rng)(
            np.eye(case.tasks.dim)[:, None, None]
        )
        product = product @ (np.eye(case.tasks.dim) - case.inner.alpha * np.moveaxis(columns, 0, -1))
        w = w - case.inner.alpha * case.tasks.grad(w)
    return product


@pytest.mark.parametrize("stein", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_replicates_have_the_exact_mean(family, stein):
    case = setting(FAMILIES[family], stein)
    rng = np.random.default_rng(0)
    assert_mean(zeroth_order.products(case)(rng, 20_000), exact_products(case))
    assert_mean(zeroth_order.estimates(case)(rng, 20_000), hessian_draws.mean_hessians(case))


def test_the_factor_of_the_first_step_stands_leftmost():
    case = setting(FAMILIES["trigonometric"], nu=1e-2, alpha=0.4)
    product, reverse = exact_products(case), exact_products(case).mT
    found = zeroth_order.products(case)(np.random.default_rng(0), 2000).mean(0)
    assert np.abs(product - reverse).max() > 0.01
    np.testing.assert_allclose(found, product, atol=1e-4)


@pytest.mark.parametrize("stein", [False, True])
def test_plain_products_have_that_mean_and_at_small_radius_much_more_variance(stein):
    case = setting(FAMILIES["trigonometric"], stein)
    plain = plain_products(case, np.random.default_rng(0), 20_000)
    assert_mean(plain, exact_products(case))
    narrow = setting(FAMILIES["trigonometric"], stein, nu=1e-2)
    plain = plain_products(narrow, np.random.default_rng(0), 2000)
    assert plain.var(0).sum() > 1e6 * zeroth_order.products(narrow)(np.random.default_rng(1), 2000).var(0).sum()


@pytest.mark.parametrize("name", ["prop8", "prop8-mean"])
@pytest.mark.parametrize("family", ["quadratic", "trigonometric", "kink"])
def test_limits_cover_the_exact_value(family, name):
    case = setting(FAMILIES[family])
    exact = check(name, case)
    for seed in range(3):
        found = check(name, case, method="monte-carlo", budget=16_384, precision=1e-3, confidence=1 - 1e-5, seed=seed)
        assert found.outcome == exact.outcome == "holds"
        assert found.lower - 1e-12 <= exact.value <= found.upper + 1e-12
        assert found.value == pytest.approx(exact.value, rel=0.05)


@pytest.mark.parametrize("method", ["exact", "monte-carlo"])
@pytest.mark.parametrize("dim", [1, 3, 8])
def test_concave_quadratic_attains_the_bound(dim, method):
    for stein, form in [(False, "sharp"), (True, "stein")]:
        found = check("prop8", setting(Quadratic.concave(dim, 2.0), stein), form=form, method=method)
        assert found.ratio == pytest.approx(1, abs=1e-9)
    mean = check("prop8-mean", setting(Quadratic.concave(dim, 2.0)), method=method)
    assert mean.ratio == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("stein", "form"), [(False, "sharp"), (True, "stein")])
@pytest.mark.parametrize("dim", [1, 8, 40])
def test_rounding_on_the_concave_quadratic_is_that_of_its_factors(dim, stein, form):
    """There the parts of a factor have one sign, so it is 64 (d + 8) units in its last place for each of the three."""
    case = setting(Quadratic.concave(dim, 2.0), stein)
    for name, wide in (("prop8", 3 * 64), ("prop8-mean", 64)):
        if name == "prop8" or not stein:
            found = check(name, case, form=form)
            allowed = wide * np.finfo(float).eps * (dim + 8) * found.value
            assert 0.9 * allowed <= (found.upper - found.lower) / 2 <= 1.01 * allowed


def test_growth_on_a_convex_quadratic():
    L, dim, alpha = 1.0, 10, 0.5
    values = []
    for steps in (1, 2, 4):
        case = setting(Quadratic(L * np.eye(dim), np.zeros((1, dim))), alpha=alpha, steps=steps)
        values.append(check("prop8", case).value)
        assert values[-1] == pytest.approx(mean_factor(alpha, L, dim, steps), rel=1e-12)
    assert values == pytest.approx([2.0, 4.0, 16.0])  # the exact product is 0.5^N


def test_families_without_exact_values():
    for tasks in (SoftmaxBandit.random(3, 2, 0), Logistic.random(3, 2, 0).support):
        for name in ("prop8", "prop8-mean"):
            found = check(name, setting(tasks), budget=100_000)
            assert (found.outcome, found.method) == ("holds", "monte-carlo")


def test_requirements():
    tasks = FAMILIES["trigonometric"]
    assert "kind = 'zeroth-order'" in check("prop8", setting(tasks, stein=True)).reason
    assert "stein=True" in check("prop8", setting(tasks), form="stein").reason
    assert "ball of radius" in check("prop8", setting(FAMILIES["rank-one"])).reason
    assert "dim <= 64" in check("prop8", setting(Logistic.random(65, 2, 0).support)).reason


def test_rounding_is_not_taken_for_a_violation():
    # On the dome and far out on the kink the bound is attained, and what is sampled is rounding alone.
    for tasks, w in ((Quadratic.concave(1), np.ones(1)), (Kink.random(5, 1, 2), np.full(5, 50.0))):
        case = at(tasks, w, 0.05, 4, ZerothOrder(0.01, 10))
        for name in ("prop8", "prop8-mean"):
            assert check(name, case, method="monte-carlo", budget=1000).outcome != "violated"


@pytest.mark.parametrize("stein", [False, True])
def test_rounding_of_a_product_stays_within_what_is_stated(stein):
    """A quadratic's factors are alike: the norm is the largest power of an eigenvalue, here with more digits."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        eigenvalues = rng.uniform(-1, 1, 6)
        basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
        case = at(
            Quadratic((basis * eigenvalues) @ basis.T, np.zeros((1, 6))),
            1.0,
            rng.uniform(0.1, 2.0),
            12,
            ZerothOrder(0.1, 1, stein, "population"),
        )
        with mpmath.workdps(40):
            values = mpmath.eigsy(mpmath.matrix(case.tasks.A.reshape(6, 6).tolist()), eigvals_only=True)
            trace = 0 if stein else mpmath.fsum(values) / 2
            exact = max(abs(1 - case.inner.alpha * (value + trace)) ** 12 for value in values)
        verdict = check("prop8", case, form="stein" if stein else "sharp")
        assert verdict.lower <= exact <= verdict.upper
        assert verdict.upper - verdict.lower <= 1e-9 * verdict.value
