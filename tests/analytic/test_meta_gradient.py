"""Propositions 3 and 4 against plain recursions and exact one-dimensional problems (Gauss-Hermite)."""

import itertools

import numpy as np
import pytest

from analytic import bound


def _plain(p):
    """s_j, m_j and the sums of Proposition 3 as loops over floats."""
    a, n, L, rho = p["alpha"], p["steps"], p["L"], p["rho"]
    q = 1 + a * L
    s2, m = [0.0], [0.0]
    for _ in range(n):
        m.append(q * m[-1] + a * rho / 2 * s2[-1])
        s2.append(q * q * s2[-1] + a * a * p["sigma_g"] ** 2 / p["S"])
    return q, np.sqrt(s2), np.array(m)


POINT = {
    "alpha": 0.03, "steps": 4, "L": 1.7, "rho": 0.9, "tau": 0.8, "sigma": 0.5, "sigma_g": 2.0, "sigma_H": 0.4, "S": 3,
    "D": 2, "T": 5, "grad_norm": 0.7, "task_grad_norm": 0.8, "task_grad_rms": 0.9,
}  # fmt: skip


@pytest.mark.parametrize(
    "change", [{}, {"sigma_g": 300.0}, {"steps": 1}, {"rho": 0.0, "tau": 0.0}, {"L": 0.0, "rho": 0.0, "tau": 0}]
)
def test_bias_forms_as_loops(change):
    p = POINT | change
    q, s, m = _plain(p)
    a, n, L, rho, tau = (p[k] for k in ("alpha", "steps", "L", "rho", "tau"))
    c = q ** (2 * n) - 1
    drift = L * m[n] + rho / 2 * s[n] ** 2

    def smaller(g, h):
        plain = q**n * L * s[n] + a * q ** (2 * n - 1) * g * h
        by_mean = q**n * drift + a * q ** (n - 1) * (q**n * g + L * s[n]) * h
        return min(plain, by_mean)

    Gamma = (p["grad_norm"] + p["sigma"]) / (1 - c)
    gamma = bound("lemma-a-tasks")(**p)
    rough, fine = rho * sum(s[:n]), sum(min(rho * x, 2 * L) for x in s[:n])
    assert bound("prop3")(**p) == pytest.approx(smaller(Gamma, rough))
    assert bound("prop3", "refined")(**p) == pytest.approx(smaller(gamma, fine))
    assert bound("prop3", "cone")(**p) == pytest.approx(smaller(bound("lemma-a-tasks", "cone")(**p), fine))
    assert bound("prop3", "local")(**p) == pytest.approx(smaller(p["task_grad_norm"], rough))
    assert bound("prop3", "refined_local")(**p) == pytest.approx(smaller(p["task_grad_norm"], fine))
    g = p["task_grad_norm"]
    smooth = q**n * drift + a * q ** (2 * n - 1) * g * sum(rho * m[j] + tau / 2 * s[j] ** 2 for j in range(n))
    for j in range(n):
        later = q**n * g * sum(a * rho * q ** (n - 2 - j) * s[i] for i in range(j + 1, n))
        smooth += q**j * a * rho * s[j] * (q ** (n - 1 - j) * L * s[n] + later)
    assert bound("prop3", "smooth")(**p) == pytest.approx(smooth)
    if L:
        C2 = q ** (4 * n) * rho * p["sigma_g"] / ((2 - q ** (2 * n)) * L) ** 2
        paper = (q ** (2 * n) * p["sigma_g"] + C2 * (p["grad_norm"] + p["sigma"])) / np.sqrt(p["S"])
        assert bound("prop3", "paper")(**p) == pytest.approx(paper)


@pytest.mark.parametrize("change", [{}, {"steps": 1}, {"rho": 0.0, "tau": 0.0}])
def test_second_moment_forms_as_loops(change):
    p = POINT | change
    q, s, m = _plain(p)
    n, L, rho, x = p["steps"], p["L"], p["rho"], p["alpha"] * p["L"]
    c = q ** (2 * n) - 1
    A = q**2 + p["alpha"] ** 2 * p["sigma_H"] ** 2 / p["D"]
    noise = p["sigma_g"] ** 2 / p["T"]
    gamma = np.hypot((p["grad_norm"] + c * p["sigma"]) / (1 - c), p["sigma"])
    kappa = min(L * s[n], L * m[n] + rho / 2 * s[n] ** 2)

    def crossed(g):
        return A**n * (noise + (q**n * g) ** 2 + 2 * q**n * g * kappa + (L * s[n]) ** 2)

    assert bound("prop4")(**p) == pytest.approx(A**n * (noise + (q**n * gamma + L * s[n]) ** 2))
    assert bound("prop4", "local")(**p) == pytest.approx(A**n * (noise + (q**n * p["task_grad_rms"] + L * s[n]) ** 2))
    assert bound("prop4", "refined")(**p) == pytest.approx(crossed(bound("lemma-a-tasks")(**p)))
    assert bound("prop4", "cone")(**p) == pytest.approx(crossed(bound("lemma-a-tasks", "cone")(**p)))
    assert bound("prop4", "refined_local")(**p) == pytest.approx(crossed(p["task_grad_rms"]))
    C1 = 3 * A**n * p["sigma_g"] ** 2
    C2 = C1 * ((1 + 2 * x + 2 * x * x) ** n - 1) * x / (1 + x)
    C3 = 2 * C1 * q ** (2 * n) / ((2 - q ** (2 * n)) ** 2 * p["sigma_g"] ** 2)
    paper = C1 / p["T"] + C2 / p["S"] + C3 * (p["grad_norm"] ** 2 + p["sigma"] ** 2)
    assert bound("prop4", "paper")(**p) == pytest.approx(paper)


def _exact(count, steps, nodes, seed, noise_scale):
    """Random losses a w^2/2 + b cos(k w + phase) in one dimension: exact moments of the meta gradient."""
    rng = np.random.default_rng(seed)
    a, amplitude = rng.choice([-1.0, 0.0, 1.0], count), 10 ** rng.uniform(-3, 0, count)
    k = 10 ** rng.uniform(-0.5, 0.5, count)
    # the start is where the noise does most: random, or at the most concave point of the cosine
    phase = np.where(rng.random(count) < 0.5, rng.uniform(0, 2 * np.pi, count), 0.0)
    w = rng.normal(size=count) * 10 ** rng.uniform(-2, 0.5, count)
    L, rho, tau = np.abs(a) + amplitude * k**2, amplitude * k**3, amplitude * k**4
    alpha = rng.uniform(0.05, 0.999, count) * np.expm1(np.log(2) / (2 * steps)) / L
    deviation = noise_scale * 10 ** rng.uniform(-2, 0, count) / (alpha * k)
    sigma_H, T = rng.choice([0.0, 1.0], count) * L, 3
    x, p = np.polynomial.hermite_e.hermegauss(nodes)
    p = p / p.sum()
    grad = lambda w: a * w - amplitude * k * np.sin(k * w + phase)
    hess = lambda w: a - amplitude * k**2 * np.cos(k * w + phase)

    def run(noises):
        here, product, square = w.copy(), np.ones(count), np.ones(count)
        for xi in noises:
            factor = 1 - alpha * hess(here)
            product, square = product * factor, square * (factor**2 + alpha**2 * sigma_H**2)
            here = here - alpha * (grad(here) + deviation * xi)
        return here, product * grad(here), square * (grad(here) ** 2 + deviation**2 / T)

    end, exact, _ = run([0.0] * steps)
    mean, second, mean_end = np.zeros(count), np.zeros(count), np.zeros(count)
    for path in itertools.product(range(nodes), repeat=steps):
        weight = np.prod(p[list(path)])
        if weight < 1e-18:
            continue
        last, value, squared = run(x[list(path)])
        mean, second, mean_end = mean + weight * value, second + weight * squared, mean_end + weight * last
    constants = {
        "alpha": alpha, "steps": steps, "L": L, "rho": rho, "tau": tau, "sigma": 0.0, "sigma_g": deviation,
        "sigma_H": sigma_H, "S": 1, "D": 1, "T": T, "grad_norm": np.abs(exact), "task_grad_norm": np.abs(grad(w)),
        "task_grad_rms": np.abs(grad(w)),
    }  # fmt: skip
    return np.abs(mean - exact), second, np.abs(mean_end - end), constants


@pytest.mark.parametrize(("steps", "nodes", "scale"), [(1, 40, 1.0), (2, 24, 0.7), (2, 40, 3.0), (3, 12, 0.3)])
def test_no_exact_one_dimensional_problem_exceeds_a_form(steps, nodes, scale):
    bias, second, drift, constants = _exact(600, steps, nodes, steps + nodes, scale)
    rounding = 1e-9 * (1 + constants["task_grad_norm"])
    for form in ("sharp", "refined"):
        assert np.all(drift <= bound("prop2-mean", form)(**constants) * (1 + 1e-9) + rounding)
    for form in ("paper", "sharp", "local", "smooth", "refined", "cone", "refined_local"):
        assert np.all(bias <= bound("prop3", form)(**constants) * (1 + 1e-9) + rounding), form
    best = 0
    for form in ("paper", "sharp", "local", "refined", "cone", "refined_local"):
        limit = bound("prop4", form)(**constants)
        assert np.all(second <= limit * (1 + 1e-9)), form
        best = (second / limit).max()
    assert best > 0.9  # the last form is nearly met by some of these problems


def test_concave_quadratic_attains_the_refined_second_moment():
    # l = -(L/2) w^2: w_N has mean q^N w and variance s_N^2, the gradient is -L w_N
    L, alpha, steps, w, noise, S, T = 1.4, 0.2, 3, 0.9, 0.8, 2, 3
    q = 1 + alpha * L
    s2 = alpha**2 * noise**2 / S * sum(q ** (2 * j) for j in range(steps))
    exact = q ** (2 * steps) * (L**2 * (q ** (2 * steps) * w**2 + s2) + noise**2 / T)
    point = {"alpha": alpha, "steps": steps, "L": L, "rho": 0, "sigma_g": noise, "sigma_H": 0, "S": S, "D": 1, "T": T}
    assert bound("prop4", "refined_local")(**point, task_grad_rms=L * w) == pytest.approx(exact, rel=1e-12)
    assert bound("prop4", "local")(**point, task_grad_rms=L * w) > 1.2 * exact


def test_orders_in_the_batch_size():
    S = np.array([10**6, 10**8])
    p = {k: v for k, v in POINT.items() if k not in ("S", "T")} | {"S": S, "T": 10**15, "sigma_g": 0.5}
    slope = lambda y: np.log(y[1] / y[0]) / np.log(100)
    assert slope(bound("prop3", "paper")(**p)) == pytest.approx(-0.5, abs=1e-3)
    assert slope(bound("prop3")(**p)) == pytest.approx(-0.5, abs=1e-3)
    assert slope(bound("prop3", "smooth")(**p)) == pytest.approx(-1, abs=1e-3)
    rest = lambda form: bound("prop4", form)(**p) - bound("prop4", form)(**(p | {"sigma_g": 0.0}))
    assert slope(rest("local")) == pytest.approx(-0.5, abs=1e-2)
    assert slope(rest("refined_local")) == pytest.approx(-1, abs=1e-2)


def test_refined_bias_saturates_in_the_lipschitz_constant_of_the_hessian():
    p = {k: v for k, v in POINT.items() if k != "rho"}
    limit = bound("prop3", "refined_local")(**p, rho=1e9)
    assert limit == bound("prop3", "refined_local")(**p, rho=1e12)
    assert bound("prop3", "local")(**p, rho=1e9) > 1e6 * limit
