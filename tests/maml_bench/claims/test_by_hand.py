"""Claims against values worked out by hand, at the settings that the studies look at."""

import importlib.util
import math
import runpy

import numpy as np
import pytest
from zoo import at

from analytic.zeroth_order import largest_step, mean_factor
from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.claims import zeroth_order
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.problems import AdditiveGaussian, Piecewise, RandomPhase, Trigonometric
from studies import (
    finite_sum,
    hessian_estimators,
    inner_path,
    meta_gradient_bias,
    meta_smoothness,
    second_moment,
    smoothing_radius,
    step_size,
)


def exact(claim, setting, form="sharp"):
    verdict = check(claim, setting, form=form)
    assert verdict.method == "exact"
    return verdict


@pytest.mark.parametrize("N", [1, 5, 20])
def test_inner_path_the_papers_second_moment_is_loose_by_the_factor_of_the_formulas(N):
    """On the extremal quadratic: 2 sum x^k / sum q^(2k), x = 1 + 2a + 2a^2, q = 1 + a, here a = 0.3."""
    case = inner_path.setting(inner_path.PROBLEMS[inner_path.CONCAVE], 0.3, N, 1)
    assert exact("prop2-second", case).ratio == pytest.approx(1, abs=1e-12)
    loose = 2 * sum(1.78**k for k in range(N)) / sum(1.69**k for k in range(N))
    assert 1 / exact("prop2-second", case, "paper").ratio == pytest.approx(loose, rel=1e-9)


@pytest.mark.parametrize(("N", "alpha"), [(1, 0.3), (5, 1 / 40), (20, 0.05)])
def test_smoothness_of_the_concave_quadratic_is_q_to_the_2n(N, alpha):
    found = exact("prop1", meta_smoothness.setting(meta_smoothness.PROBLEMS[meta_smoothness.CONCAVE], alpha, N))
    assert found.value == pytest.approx((1 + alpha) ** (2 * N))
    assert found.ratio == pytest.approx(1)


def test_the_convex_quadratic_gets_smoother_with_every_step():
    """The curvature at eigenvalue x after N steps is x (1 - alpha x)^(2N); x runs over [0.1, 1]."""
    tasks = meta_smoothness.PROBLEMS[meta_smoothness.CONVEX]
    values = [exact("prop1", meta_smoothness.setting(tasks, 0.3, N)).value for N in (1, 2, 3, 5, 10, 20)]
    assert values == sorted(values, reverse=True)
    assert values[0] <= max(x * (1 - 0.3 * x) ** 2 for x in np.linspace(0.1, 1, 1000)) * (1 + 1e-6)


@pytest.mark.parametrize(("N", "alpha"), [(1, 0.3), (5, 1 / 40), (5, 0.05)])
def test_the_sawtooth_attains_the_smoothness_with_the_gradient_term(N, alpha):
    found, q = check("prop1", meta_smoothness.setting(None, alpha, N)), 1 + alpha
    assert found.bound == pytest.approx(q ** (2 * N) + 100 * q ** (2 * N - 1) * (q**N - 1))
    assert 0.99 < found.ratio <= 1


@pytest.mark.parametrize("steps", [1, 6])
def test_what_the_sawtooth_misses_is_proportional_to_its_width(steps):
    def missing(width):
        tasks = Piecewise.sawtooth(0.1, steps, 10.0, width)
        return 1 - check("prop1", at(tasks, 0.0, 0.1, steps)).ratio

    assert missing(0.04) / missing(0.02) == pytest.approx(2, rel=0.1)


def test_the_sawtooth_is_the_integral_of_its_curvature():
    tasks = Piecewise.sawtooth(0.05, 5, 100.0, 0.1)
    w = np.random.default_rng(0).uniform(-40, 10, (2000, 1))
    h = 1e-4
    assert np.allclose((tasks.loss(w + h) - tasks.loss(w - h)) / (2 * h), tasks.grad(w)[:, 0], atol=1e-6)
    assert np.allclose((tasks.grad(w + h) - tasks.grad(w - h)) / (2 * h), tasks.hess(w)[..., 0], atol=2 * h)
    assert np.allclose(tasks.hess(tasks.knots[0, 1::3, None]), -1)
    with pytest.raises(ValueError, match="must exceed 2 width"):
        Piecewise.sawtooth(0.1, 2, 1.0, 0.1)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3])
def test_the_first_exact_step_ends_on_the_kink(alpha):
    tasks, w = meta_gradient_bias.kink_at(alpha)
    assert exact_path(tasks, w, alpha, 1)[-1] == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("batches", [{}, {"S": 4, "D": 2, "T": 8}])
@pytest.mark.parametrize(("N", "alpha"), [(1, 0.1), (3, 1 / 24), (20, 0.1)])
def test_second_moment_of_the_concave_quadratic(N, alpha, batches):
    """One variable, ``l = -w^2/2``, w = 1: every factor and the path's variance are explicit."""
    sizes = {"S": 1, "D": 1, "T": 1} | batches
    sigma_g, sigma_H = 3 * 1.5 / 2**0.5, 3 * 1.5**2 / 2**0.5
    q = 1 + alpha
    path = alpha**2 * sigma_g**2 / sizes["S"] * sum(q ** (2 * j) for j in range(N))
    factor = q**2 + alpha**2 * sigma_H**2 / sizes["D"]
    case = second_moment.setting(second_moment.PROBLEMS[second_moment.CONCAVE], alpha, N, **sizes)
    found = exact("prop4", case, "refined_local")
    assert found.value == pytest.approx(factor**N * (sigma_g**2 / sizes["T"] + q ** (2 * N) + path))
    assert found.ratio == pytest.approx(1)


@pytest.mark.parametrize("name", [second_moment.CONCAVE, second_moment.QUADRATIC])
def test_the_share_of_s_in_the_second_moment_is_of_order_1_over_s(name):
    def lost(form, field):
        tasks = second_moment.PROBLEMS[name]
        settings = [second_moment.setting(tasks, 0.1, 3, S=S, T=4, D=4) for S in (1, 16, 256)]
        values = [getattr(exact("prop4", setting, form), field) for setting in settings]
        return (values[0] - values[1]) / (values[1] - values[2])

    assert lost("local", "value") == pytest.approx(16)
    assert lost("refined_local", "bound") == pytest.approx(16)
    assert lost("local", "bound") < 8


def test_second_moment_forms_are_ordered_and_end_where_q_to_the_2n_reaches_2():
    for tasks in second_moment.PROBLEMS.values():
        for N in (1, 3):
            setting = second_moment.setting(tasks, 0.1, N)
            paper, sharp, refined = (
                np.max(claims.get("prop4", form).right_side(setting)) for form in ("paper", "sharp", "refined")
            )
            assert paper >= sharp >= refined
        outcome = check("prop4", second_moment.setting(tasks, 0.1, 4), form="paper").outcome
        assert outcome == "not applicable"
        assert tasks.regularity.sigma_H == pytest.approx(1.5 * tasks.regularity.sigma_g)


def point(problem, hessian="GGS", d=4, ν=1 / 16, Q=64):
    return hessian_estimators.setting(problem, hessian, d, ν, Q, "")


def test_the_kink_attains_the_sharp_bias():
    case = point(hessian_estimators.KINK, d=1, ν=1 / 128)
    assert exact("prop6", case).value == pytest.approx(np.sqrt(2 / np.pi) / 128, rel=1e-9)
    assert exact("prop6", case, "paper").ratio == pytest.approx(np.sqrt(2 / np.pi))


@pytest.mark.parametrize("d", [1, 4, 64])
def test_variances_on_the_bowl(d):
    plain = ((d + 2) * (d + 4) * (d + 6) - (d + 2) ** 2) / 4
    corrected = (d + 2) * ((d + 4) ** 2 + d) / 4 - 1
    case = point(hessian_estimators.BOWL, d=d)
    assert exact("prop7-vector", case).value == pytest.approx((d + 1) / 64)
    assert exact("prop7-vector", case).ratio == pytest.approx((d + 1) / (d + 2))
    assert exact("prop7-frobenius", case).value == pytest.approx(d * (d + 1) / 64)
    assert exact("zo-vector", point(hessian_estimators.BOWL, "ZO", d)).value == pytest.approx(plain / 64)
    stein = exact("zo-stein-vector", point(hessian_estimators.BOWL, "ZO, Stein", d))
    assert stein.value == pytest.approx(corrected / 64)


def test_the_error_of_the_zeroth_order_mean_tends_to_half_the_trace():
    case = point(hessian_estimators.TRIGONOMETRIC, "ZO", ν=1 / 128)
    step = 1e-4 * np.eye(4)
    hessian = [(case.tasks.grad(case.w + e) - case.tasks.grad(case.w - e))[0] / 2e-4 for e in step]
    error = exact("prop8-mean", case).value - np.linalg.norm(case.tasks.hess(case.w)[0], 2)
    assert error == pytest.approx(np.trace(hessian) / 2, abs=1e-4)


@pytest.mark.parametrize("D", [1, 16, 256])
@pytest.mark.parametrize(("problem", "d", "form"), [("kink", 1, "sharp"), ("trigonometric", 4, "smooth")])
def test_the_bounds_are_least_at_the_radius_of_the_closed_form(problem, d, form, D):
    """bias^2 + 2 sigma_g^2/(Q D nu^2) with bias rho nu sqrt(2/pi) or tau nu^2 d/2: set the derivative to 0."""
    tasks, Q = smoothing_radius.PROBLEMS[problem], smoothing_radius.Q
    balanced = (2 / (Q * D * (2 / np.pi))) ** (1 / 4) if form == "sharp" else None
    best = balanced or (4 / (Q * D * tasks.regularity.tau**2 * d**2)) ** (1 / 6)

    def total(ν):
        case = smoothing_radius.setting(tasks, ν, D)
        bias = np.max(claims.get("prop6", form).right_side(case))
        return bias**2 + np.max(claims.get("prop7-vector").right_side(case))

    assert total(best) < min(total(0.9 * best), total(1.1 * best))


@pytest.mark.parametrize("alpha", [0.2, 0.3, 0.4, 0.6])
@pytest.mark.parametrize("N", [1, 4, 16])
def test_converse_of_proposition_8_on_the_bowl(alpha, N):
    def product(hessian):
        setting = step_size.setting(step_size.BOWL, hessian, lambda N, d: alpha, N, 10, "")
        return exact("prop8", setting, "sharp" if hessian == "ZO" else "stein").value

    assert product("ZO") == pytest.approx(mean_factor(alpha, 1, 10, N)) == pytest.approx(abs(1 - 6 * alpha) ** N)
    assert product("Stein") == pytest.approx((1 - alpha) ** N)


@pytest.mark.parametrize("d", [2, 8, 64])
def test_the_largest_step_on_the_dome_is_where_the_squared_product_reaches_2(d):
    step = largest_step(1.0, d, 4)
    setting = step_size.setting(step_size.DOME, "ZO", lambda N, d: step, 4, d, "")
    assert exact("prop8", setting).value == pytest.approx(2**0.5)
    assert step == pytest.approx(step_size.theory(step_size.DOME, "ZO", N=4, d=d))


@pytest.mark.by_chance(1e-6)
def test_gradient_differences_have_the_corrected_mean():
    """As the study says; and the exact value is the mean of sampled products."""
    tasks, w, inner = step_size.FAMILIES[step_size.TRIGONOMETRIC](3), np.linspace(-0.5, 1, 3), InnerLoop(0.3, 2)
    corrected, differences = (
        zeroth_order.mean_product_norm(Setting(tasks, w, inner, hessian))
        for hessian in (ZerothOrder(0.1, 10, stein=True), GaussianSmoothing(0.1, 10))
    )
    np.testing.assert_allclose(corrected, differences, rtol=1e-12)
    rng, count = np.random.default_rng(0), 20_000
    second = w - inner.alpha * tasks.grad(w)[0]
    factors = []
    for place in (w, second):
        operator = GaussianSmoothing(0.1, 10).operator(tasks, np.broadcast_to(place, (count, 1, 3)), 1, rng)
        columns = operator(np.eye(3)[:, None, None])[:, :, 0]
        factors.append(np.eye(3) - inner.alpha * np.moveaxis(columns, 0, -1))
    products = factors[0] @ factors[1]
    error = 5 * np.linalg.norm(products.std(0)) / np.sqrt(count)
    assert abs(np.linalg.norm(products.mean(0), 2) - corrected[0]) < error
    assert error < 0.03


@pytest.mark.parametrize("pair", [finite_sum.concave_pair, finite_sum.sawtooth_pair, finite_sum.trigonometric_pairs])
def test_the_gradients_of_support_and_target_are_b_apart_and_the_targets_do_not_move(pair):
    sizes = []
    for b in (0.5, 20.0):
        tasks, w = pair(b)
        away = np.linalg.norm(tasks.support.grad(w) - tasks.target.grad(w), axis=-1)
        assert np.allclose(away, b)
        assert tasks.b == pytest.approx(b)
        sizes.append(np.linalg.norm(tasks.target.grad(w), axis=-1))
    assert np.allclose(*sizes)


@pytest.mark.parametrize("b", [0.01, 1.0, 1e4])
def test_second_moment_and_variance_of_the_concave_pair(b):
    """The gradient of the target has norm 1 at w and stretches with the path: ``q^N ((1 + b) q^N - b)``."""
    stretch = (1 + 1 / 40) ** 5
    found = exact("finite-prop4", finite_sum.setting(finite_sum.concave_pair, N=5, b=b), "local")
    assert found.value == pytest.approx((stretch * ((1 + b) * stretch - b)) ** 2)
    assert found.ratio == pytest.approx(1)
    variance = exact("finite-prop7-vector", finite_sum.setting(finite_sum.concave_pair, 0.1, Q=4, b=b))
    assert variance.value == pytest.approx(6 / 4)  # (||A||_F^2 + 1)/Q with A = -I, d = 5
    assert variance.ratio == pytest.approx(6 / 7)


@pytest.mark.parametrize("b", [0.01, 1.0, 1e6])
def test_the_sawtooth_pair_attains_the_smoothness_for_every_distance(b):
    q, found = 1 + 1 / 40, check("finite-prop1", finite_sum.setting(finite_sum.sawtooth_pair, N=5, b=b))
    curvature, shift = q**9 * (q**5 - 1), q**4 * (q**5 - 1) ** 2
    assert found.bound == pytest.approx(q**10 + curvature + shift * b)
    assert 0.999 < found.ratio <= 1


def test_without_scikit_learn_the_digits_are_left_out(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    left = runpy.run_path(finite_sum.__file__)["FIXED"]
    assert set(left) == set(finite_sum.FIXED) - {finite_sum.DIGITS}


NOISY = Trigonometric.random(dim=5, tasks=1, rng=3).with_noise(RandomPhase(amplitude=1.0, kappa=1.0))
PATH = at(NOISY, 1.0, 0.05, 3, S=64, D=64, T=64)
CURVED = Setting(
    Trigonometric.random(dim=20, tasks=1, rng=4).with_noise(AdditiveGaussian(sigma_g=1.0)),
    np.ones(20),
    PATH.inner,
    GaussianSmoothing(nu=1e-3, directions=1),
)


def start(setting, count):
    return np.broadcast_to(setting.w, (count, 1, setting.tasks.dim))


def plain_gradients(rng, count):
    return stochastic_meta_gradient(NOISY, start(PATH, count), PATH.inner, PATH.hessian, rng)


def plain_hessians(rng, count):
    operator = CURVED.hessian.operator(CURVED.tasks, start(CURVED, count), CURVED.inner.D, rng)
    return np.moveaxis(operator(np.eye(20)[:, None, None, :]), 0, -1)


@pytest.mark.parametrize(
    ("claim", "setting", "plain", "count", "gain"),
    [
        ("prop2-mean", PATH, lambda rng, n: stochastic_path(NOISY, start(PATH, n), PATH.inner, rng)[-1], 4000, 1e3),
        ("prop3", PATH, plain_gradients, 4000, 1e9),
        ("prop4", PATH, lambda rng, n: np.sum(plain_gradients(rng, n) ** 2, axis=-1), 4000, 10),
        ("prop6", CURVED, plain_hessians, 400, 1e9),
    ],
)
def test_variance_reduction_gains_orders_of_magnitude(claim, setting, plain, count, gain):
    """Variance of a plain replicate over that of the replicate which the bench draws."""
    reduced = claims.get(claim).measurement.sampled.draw(setting)
    spread = [np.var(draw(np.random.default_rng(0), count), axis=0).sum() for draw in (plain, reduced)]
    assert math.isfinite(spread[0])
    assert spread[0] > gain * spread[1]
