"""The finite-sum statements against a second implementation and against exact one-dimensional tasks."""

import numpy as np
import pytest

from analytic import bound
from analytic.finite_sum import finite_theorem1

POINT = {
    "alpha": 0.04, "steps": 2, "L": 1.5, "rho": 0.8, "sigma": 0.5, "b": 0.3, "b_tilde": 0.2, "B": 8, "C_beta": 120,
    "K": 1000, "gap": 1.2, "grad_norm": 0.7, "task_grad_norm": 0.8, "task_grad_rms": 0.9,
}  # fmt: skip


def test_second_implementation():
    p = POINT
    a, n, L, rho, sigma, b, b2, G = (p[k] for k in ("alpha", "steps", "L", "rho", "sigma", "b", "b_tilde", "grad_norm"))
    q = 1 + a * L
    Q, c = q**n, q ** (2 * n) - 1
    x = (G + c * sigma + Q * (Q - 1) * b) / (1 - c)
    assert bound("finite-lemma-a", "paper")(**p) == pytest.approx(x)
    assert bound("finite-prop4")(**p) == pytest.approx(Q**2 * (Q * np.hypot(x, sigma) + (Q - 1) * np.sqrt(b2)) ** 2)
    assert bound("finite-prop4", "local")(**p) == pytest.approx(Q**2 * (Q * 0.9 + (Q - 1) * np.sqrt(b2)) ** 2)
    omega = 2 * n * np.arcsin(a * L)
    shrunk = (G + Q * (Q - 1) * b) * np.cos(omega) / (1 - (a * L) ** 2) ** n
    y = bound("finite-lemma-a", "cone")(**p)
    assert y - shrunk == pytest.approx(np.sin(omega) * np.hypot(y, sigma))
    second = Q**2 * (Q * np.hypot(y, sigma) + (Q - 1) * np.sqrt(b2)) ** 2
    assert bound("finite-prop4", "cone")(**p) == pytest.approx(second)
    a1 = 4 * Q**4 / (2 - Q**2) ** 2
    a2 = 4 * Q**8 / (2 - Q**2) ** 2 * (sigma + b) ** 2 + 2 * Q**4 * (sigma**2 + b2)
    assert bound("finite-prop4", "paper")(**p) == pytest.approx(a1 * G**2 + a2)
    curvature, support = rho / L * q ** (2 * n - 1) * (Q - 1), rho / L * q ** (n - 1) * (Q - 1) ** 2
    assert bound("finite-prop1")(**p) == pytest.approx(Q**2 * L + curvature * 0.8 + support * b)
    both = (a * rho + rho / L * q ** (n - 1)) * Q**2
    assert bound("finite-prop1", "paper")(**p) == pytest.approx(Q**2 * L + both * 0.8 + both * b)

    def final(a1, a2, slope, more, moment=4.0, spread=sigma, start=L):
        C, B = p["C_beta"], p["B"]
        theta = (1 - c) / (C * slope) * (1 - moment / 2 / C - moment / 2 * a1 / (C * B))
        phi = moment / 2 * a2 / (C**2 * start)
        chi = ((1 - c) * (Q**2 * L + more * b) + slope * Q * (Q - 1) * b) / slope + spread
        R = p["gap"] / (theta * p["K"]) + phi / (theta * B)
        return chi, 0, phi, theta, R, R / 2 + np.sqrt(R**2 / 4 + chi * R)

    t = finite_theorem1("paper", **p)
    assert (t.chi, t.xi, t.phi, t.theta, t.R, t.value) == pytest.approx(final(a1, a2, both, both))
    a1 = Q**6 / (1 - c) ** 2
    a2 = Q**5 * (Q**3 * (Q - 1) * b**2 + sigma**2) / (1 - c) ** 2 + Q**3 * (Q - 1) * b2
    t = finite_theorem1("sharp", **p)
    assert (t.chi, t.xi, t.phi, t.theta, t.R, t.value) == pytest.approx(final(a1, a2, curvature, support))
    t = finite_theorem1("refined", **p)
    refined = final(a1, a2, curvature, support, 2.09, sigma * np.sqrt((1 - c) / (1 + c)), Q**2 * L)
    assert (t.chi, t.xi, t.phi, t.theta, t.R, t.value) == pytest.approx(refined)


@pytest.mark.parametrize("form", ["paper", "sharp", "refined"])
def test_limits(form):
    flat = finite_theorem1(form, **(POINT | {"rho": 0.0}))
    near = finite_theorem1(form, **(POINT | {"rho": 1e-9}))
    assert flat.value == pytest.approx(near.value, rel=1e-7)
    assert flat.R == 0
    linear = finite_theorem1(form, **(POINT | {"rho": 0.0, "L": 0.0}))
    assert 0 < linear.value < np.inf


def _random_tasks(count, seed):
    """Pairs of tasks in one dimension, losses a w^2/2 + e cos(w + phase) + slope w, everything exact."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 4, count)
    a = rng.uniform(-1, 1, (2, count))
    a[:, : count // 2] = -1.0  # half of them concave, where the bounds are nearly met
    e = 10 ** rng.uniform(-4, -0.5, (2, count))
    phase, slope = rng.uniform(0, 2 * np.pi, (2, count)), rng.normal(size=(2, count))
    difference = rng.normal(size=(2, count)) * 10 ** rng.uniform(-2, 1, count)
    w = rng.normal(size=count)
    L, rho = (np.abs(a) + e).max(0), e.max(0)
    alpha = rng.uniform(0.1, 0.999, count) * np.expm1(np.log(2) / (2 * steps)) / L
    support = lambda w: a * w - e * np.sin(w + phase) + slope
    target = lambda w: support(w) + difference
    hess = lambda w: a - e * np.cos(w + phase)

    def meta(start):
        here, product = np.broadcast_to(start, (2, count)).copy(), np.ones((2, count))
        for j in range(3):
            going = j < steps
            product = np.where(going, product * (1 - alpha * hess(here)), product)
            here = np.where(going, here - alpha * support(here), here)
        return product * target(here)

    gradient, at_w = meta(w), target(w)
    b = np.abs(difference)
    constants = {
        "alpha": alpha, "steps": steps, "L": L, "rho": rho, "b": b.mean(0), "b_tilde": (b**2).mean(0),
        "sigma": np.abs(at_w[0] - at_w[1]) / 2, "grad_norm": np.abs(gradient.mean(0)),
        "task_grad_norm": np.abs(at_w).mean(0), "task_grad_rms": np.sqrt((at_w**2).mean(0)),
    }  # fmt: skip
    other = w + rng.normal(size=count) * 10 ** rng.uniform(-4, 0, count)
    slope_found = np.abs(meta(w).mean(0) - meta(other).mean(0)) / np.abs(w - other)
    return constants, np.abs(at_w.mean(0)), (gradient**2).mean(0), slope_found


def test_no_exact_problem_exceeds_a_form():
    constants, target, second, slope = _random_tasks(20_000, 5)
    slack = 1 + 1e-9
    for form in ("paper", "sharp", "cone"):
        assert np.all(target <= bound("finite-lemma-a", form)(**constants) * slack)
    for form in ("paper", "sharp"):
        assert np.all(slope <= bound("finite-prop1", form)(**constants) * (1 + 1e-6))
    for form in ("paper", "sharp", "refined", "cone", "local"):
        limit = bound("finite-prop4", form)(**constants)
        assert np.all(second <= limit * slack)
    assert (second / limit).max() > 0.99


def test_concave_tasks_attain_the_local_second_moment():
    # l_S = -(L/2) w^2 and l_T = l_S - b w at w < -b/L
    L, alpha, steps, b, w = 1.2, 0.1, 3, 0.5, -2.0
    q = (1 + alpha * L) ** steps
    exact = (q * (-L * q * w - b)) ** 2
    point = {"alpha": alpha, "steps": steps, "L": L, "b": b, "b_tilde": b * b, "task_grad_rms": -L * w - b}
    assert bound("finite-prop4", "local")(**point) == pytest.approx(exact)
