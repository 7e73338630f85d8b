"""Theorem 1 for mean squares and quantiles: a second derivation, an attained case, runs with exact meta gradients."""

import math

import numpy as np
import pytest

from analytic import HypothesisError, bound, theorem1

POINT = {
    "alpha": 0.02, "steps": 3, "L": 1.5, "rho": 0.8, "sigma": 0.5, "sigma_g": 0.4, "sigma_H": 0.3, "S": 6, "D": 3,
    "T": 4, "B": 8, "C_beta": 12, "K": 1000, "gap": 1.2, "cap": 1.5, "failure": 0.1, "B_beta": 2, "D_beta": 3,
}  # fmt: skip


def _ratios(p):
    """a, r_0 and r_1: L_w lies between a and a (r_0 + r_1 G)."""
    q, omega = 1 + p["alpha"] * p["L"], 2 * p["steps"] * math.asin(p["alpha"] * p["L"])
    mu = (1 - (p["alpha"] * p["L"]) ** 2) ** p["steps"] / math.cos(omega)
    a = q ** (2 * p["steps"]) * p["L"]
    bend = p["rho"] / p["L"] * q ** (2 * p["steps"] - 1) * (q ** p["steps"] - 1) / a
    return a, 1 + bend * p["sigma"] / math.cos(omega), bend / (mu * (1 - math.sin(omega)))


@pytest.mark.parametrize(
    "change", [{}, {"steps": 1}, {"sigma_g": 2.0, "S": 1}, {"rho": 6.0, "sigma": 2.0, "C_beta": 50}]
)
def test_second_derivation(change):
    p = POINT | change
    a, r0, r1 = _ratios(p)
    t = theorem1("direct", **p)
    start, convex = a * p["C_beta"] * p["gap"] / p["K"], t.lam**2 / (4 * t.theta)
    positive = lambda *polynomial: max(np.roots(polynomial).real)
    # theta x^2 - lam x = eta + start (r_0 + r_1 X); the same with the level; theta x^2 - lam x = (r_0 + r_1 x) W
    square = positive(t.theta, -t.lam, -t.eta - start * (r0 + r1 * t.value)) ** 2
    assert bound("thm1-square", "direct")(**p) == pytest.approx(square, rel=1e-9)
    top = r0 + r1 * p["cap"]
    capped = positive(t.theta, -t.lam, -top * (start + t.eta + convex) + convex) ** 2
    assert bound("thm1-capped", "direct")(**p) == pytest.approx(capped, rel=1e-9)
    W = (start + t.eta + convex) / p["failure"]
    tail = positive(t.theta, -t.lam - r1 * W, -r0 * W)
    assert bound("thm1-tail", "direct")(**p) == pytest.approx(tail, rel=1e-9)


def test_constants_and_limits():
    assert bound("thm1-square", "direct")(**POINT) <= theorem1("direct", **POINT).value ** 2
    wide, narrow = (bound("thm1-capped", "direct")(**(POINT | {"cap": cap})) for cap in (1e3, 1e-3))
    assert wide > bound("thm1-square", "direct")(**POINT)
    assert narrow < wide
    flat = POINT | {"rho": 0.0}
    square = bound("thm1-square", "direct")(**flat)
    assert square == pytest.approx(theorem1("direct", **flat).value ** 2)  # then all of them are one
    assert bound("thm1-capped", "direct")(**flat) == pytest.approx(square)
    for failure in (1.0, 2.0):
        with pytest.raises(HypothesisError, match="failure < 1"):
            bound("thm1-tail", "direct")(**(POINT | {"failure": failure}))
    with pytest.raises(HypothesisError, match="theta > 0"):
        bound("thm1-square", "direct")(**(POINT | {"C_beta": 0.2}))
    linear = POINT | {"L": 0.0, "rho": 0.0}
    for name in ("thm1-square", "thm1-capped", "thm1-tail"):
        near = bound(name, "direct")(**(linear | {"L": 1e-10}))
        assert bound(name, "direct")(**linear) == pytest.approx(near, rel=1e-6)


def test_stationary_noise_attains_the_mean_square_in_one_dimension():
    # w <- w - (w - xi/L)/C_beta on l = (L/2) w^2: E G^2 = sigma_g^2/(2 C_beta - 1), whatever the law of the noise
    p = POINT | {"alpha": 1e-12, "rho": 0, "sigma": 0, "sigma_H": 0, "T": 1, "B": 1, "K": 10**15, "C_beta": 3.0}
    assert bound("thm1-square", "direct")(**p) == pytest.approx(0.16 / 5, rel=1e-6)


def _runs(C_beta, K, noise, runs=1500, seed=0):
    """Runs of Algorithm 1 on two tasks in one dimension, with the exact meta gradient and L_w along them."""
    rng = np.random.default_rng(seed)
    alpha, steps, S, T, B = 0.05, 2, 2, 2, 3
    curve, height, pull = 0.6, np.array([0.5, 0.8]), np.array([0.5, -0.3])
    loss = lambda w, i: curve * w**2 / 2 + height[i] * np.cos(w) - pull[i] * w
    grad = lambda w, i: curve * w - height[i] * np.sin(w) - pull[i]
    hess = lambda w, i: curve - height[i] * np.cos(w)
    L, rho = curve + 0.8, 0.8
    q = 1 + alpha * L
    curvature, a = rho / L * q ** (2 * steps - 1) * (q**steps - 1), q ** (2 * steps) * L

    def meta(w, i):
        product = np.ones_like(w)
        for _ in range(steps):
            product, w = product * (1 - alpha * hess(w, i)), w - alpha * grad(w, i)
        return product * grad(w, i), loss(w, i)

    def objective(w):
        values = [meta(w, np.full(w.shape, i)) for i in (0, 1)]
        return sum(v[0] for v in values) / 2, sum(v[1] for v in values) / 2

    grid = np.linspace(-6, 6, 60_001)
    w = np.full(runs, 3.0)
    gap = objective(w)[1][0] - objective(grid)[1].min() + 1e-6
    norms, smooth = [], []
    for _ in range(K):
        norms.append(np.abs(objective(w)[0]))
        smooth.append(a + curvature * (np.abs(grad(w, 0)) + np.abs(grad(w, 1))) / 2)
        task = rng.integers(0, 2, runs)
        beta = 1 / (C_beta * (a + curvature * np.abs(grad(w, task) + noise * rng.normal(size=runs))))
        i = rng.integers(0, 2, (runs, B))
        x, product = np.repeat(w[:, None], B, 1), 1.0
        for _ in range(steps):
            product = product * (1 - alpha * hess(x, i))
            x = x - alpha * (grad(x, i) + noise / math.sqrt(S) * rng.normal(size=x.shape))
        w = w - beta * (product * (grad(x, i) + noise / math.sqrt(T) * rng.normal(size=x.shape))).mean(1)
    # the task gradients differ by (pull_0 - pull_1) + (height_0 - height_1) sin w, at most 1.1: sigma = 0.55
    constants = {
        "alpha": alpha, "steps": steps, "L": L, "rho": rho, "sigma": 0.55, "sigma_g": noise, "sigma_H": 0, "S": S,
        "D": 1, "T": T, "B": B, "C_beta": C_beta, "K": K, "gap": gap, "B_beta": 1, "D_beta": 1,
    }  # fmt: skip
    return np.array(norms), np.array(smooth), constants


@pytest.mark.parametrize(("C_beta", "K", "noise"), [(1.5, 30, 0.3), (6.0, 40, 0.8), (20.0, 60, 0.2)])
def test_simulated_runs_obey_all_of_them(C_beta, K, noise):
    norms, smooth, p = _runs(C_beta, K, noise)
    square = np.mean(norms**2 / smooth) / np.mean(1 / smooth)
    limit = bound("thm1-square", "direct")(**p)
    assert 0.15 * limit < square < limit
    for cap in (0.2, 1.0, norms.max()):
        assert np.mean(np.minimum(norms, cap) ** 2) < bound("thm1-capped", "direct")(**p, cap=cap)
    for failure in (0.5, 0.1, 0.01):
        assert np.mean(norms > bound("thm1-tail", "direct")(**p, failure=failure)) <= failure
    assert norms.mean() < theorem1("direct", **p).value
