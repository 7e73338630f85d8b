"""Proposition 1 and Lemmas A and B against second derivations and worst cases."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import linprog

from analytic import HypothesisError, bound
from analytic.functions import Geometric
from analytic.smoothness import inverse_moment, two_point_law
from analytic.vocabulary import CONSTANTS


def _closed(expression):
    return expression.replace(Geometric, lambda x, n: (x**n - 1) / (x - 1))


def test_the_two_forms_of_the_curvature_are_equal():
    forms = []
    for form in ("paper", "sharp"):
        curvature = next(d for d in bound("prop1", form).where if str(d.head) == "C_L").value
        forms.append(_closed(curvature))
    q = sp.Symbol("q", positive=True)
    N, alpha, rho, L = (CONSTANTS[name].symbol for name in ("steps", "alpha", "rho", "L"))
    assert sp.simplify(forms[0] - forms[1]) == 0
    from_theory = (rho / L) * q ** (2 * N - 1) * (q**N - 1)
    assert sp.simplify((forms[1] - from_theory).subs(L, (q - 1) / alpha)) == 0


def test_curvature_is_the_second_derivative_of_the_end_of_the_path():
    # In one dimension w_N'' obeys x <- q x + alpha rho (q^j)^2 at worst, and multiplies the final gradient q^N g.
    for steps in (1, 2, 5):
        alpha, L, rho, g = 0.07, 1.3, 0.6, 2.0
        q, x = 1 + alpha * L, 0.0
        for j in range(steps):
            x = q * x + alpha * rho * q ** (2 * j)
        expected = q ** (2 * steps) * L + x * q**steps * g
        for form in ("paper", "sharp"):
            assert bound("prop1", form)(alpha=alpha, steps=steps, L=L, rho=rho, task_grad_norm=g) == pytest.approx(
                expected
            )


def test_smoothness_without_curvature_is_the_concave_quadratic():
    assert bound("prop1")(alpha=0.5, steps=2, L=1, rho=0, task_grad_norm=9) == pytest.approx(1.5**4)


def test_two_point_law_has_the_given_moments():
    atom, weight = two_point_law(3.0, 2.0, 1.0)
    assert (atom, weight) == pytest.approx((4, 1 / 3))
    assert weight * 1 + (1 - weight) * atom == pytest.approx(3)
    assert weight * 4 + (1 - weight) * (atom - 3) ** 2 == pytest.approx(2)
    assert inverse_moment(3.0, 2.0, 1.0) == pytest.approx(1 / 3 + 2 / 3 / 16)
    assert inverse_moment(2.0, 0.0, 2.0) == 0.25


@pytest.mark.parametrize("power", [1, 2])
def test_two_point_law_is_extremal(power):
    # the best law on a grid, by linear programming; the atom is put on the grid
    for mean, variance in ((1.5, 0.2), (2.0, 0.75), (4.0, 3.0)):
        atom, _ = two_point_law(mean, variance, 1.0)
        grid = np.append(np.linspace(1, 40, 1500), atom)
        best = linprog(
            -(grid**-power),
            A_eq=[np.ones_like(grid), grid],
            b_eq=[1, mean],
            A_ub=[(grid - mean) ** 2],
            b_ub=[variance],
        )
        assert -best.fun == pytest.approx(inverse_moment(mean, variance, 1.0, power), rel=1e-7)


def test_constants_of_lemma_b():
    x = sp.Symbol("x", positive=True)

    def scaled(power, v):
        """C_beta^power L_w^power times the moment of the two-point law, a = 1, L_w = 1 + x."""
        far, near = 1 + x + v / x, v / (v + x**2)
        return (near + (1 - near) / far**power) * (1 + x) ** power

    noisy, exact = sp.Rational(49, 64), sp.Rational(3, 4)
    first, second = scaled(1, noisy), scaled(2, noisy)
    cases = ((first, sp.Rational(225, 176)), (second, sp.Rational(211, 100)), (scaled(2, exact), sp.Rational(209, 100)))
    for value, limit in cases:
        room = sp.numer(sp.together(limit - value))
        poly = sp.Poly(room, x)
        inside = [r for r in poly.real_roots() if r > 0]
        assert poly.eval(1) >= 0
        assert all(poly.diff().eval(r) == 0 for r in inside)  # touches 0, never crosses
    assert first.subs(x, sp.Rational(7, 8)) == sp.Rational(225, 176)
    assert second.subs(x, sp.Rational(9, 5)).evalf() > 2.108


def test_lemma_b_by_hand():
    # alpha L = 0.25, N = 1: q = 1.25, C_L = alpha rho q, a = q^2
    point = {"alpha": 0.25, "steps": 1, "L": 1, "rho": 0.8, "task_grad_norm": 2, "C_beta": 10, "D_beta": 4, "B_beta": 3}
    curvature, a = 0.25 * 0.8 * 1.25, 1.25**2
    smooth = a + 2 * curvature
    small = {"sigma": 0.6, "sigma_g": 0.5}
    assert bound("lemma-b-first", "paper")(**point, **small) == pytest.approx(4 / (50 * smooth))
    assert bound("lemma-b-second", "paper")(**point, **small) == pytest.approx(4 / (10 * smooth) ** 2)
    above = min(2 + 0.25, np.sqrt(4 + 0.36 + 0.0625))
    assert bound("lemma-b-first")(**point, **small) == pytest.approx(0.1 / (a + curvature * above))
    variance = curvature**2 * (0.36 + 0.0625) / 3
    assert bound("lemma-b-second")(**point, **small) == pytest.approx(inverse_moment(smooth, variance, a) / 100)


def test_lemma_b_batch_sizes_at_their_edge():
    # a = 1, C_L = 1 at alpha L -> 0: N = 1, q = 1 + 1e-12
    point = {"alpha": 1e-12, "steps": 1, "L": 1, "rho": 1e12, "task_grad_norm": 1, "C_beta": 1}
    for name in ("lemma-b-first", "lemma-b-second"):
        paper = bound(name, "paper")
        paper(**point, sigma=0, sigma_g=1, B_beta=1, D_beta=65)
        paper(**point, sigma=3, sigma_g=0, B_beta=13, D_beta=1)
        with pytest.raises(HypothesisError, match="D_beta"):
            paper(**point, sigma=0, sigma_g=1, B_beta=1, D_beta=63)
        with pytest.raises(HypothesisError, match="B_beta"):
            paper(**point, sigma=3, sigma_g=0, B_beta=11, D_beta=1)


def test_lemma_b_against_an_exact_law():
    # two equally likely tasks with gradient norms 0 and 2g, one drawn, no sampling noise
    alpha, rho, g, L = 0.1, 3.0, 1.7, 0.5
    a, curvature = 1.05**2 * L, alpha * rho * 1.05
    values = np.array([a, a + 2 * g * curvature])
    common = {
        "alpha": alpha,
        "steps": 1,
        "L": L,
        "rho": rho,
        "task_grad_norm": g,
        "C_beta": 1,
        "B_beta": 1,
        "D_beta": 1,
    }
    second = bound("lemma-b-second")(**common, sigma=g, sigma_g=0)
    first = bound("lemma-b-first")(**common, sigma=g, sigma_g=0)
    assert np.mean(values**-2.0) == pytest.approx(second)  # this law is the extremal one
    assert np.mean(1 / values) >= first


def _meta_steps(count, seed):
    """L_w C_beta E beta and (L_w C_beta)^2 E beta^2 by enumeration, L_w, and the constants.

    Three tasks in the plane, drawn with random weights; gradients carry a two-point noise of random weights and mean
    zero; one or two tasks a step.
    """
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 5, count)
    scale = lambda low, high, *shape: 10 ** rng.uniform(low, high, (count, *shape))
    gradients = rng.normal(size=(count, 3, 2)) * scale(-3, 1, 3, 1)
    weights = scale(-4, 0, 3)
    weights /= weights.sum(1, keepdims=True)
    up = scale(-3, 0)
    size, angle = scale(-3, 1), rng.uniform(0, 2 * np.pi, count)
    step = (size[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1))[:, None]
    noises = np.stack([step * (1 - up)[:, None, None], -step * up[:, None, None]], 2)
    norms = np.linalg.norm(gradients[:, :, None] + noises, axis=-1).reshape(count, 6)
    chances = (weights[:, :, None] * np.stack([up, 1 - up], -1)[:, None]).reshape(count, 6)
    sigma_g = size * np.sqrt(up * (1 - up))
    mean = (weights[..., None] * gradients).sum(1, keepdims=True)
    sigma = np.sqrt((weights * ((gradients - mean) ** 2).sum(-1)).sum(1))
    alpha, rho, B = scale(-3, 0), scale(-2, 2), rng.integers(1, 3, count)
    constants = {
        "alpha": alpha, "steps": steps, "L": 1.0, "rho": rho, "sigma": sigma, "sigma_g": sigma_g, "C_beta": 1,
        "B_beta": B, "D_beta": 1, "task_grad_norm": (weights * np.linalg.norm(gradients, axis=-1)).sum(1),
    }  # fmt: skip
    q = 1 + alpha
    floor, curvature = q ** (2 * steps), rho * q ** (2 * steps - 1) * (q**steps - 1)
    single = floor[:, None] + curvature[:, None] * norms
    pairs = (single[:, :, None] + single[:, None, :]) / 2
    moments = [
        np.where(
            B == 1,
            (chances * single**-power).sum(1),
            (chances[:, :, None] * chances[:, None, :] * pairs**-power).sum((1, 2)),
        )
        for power in (1, 2)
    ]
    smooth = floor + curvature * constants["task_grad_norm"]
    return smooth * moments[0], smooth**2 * moments[1], smooth, constants


def test_lemma_b_for_any_batch_sizes_against_enumerated_laws():
    first, second, smooth, constants = _meta_steps(40_000, 4)
    low = bound("lemma-b-first", "direct")(**constants) * smooth
    top = bound("lemma-b-second", "direct")(**constants) * smooth**2
    middle = 1 + (top - 1) / 3
    assert np.all(first >= low * (1 - 1e-9))
    assert np.all(first <= middle * (1 + 1e-9))
    assert np.all(second <= top * (1 + 1e-9))
    moving = top > 1.1  # the estimate varies enough for the comparison to mean something
    assert moving.sum() > 4000
    assert (first / low)[moving].min() < 1.02
    assert (first / middle)[moving].max() > 0.97
    assert (second / top)[moving].max() > 0.9
    for name in ("lemma-b-first", "lemma-b-second"):  # the pointwise form is the better one
        sharp, direct = bound(name)(**constants), bound(name, "direct")(**constants)
        order = sharp >= direct * (1 - 1e-12) if name.endswith("first") else sharp <= direct * (1 + 1e-12)
        assert order.all()


def test_constants_for_any_batch_sizes_against_the_extremal_law():
    distance, variance = np.meshgrid(10 ** np.linspace(-4, 4, 400), 10 ** np.linspace(-4, 3, 100))
    mean = 1 + distance
    second = inverse_moment(mean, variance, 1.0) * mean**2 / (1 + 3 * variance)
    first = inverse_moment(mean, variance, 1.0, power=1) * mean / (1 + variance)
    assert second.max() <= 1
    assert first.max() <= 1
    assert second.max() > 0.99  # 3 cannot be replaced by a smaller number, nor 1
    assert first.max() > 0.99


def test_constants_for_any_batch_sizes_by_hand():
    # alpha L = 0.25, N = 1: q = 1.25, C_L = alpha rho q, a = q^2
    point = {"alpha": 0.25, "steps": 1, "L": 1, "rho": 0.8, "task_grad_norm": 2, "C_beta": 10, "D_beta": 4, "B_beta": 3}
    ratio = 0.8 * 0.25 / 1.25
    smooth = 1.25**2 * (1 + 2 * ratio)
    first = bound("lemma-b-first", "direct")(**point, sigma=0.6, sigma_g=0.5)
    assert first == pytest.approx(1 / (10 * smooth * (1 + ratio * 0.25)))
    second = bound("lemma-b-second", "direct")(**point, sigma=0.6, sigma_g=0.5)
    assert second == pytest.approx((1 + ratio**2 * (0.36 + 0.0625)) / (10 * smooth) ** 2)
