"""Form direct of the convergence theorems: a second derivation in plain NumPy, limits, attained terms, exact runs."""

import math

import numpy as np
import pytest

from analytic import HypothesisError, bound
from analytic.convergence import theorem1, theorem2
from analytic.finite_sum import finite_theorem1, finite_theorem2
from analytic.functions import norm_moment

POINT = {
    "alpha": 0.02, "steps": 3, "L": 1.5, "rho": 0.8, "tau": 0.6, "sigma": 0.5, "sigma_g": 0.4, "sigma_H": 0.3, "S": 6,
    "D": 3, "T": 4, "B": 8, "C_beta": 12, "K": 1000, "gap": 1.2, "directions": 30, "nu": 0.05, "dim": 6, "b": 0.3,
    "b_tilde": 0.2, "epsilon": 5.0,
}  # fmt: skip
OPTIONAL = ("tau", "B_beta", "D_beta")


def _path(p):
    """q, s_j and the two biases (free part, factor of the task gradient), refined and, with tau, smooth; kappa."""
    a, n, L, rho = p["alpha"], p["steps"], p["L"], p["rho"]
    q, s, m = 1 + a * L, [0.0], [0.0]
    for _ in range(n):
        m.append(q * m[-1] + a * rho / 2 * s[-1] ** 2)
        s.append(math.sqrt(q**2 * s[-1] ** 2 + (a * p["sigma_g"]) ** 2 / p["S"]))
    drift = L * m[n] + rho / 2 * s[n] ** 2
    moved = sum(min(rho * x, 2 * L) for x in s[:n])
    refined = min(q**n * L * s[n], q**n * drift + a * q ** (n - 1) * L * s[n] * moved), a * q ** (2 * n - 1) * moved
    biases = [refined]
    if "tau" in p:
        pairs = sum(s[i] * s[j] for j in range(n) for i in range(j + 1, n))
        linear = a * q ** (2 * n - 1) * sum(rho * m[j] + p["tau"] / 2 * s[j] ** 2 for j in range(n))
        free = q**n * drift + a * q ** (n - 1) * L * s[n] * rho * sum(s[:n])
        biases.append((free, linear + (a * rho) ** 2 * q ** (2 * n - 2) * pairs))
    return q, s[n], biases, min(L * s[n], drift)


def _estimator(p, kind, q):
    """A, and what the estimator adds to the bias as a multiple of the norm of the final gradient."""
    a, n, L, d = p["alpha"], p["steps"], p["L"], p["dim"]
    if kind == "exact":
        return q**2 + a**2 * p["sigma_H"] ** 2 / p["D"], 0.0
    h = min(2 * L, p["rho"] * p["nu"] * norm_moment(1, d))
    if "tau" in p:
        h = min(h, p["tau"] * p["nu"] ** 2 * d / 2)
    if kind == "zo":
        q_z = 1 + a * L * (1 + d / 2)
        variance = L**2 * (d + 2) * (d + 4) * (d + 6) / (4 * p["directions"])
        return q_z**2 + a**2 * variance, (h + L * d / 2) / (L * d / 2) * (q_z**n - q**n)
    two = L * math.sqrt(d + 1) + p["rho"] * p["nu"] / 2 * math.sqrt((d + 2) * (d + 4))
    variance = min(two, L * math.sqrt(d + 2)) ** 2 / p["directions"]
    if kind == "ggs":
        variance += 2 * p["sigma_g"] ** 2 / (p["directions"] * p["D"] * p["nu"] ** 2)
    return q**2 + a**2 * variance, n * a * h * q ** (n - 1)


def _lemma_b(p, ratio, spread, exact=False):
    """All triples (b_1, b_2, b_3) at hand; ratio is C_L/a, spread the variance of one norm."""
    stated = (1.0, 1.28, 2.09) if exact else (8 / 9, 1.28, 2.11)
    if "B_beta" not in p:
        return [stated]
    v = ratio**2 * spread / p["B_beta"]
    first = 1.0 if exact else 1 / (1 + ratio * p["sigma_g"] / math.sqrt(p["D_beta"]))
    large = p["B_beta"] >= 4 / 3 * ratio**2 * p["sigma"] ** 2
    large &= exact or p["D_beta"] >= 64 * ratio**2 * p["sigma_g"] ** 2
    plain = (first, 1 + v, 1 + 3 * v)
    return [plain] + ([(max(first, stated[0]), min(1 + v, 1.28), min(1 + 3 * v, stated[2]))] if large else [])


def _descend(p, a, bend, gammas, bias, second, moments):
    """The theorem itself."""
    (g0, g1), (free, slope), (M0, M3), (b1, b2, b3) = gammas, bias, second, moments
    e0, e1, B, C = free + slope * g0, slope * g1, p["B"], p["C_beta"]
    theta = b1 - b2 * e1 - b3 / (2 * C) * (M3 / B + (1 - 1 / B) * (1 + e1) ** 2)
    if theta <= 0:
        return math.inf
    lam = b2 * e0 + b3 / C * (1 - 1 / B) * (1 + e1) * e0
    eta = b3 / (2 * C) * (M0 / B + (1 - 1 / B) * e0**2)
    a1, C1 = a * (1 + bend * g0), a * bend * g1
    W = C * p["gap"] / p["K"] + eta / a + lam**2 / (4 * theta) * (1 / a - 1 / (a1 + C1 * lam / theta))
    return (lam + C1 * W + math.sqrt((lam + C1 * W) ** 2 + 4 * theta * a1 * W)) / (2 * theta)


def second_derivation(p, kind="exact"):
    """The smallest of the bounds at hand."""
    a, n, L, sigma = p["alpha"], p["steps"], p["L"], p["sigma"]
    omega = 2 * n * math.asin(a * L)
    mu, turned = (1 - (a * L) ** 2) ** n / math.cos(omega), math.sin(omega)
    q, s, biases, kappa = _path(p)
    A, excess = _estimator(p, kind, q)
    g0, g1, square = sigma / math.cos(omega), 1 / (mu * (1 - turned)), sigma**2 / (1 - turned)
    curvature = p["rho"] / L * q ** (2 * n - 1) * (q**n - 1)
    floor, t = q ** (2 * n) * L, kappa / (L * s) if s else 0.0
    M3 = A**n * (1 + t) * q ** (2 * n) * g1**2
    M0 = A**n * (p["sigma_g"] ** 2 / p["T"] + L * s * (L * s + kappa) + (1 + t) * q ** (2 * n) * square)
    moments = _lemma_b(p, curvature / floor, sigma**2 + p["sigma_g"] ** 2 / p.get("D_beta", 1))
    values = []
    for free, slope in biases:
        bias = free + excess * L * s, slope + excess * q**n
        values += [_descend(p, floor, curvature / floor, (g0, g1), bias, (M0, M3), b) for b in moments]
    return min(values)


def second_derivation_finite(p, kind="exact"):
    """The same with support and target losses."""
    a, n, L, sigma, b = p["alpha"], p["steps"], p["L"], p["sigma"], p["b"]
    omega = 2 * n * math.asin(a * L)
    mu, turned = (1 - (a * L) ** 2) ** n / math.cos(omega), math.sin(omega)
    q = 1 + a * L
    A, excess = (q**2, 0.0) if kind == "exact" else _estimator(p, "shared", q)
    g1, Q = 1 / (mu * (1 - turned)), q**n
    g0 = sigma / math.cos(omega) + g1 * Q * (Q - 1) * b
    curvature, support = p["rho"] / L * q ** (2 * n - 1) * (Q - 1), p["rho"] / L * q ** (n - 1) * (Q - 1) ** 2
    floor = Q**2 * L + support * b
    # (q^N gamma + (q^N - 1) r)^2, gamma^2 <= g1^2 (G + p)^2 + sigma^2/(1 - sin), both squares split with t = q^N - 1
    M3 = A**n * Q * Q**2 * g1**2 * Q
    M0 = A**n * (Q**3 * (g1**2 * Q / (Q - 1) * (Q * (Q - 1) * b) ** 2 + sigma**2 / (1 - turned)))
    M0 += A**n * Q / (Q - 1) * (Q - 1) ** 2 * p["b_tilde"]
    moments = _lemma_b(p, curvature / floor, sigma**2, exact=True)
    bias = excess * (Q - 1) * b, excess * Q
    return min(_descend(p, floor, curvature / floor, (g0, g1), bias, (M0, M3), m) for m in moments)


CHANGES = [
    {},
    {"steps": 1},
    {"sigma": 0.0},
    {"sigma_g": 3.0, "S": 5},
    {"rho": 4.0, "sigma": 2.0, "C_beta": 40},
    {"B": 1, "C_beta": 2.5, "alpha": 0.002},
    {"alpha": 0.15, "C_beta": 30, "B": 100},
    {"rho": 0.05, "tau": 9.0},
]
SIZES = [{}, {"B_beta": 1, "D_beta": 1}, {"B_beta": 40, "D_beta": 50}, {"B_beta": 5, "D_beta": 10**6}]


def _agree(function, p, expected):
    if math.isinf(expected):
        with pytest.raises(HypothesisError, match="theta > 0"):
            function(**p)
    else:
        assert function(**p) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("smooth", [True, False])
def test_direct_forms_as_a_second_derivation(change, sizes, smooth):
    p = POINT | change | sizes
    if not smooth:
        p.pop("tau")
    _agree(lambda **p: theorem1("direct", **p).value, p, second_derivation(p))
    _agree(lambda **p: theorem2("direct", **p).value, p, second_derivation(p, "ggs"))
    _agree(lambda **p: finite_theorem1("direct", **p).value, p, second_derivation_finite(p))
    _agree(lambda **p: finite_theorem2("direct", **p).value, p, second_derivation_finite(p, "ggs"))
    small = p | {"alpha": p["alpha"] / 20}
    _agree(bound("zo-neighbourhood", "direct"), small, second_derivation(small, "zo"))
    at = p | {"alpha": 1 / (8 * p["steps"] * p["L"]), "C_beta": 100}
    _agree(bound("cor1", "direct"), p, second_derivation(at))


def test_the_larger_steps_of_the_cone_are_admitted():
    p = POINT | {"alpha": 1.2 * np.expm1(np.log(2) / 6) / 1.5, "C_beta": 300, "B": 400, "S": 10**4, "rho": 0.05}
    with pytest.raises(HypothesisError, match="q\\^"):
        theorem1("refined", **p)
    assert theorem1("direct", **p).value < 30
    with pytest.raises(HypothesisError, match="2N arcsin"):
        theorem1("direct", **(p | {"alpha": 0.18}))


def test_constants_that_need_not_be_given():
    b = bound("thm1", "direct")
    assert set(b.optional) == set(OPTIONAL)
    assert "variants that use B_beta, D_beta, tau" in b.text()
    free = {k: v for k, v in POINT.items() if k not in OPTIONAL}
    assert b(**free) == b(**free, tau=np.inf)
    assert b(**free, tau=1e-3) < b(**free)
    with pytest.raises(ValueError, match="needs"):
        b(**{k: v for k, v in free.items() if k != "rho"})
    # small batches: Lemma B's own are violated, which the other forms refuse
    tiny = free | {"B_beta": 1, "D_beta": 1, "sigma": 40.0, "rho": 5.0, "C_beta": 300}
    with pytest.raises(HypothesisError, match="Lemma B"):
        theorem1("refined", **tiny)
    assert np.isfinite(b(**tiny))
    assert b(**(tiny | {"B_beta": 10**6, "D_beta": 10**6})) < b(**tiny)


def test_each_cell_of_an_array_takes_its_best_route():
    p = POINT | {"S": np.array([1, 10**6]), "tau": 40.0, "B_beta": np.array([1, 50]), "D_beta": 9, "sigma_g": 2.0}
    t = theorem1("direct", **p)
    for i in range(2):
        one = theorem1("direct", **{k: v[i] if isinstance(v, np.ndarray) else v for k, v in p.items()})
        for field in ("theta", "lam", "eta", "start", "variance", "bias", "value"):
            assert getattr(t, field)[i] == pytest.approx(getattr(one, field), rel=1e-13)
    assert t.value == pytest.approx(bound("thm1", "direct")(**p), rel=1e-15)


def test_parts_of_the_bound():
    t = theorem1("direct", **POINT)
    assert max(t.start, t.variance, t.bias) < t.value < t.start + t.variance + t.bias
    quiet = POINT | {"sigma": 0.0, "sigma_g": 0.0, "sigma_H": 0.0}
    t = theorem1("direct", **quiet)
    assert (t.variance, t.bias) == (0, 0)
    assert t.value == t.start
    t = theorem1("direct", **(POINT | {"gap": 0.0, "rho": 0.0, "tau": 0.0}))
    assert t.start == 0
    t = theorem1("direct", **(POINT | {"B": 10**17, "gap": 0.0}))
    assert t.value == pytest.approx(t.bias, rel=1e-4)


@pytest.mark.parametrize("name", ["thm1", "thm2", "finite-thm1", "finite-thm2", "zo-neighbourhood"])
def test_limits(name):
    b = bound(name, "direct")
    p = POINT | {"alpha": 1e-3}
    flat = p | {"rho": 0.0, "tau": 0.0}
    assert b(**flat) == pytest.approx(b(**(p | {"rho": 1e-10, "tau": 0.0})), rel=1e-8)
    assert b(**(flat | {"L": 0.0})) == pytest.approx(b(**(flat | {"L": 1e-10})), rel=1e-5)
    assert np.isfinite(b(**(p | {"sigma_g": 0.0})))
    assert b(**(p | {"sigma_g": 0.0})) == pytest.approx(b(**(p | {"sigma_g": 1e-9})), rel=1e-6)


def test_one_step_of_gradient_descent_attains_the_first_term():
    # l = (L/2) w^2, alpha -> 0, beta = 1/L: one step ends at the minimum, G = L w, gap = L w^2/2
    p = POINT | {"alpha": 1e-12, "rho": 0, "tau": 0, "sigma": 0, "sigma_g": 0, "sigma_H": 0, "C_beta": 1, "K": 1}
    p |= {"gap": 1.5 * 4 / 2, "B_beta": 1, "D_beta": 1}
    assert theorem1("direct", **p).value == pytest.approx(1.5 * 2, rel=1e-9)


def test_stationary_noise_attains_the_variance_term():
    # w <- w - (w - xi/L)/C_beta on l = (L/2) w^2: E w^2 = (sigma_g/L)^2/(2 C_beta - 1); many dimensions: E|w| = root
    p = POINT | {"alpha": 1e-12, "rho": 0, "tau": 0, "sigma": 0, "sigma_H": 0, "T": 1, "B": 1, "K": 10**15}
    p |= {"C_beta": 3.0, "B_beta": 1, "D_beta": 1}
    assert theorem1("direct", **p).value == pytest.approx(0.4 / math.sqrt(5), rel=1e-6)


def test_a_stationary_biased_run_attains_the_bias_term():
    # small steps of large batches end where the meta gradient is the bias, by its norm: G = epsilon_0 + epsilon_1 G
    p = POINT | {"alpha": 1e-3, "sigma_g": 9.0, "S": 1, "B": 10**15, "gap": 0.0, "C_beta": 1e7, "rho": 0.8}
    p |= {"B_beta": 10**12, "D_beta": 10**12}
    _, _, biases, _ = _path(p)
    values = []
    for free, slope in biases:
        omega = 6 * math.asin(p["alpha"] * p["L"])
        slope_0 = 1 / (math.cos(omega) ** -1 * (1 - (p["alpha"] * p["L"]) ** 2) ** 3 * (1 - math.sin(omega)))
        values.append((free + slope * p["sigma"] / math.cos(omega)) / (1 - slope * slope_0))
    assert theorem1("direct", **p).value == pytest.approx(min(values), rel=1e-3)


@pytest.mark.parametrize("steps", [1, 3])
def test_runs_on_quadratics_stay_below_and_come_near(steps):
    # two tasks that share A = diag(L, -L/2, ...), additive noise: constants exact; 4000 runs, 40 iterations
    rng = np.random.default_rng(steps)
    L, alpha, S, B, C, K, noise, runs, d = 1.0, 0.1 / steps, 3, 2, 4.0, 40, 0.5, 4000, 6
    A = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.2])
    shift = np.zeros((2, d))
    shift[:, 0] = (-0.4, 0.4)
    M = 1 - alpha * A
    q = 1 + alpha * L
    w = np.full((runs, d), 0.3)
    gap = 0.5 * np.sum(A * M ** (2 * steps) * 0.09)
    norms = []
    for _ in range(K):
        norms.append(np.linalg.norm(A * M ** (2 * steps) * w, axis=1).mean())
        task = shift[rng.integers(0, 2, (runs, B))]
        x = np.broadcast_to(w[:, None], (runs, B, d))
        for _ in range(steps):
            x = x - alpha * (A * x - task + rng.normal(size=x.shape) * noise / math.sqrt(d * S))
        last = A * x - task + rng.normal(size=x.shape) * noise / math.sqrt(d)
        w = w - (M**steps * last).mean(1) / (C * q ** (2 * steps) * L)
    p = {
        "alpha": alpha, "steps": steps, "L": L, "rho": 0, "sigma": 0.4, "sigma_g": noise, "sigma_H": 0, "S": S, "D": 1,
        "T": 1, "B": B, "C_beta": C, "K": K, "gap": gap, "B_beta": 1, "D_beta": 1,
    }  # fmt: skip
    value = theorem1("direct", **p).value
    assert 0.5 * value < np.mean(norms) < value


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.98])
def test_the_term_of_the_start_is_attained_for_every_step_size(steps, share):
    """One exact task whose loss has the slope 1 for as long as K steps go, then bends at the rate rho to slope 0.

    So every meta gradient is 1, and the gap is at most K steps of beta and the length sqrt(2/rho) of the bend. The L
    that is claimed, up to the limit of the inner step, may be the curvature of another coordinate that rests at 0.
    """
    alpha, rho, K, C = share * math.sin(math.pi / (4 * steps)), 1e-9, 1e14, 1e6
    q = 1 + alpha
    beta = 1 / (C * (q ** (2 * steps) + rho * q ** (2 * steps - 1) * (q**steps - 1)))
    point = POINT | {"alpha": alpha, "steps": steps, "L": 1.0, "rho": rho, "K": K, "C_beta": C, "S": 1, "B": 10}
    point |= {"sigma": 0.0, "sigma_g": 0.0, "sigma_H": 0.0, "gap": K * beta + math.sqrt(2 / rho)}
    formula = bound("thm1", "direct")
    wanted = {name: point[name] for name in formula.arguments}
    assert 1 / formula(**wanted) == pytest.approx(math.sqrt(8 / 9), rel=0.01)  # Lemma B without its batch sizes
    assert 0.995 < 1 / formula(**wanted, B_beta=1e9, D_beta=1e9) <= 1
