"""Theorems 1 and 2 and Corollary 1 against a second implementation, their limits, and an exact run."""

import numpy as np
import pytest

from analytic import bound
from analytic.convergence import corollary1, theorem1, theorem2
from analytic.functions import norm_moment

POINT = {
    "alpha": 0.02, "steps": 3, "L": 1.5, "rho": 0.8, "tau": 0.6, "sigma": 0.5, "sigma_g": 0.4, "sigma_H": 0.3, "S": 60,
    "D": 3, "T": 4, "B": 8, "C_beta": 120, "K": 1000, "gap": 1.2, "directions": 30, "nu": 0.05, "dim": 6,
    "epsilon": 5.0,
}  # fmt: skip
FORMS = ("paper", "sharp", "smooth", "refined")


def _theorem(p, form, smoothing=False):
    """chi, xi, phi, theta, R and the final bound, written as in the paper."""
    a, n, L, rho, sg, S, sigma = (p[k] for k in ("alpha", "steps", "L", "rho", "sigma_g", "S", "sigma"))
    q = 1 + a * L
    c = q ** (2 * n) - 1
    curvature = rho / L * q ** (2 * n - 1) * (q**n - 1)
    s = [a * sg / np.sqrt(S) * np.sqrt(sum(q ** (2 * i) for i in range(j))) for j in range(n + 1)]
    V = p["sigma_H"] ** 2 / p["D"]
    if smoothing:
        V = L**2 * (p["dim"] + 2) / p["directions"] + 2 * sg**2 / (p["directions"] * p["D"] * p["nu"] ** 2)
    A = q**2 + a**2 * V
    if form == "paper":
        C1, C2 = q ** (2 * n) * sg, q ** (4 * n) * rho * sg / ((2 - q ** (2 * n)) * L) ** 2
        M1 = 3 * A**n * sg**2
        M2 = M1 * ((1 + 2 * a * L + 2 * (a * L) ** 2) ** n - 1) * a * L / (1 + a * L)
        M3 = 2 * M1 * q ** (2 * n) / ((2 - q ** (2 * n)) ** 2 * sg**2)
    else:
        C1, C2 = q**n * L * s[n] * np.sqrt(S), a * rho * q ** (2 * n - 1) * sum(s[:n]) * np.sqrt(S) / (1 - c)
        M1, M2, M3 = A**n * sg**2, 2 * A**n * L**2 * s[n] ** 2 * S, 2 * A**n * q ** (2 * n) * (1 + c) / (1 - c) ** 2
    m = [0.0]
    for j in range(n):
        m.append(q * m[-1] + a * rho / 2 * s[j] ** 2)
    drift, total, spread, start, (b1, b2, b3) = L * m[n] + rho / 2 * s[n] ** 2, sum(s[:n]), sigma, L, (0.8, 2, 4)
    if form == "smooth":
        pairs = sum(s[j] * s[i] for j in range(n) for i in range(j + 1, n))
        C1 = np.sqrt(S) * (q**n * drift + a * rho * q ** (n - 1) * L * s[n] * total)
        C2 = a * q ** (2 * n - 1) * sum(rho * m[j] + p["tau"] / 2 * s[j] ** 2 for j in range(n))
        C2 = np.sqrt(S) * (C2 + (a * rho) ** 2 * q ** (2 * n - 2) * pairs) / (1 - c)
    if form == "refined":
        spread, start, (b1, b2, b3) = sigma * np.sqrt((1 - c) / (1 + c)), q ** (2 * n) * L, (8 / 9, 1.28, 2.11)
        total = sum(min(rho * x, 2 * L) for x in s[:n])
        C1 = np.sqrt(S) * min(q**n * L * s[n], q**n * drift + a * q ** (n - 1) * L * s[n] * total)
        C2 = np.sqrt(S) * a * q ** (2 * n - 1) * total / (1 - c)
        if smoothing:
            two = L * np.sqrt(p["dim"] + 1) + rho * p["nu"] / 2 * np.sqrt((p["dim"] + 2) * (p["dim"] + 4))
            V = V + (min(two, L * np.sqrt(p["dim"] + 2)) ** 2 - L**2 * (p["dim"] + 2)) / p["directions"]
            A = q**2 + a**2 * V
        kappa = min(L * s[n], drift)
        M1, M2 = A**n * sg**2, A**n * S * L * s[n] * (L * s[n] + kappa)
        M3 = A**n * (1 + kappa / (L * s[n])) * q ** (2 * n) / (1 - c) ** 2
    if smoothing:
        h = rho * p["nu"] * (np.sqrt(p["dim"]) if form == "paper" else norm_moment(1, p["dim"]))
        h = min(h, p["tau"] * p["nu"] ** 2 * p["dim"] / 2) if form == "smooth" else h
        C1 += np.sqrt(S) * n * a * h * q ** (n - 1) * L * s[n]
        C2 += np.sqrt(S) * n * a * h * q ** (2 * n - 1) / (1 - c)
    B, C = p["B"], p["C_beta"]
    chi = (1 - c) * q ** (2 * n) * L / curvature + spread
    xi = 3 / (C * start) * (b2 / 2 + b3 / C) * (C1**2 + C2**2 * spread**2)
    phi = b3 / (2 * C**2 * start) * (M1 / p["T"] + M2 / S + M3 * sigma**2)
    theta = 2 * (1 - c) / (C * curvature)
    theta *= b1 / 4 - (0.75 * b2 + 1.5 * b3 / C) * C2**2 / S - b3 * M3 / (4 * C * B) - b3 / (2 * C)
    if form in ("paper", "sharp"):  # written with the paper's numbers
        xi = 6 / (C * L) * (0.5 + 2 / C) * (C1**2 + C2**2 * sigma**2)
        phi = 2 / (C**2 * L) * (M1 / p["T"] + M2 / S + M3 * sigma**2)
        theta = 2 * (1 - c) / (C * curvature) * (0.2 - (1.5 + 6 / C) * C2**2 / S - M3 / (C * B) - 2 / C)
    R = p["gap"] / (theta * p["K"]) + xi / (theta * S) + phi / (theta * B)
    return chi, xi, phi, theta, R, R / 2 + np.sqrt(R**2 / 4 + chi * R)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", [{}, {"steps": 1}, {"sigma": 0.0}, {"sigma_g": 3.0, "S": 5000}])
def test_theorems_as_in_the_paper(form, change):
    p = POINT | change
    for smoothing, theorem in ((False, theorem1), (True, theorem2)):
        t = theorem(form=form, **p)
        expected = _theorem(p, form, smoothing)
        assert (t.chi, t.xi, t.phi, t.theta, t.R, t.value) == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize("form", FORMS)
def test_limit_of_constant_hessians(form):
    for theorem in (theorem1, theorem2):
        limit = theorem(form=form, **(POINT | {"rho": 0.0, "tau": 0.0}))
        near = theorem(form=form, **(POINT | {"rho": 1e-9, "tau": 0.0}))
        assert limit.value == pytest.approx(near.value, rel=1e-7)
        assert (limit.chi, limit.theta, limit.R) == (np.inf, np.inf, 0.0)
        # the same inequality from L_w = q^(2N) L: E G^2 <= C_beta q^(2N) L (gap/K + xi/S + phi/B) / (2 theta_0)
        p = POINT
        q = 1 + p["alpha"] * p["L"]
        c = q ** (2 * p["steps"]) - 1
        curvature = 1e-9 / p["L"] * q ** (2 * p["steps"] - 1) * (q ** p["steps"] - 1)
        theta_0 = near.theta * p["C_beta"] * curvature / (2 * (1 - c))
        progress = p["gap"] / p["K"] + limit.xi / p["S"] + limit.phi / p["B"]
        square = p["C_beta"] * (1 + c) * p["L"] * progress / (2 * theta_0)
        assert limit.value == pytest.approx(np.sqrt(square), rel=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_limit_of_constant_gradients(form):
    limit = theorem1(form=form, **(POINT | {"L": 0.0, "rho": 0.0, "tau": 0.0}))
    near = theorem1(form=form, **(POINT | {"L": 1e-9, "rho": 0.0, "tau": 0.0}))
    assert limit.value == pytest.approx(near.value, rel=1e-6)
    assert limit.phi == np.inf
    assert 0 < limit.value < np.inf


@pytest.mark.parametrize("form", (*FORMS, "direct"))
def test_a_noiseless_run_stays_below_the_bound(form):
    # one task l = cos w, no noise, so the estimate of L_w is exact: deterministic descent with beta = 1/(C_beta L_w)
    alpha, steps, C_beta, K = 0.03, 2, 60, 300
    w, start, norms, lowest = 0.7, None, [], -1.0
    for _ in range(K):
        path, derivative = w, 1.0
        for _ in range(steps):
            derivative *= 1 + alpha * np.cos(path)
            path = path + alpha * np.sin(path)
        gradient = -derivative * np.sin(path)
        start = np.cos(path) if start is None else start
        norms.append(abs(gradient))
        smooth = bound("prop1")(alpha=alpha, steps=steps, L=1, rho=1, task_grad_norm=abs(np.sin(w)))
        w = w - gradient / (C_beta * smooth)
    t = theorem1(
        form=form, alpha=alpha, steps=steps, L=1, rho=1, tau=1, sigma=0, sigma_g=0, sigma_H=0, S=1, D=1, T=1, B=20,
        C_beta=C_beta, K=K, gap=start - lowest,
    )  # fmt: skip
    assert np.mean(norms) <= t.value
    assert np.mean(norms) > 0.02 * t.value


@pytest.mark.parametrize("form", (*FORMS, "direct"))
def test_corollary_is_theorem_1_at_its_schedule_and_bounded_in_the_number_of_steps(form):
    p = POINT | {"steps": np.array([1, 2, 8, 32, 128]), "B": 10, "S": 10_000, "epsilon": 2.0}
    t = corollary1(form=form, **p)
    q = p | {"alpha": 1 / (8 * p["steps"] * p["L"]), "C_beta": 100}
    assert t.value == pytest.approx(theorem1(form=form, **q).value, rel=1e-12)
    assert t.value.max() <= 1.5 * t.value.min()
    K = bound("cor1-iterations", form)(**p)
    assert np.all(K > 1)
    assert np.all(corollary1(form=form, **(p | {"K": np.ceil(K)})).value <= p["epsilon"])
    assert np.all(corollary1(form=form, **(p | {"K": np.floor(K)})).value >= p["epsilon"])


def test_iterations_grow_like_the_inverse_square_of_the_target():
    epsilon = np.array([1e-2, 1e-3])
    batch = np.ceil(1e6 / epsilon**2)
    p = POINT | {"epsilon": epsilon, "S": batch, "T": batch, "B": batch}
    few, many = bound("cor1-iterations")(**p)
    assert many / few == pytest.approx(100, rel=0.02)


def test_a_fixed_step_costs_exponentially_in_the_number_of_steps():
    steps = np.array([1, 5, 10])
    p = POINT | {"alpha": 0.02, "C_beta": 2000, "B": 1000}
    values = theorem1(form="sharp", **(p | {"steps": steps})).value
    assert values[2] > 2 * values[0]


def test_few_directions_suffice_when_the_step_is_small():
    steps, dim = np.array([1, 4, 16, 64]), 64
    L, alpha = 1.0, 1 / (8 * steps)
    V = bound("prop7-vector")(L=L, dim=dim, directions=1, sigma_g=0, D=1, nu=1)
    growth = (1 + alpha**2 * V / (1 + alpha) ** 2) ** steps
    assert np.all(growth <= np.exp((dim + 2) / (64 * steps)))
    assert growth[1] == pytest.approx(1.265, abs=1e-3)  # d = 64, N = 4, one direction


def test_smoothing_bias_of_theorem_2_is_second_order_with_tau():
    p = POINT | {"sigma_g": 0.0, "sigma": 1.0}
    small, half = (theorem2(form="smooth", **(p | {"nu": nu})).xi for nu in (1e-3, 5e-4))
    assert small / half == pytest.approx(16)  # the squared bias
    small, half = (theorem2(form="sharp", **(p | {"nu": nu})).xi for nu in (1e-3, 5e-4))
    assert small / half == pytest.approx(4)
