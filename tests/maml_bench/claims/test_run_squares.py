"""Mean squares along runs: cases by hand, runs that stay below, certified verdicts where Hessians are estimated."""

import numpy as np
import pytest
from zoo import at, run, tilted

from maml_bench import OuterLoop, check, claims, train
from maml_bench.claims import ceilings, run_squares
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Kink, Logistic, Quadratic, RandomPhase, SoftmaxBandit, Trigonometric

SMOOTHED = GaussianSmoothing(0.5, 4)
BANDIT = SoftmaxBandit.random(3, 4, 0)
WAVES = Trigonometric.random(3, 4, 0)
NOISE_ALONE = Quadratic(np.eye(2), np.zeros((1, 2))).with_noise(AdditiveGaussian(2.0))
PROBLEMS = {
    "waves": WAVES.with_noise(AdditiveGaussian(0.5)),
    "phases": WAVES.with_noise(RandomPhase(0.5, 1.0)),
    "kinks": Kink.random(3, 4, 0).with_noise(AdditiveGaussian(0.5)),
    "bandit": BANDIT,
    "noise alone": NOISE_ALONE,
}


@pytest.mark.parametrize(("S", "T"), [(1, 64), (64, 1)])
@pytest.mark.parametrize("data", ["resampled", "population"])
def test_noise_alone_by_hand(S, T, data):
    # L = 1, d = 2, N = 3, D = 4: s^2 = L^2 (d + 1)/Q + 2 sigma_g^2/(Q D nu^2); from x = 0, no slope and no bend
    hessian = GaussianSmoothing(0.5, 5, data)
    outer = OuterLoop(2, 10, C_beta=5.0, B_beta=1, D_beta=1)
    case = at(NOISE_ALONE, 0.0, 0.1, 3, hessian, outer, S=S, D=4, T=T)
    s2 = 3 / 5 + (2 * 4 / (5 * 4 * 0.25) if data == "resampled" else 0)
    U, beta = 0.3 * 2 / np.sqrt(S), 1 / (5 * 1.1**6)
    variance = (1 + 0.01 * s2) ** 3 * (U**2 + 4 / T)
    found = run_squares.of_mean(case, 1.0)
    np.testing.assert_allclose(found, [beta**2 * (U**2 + variance / 10) / 2], rtol=1e-12)


def test_a_bowl_by_hand():
    # two tasks that pull by 1 to either side: g = 1 beside the mean and the cosine's slope, p the cosine's curvature
    tasks = Trigonometric(np.eye(1), np.array([[1.0], [-1.0]]), np.array([0.1]), np.array([[2.0]]), np.zeros(1))
    hessian, outer = GaussianSmoothing(0.5, 6, "population"), OuterLoop(2, 5, C_beta=4.0, B_beta=1, D_beta=1)
    case = at(tasks, 3.0, 0.1, 2, hessian, outer)
    g, p, L, rho = 1 + 0.1 * 2, 0.1 * 4, 1.4, 0.1 * 8
    s2 = min(L * np.sqrt(2) + rho * 0.25 * np.sqrt(15), L * np.sqrt(3)) ** 2 / 6
    epsilon, U, kappa = (1 + 0.1 * p) ** 2 - 1, g + 0.2 * g, (1 + 0.1 * p) ** 2 + 0.01 * s2
    beta, t = 1 / (4 * (1 + 0.1 * L) ** 4 * L), 3.0
    spread = kappa**2 * (t + U) ** 2 / 5
    after = np.hypot(t + beta * (epsilon * t + (1 + epsilon) * U), beta * np.sqrt(spread))
    squares = [((1 + epsilon) * x + 1.2 * 0.2 + epsilon * U) ** 2 for x in (t, after)]
    np.testing.assert_allclose(run_squares.of_mean(case, 1.0), [np.mean(squares)], rtol=1e-12)


def test_zeroth_order_estimates_by_hand():
    # A = I in two dimensions, no bend: half the trace is 1, and s^2 = L^2 (d + 2)(d + 4)(d + 6)/(4 Q)
    hessian, outer = ZerothOrder(0.5, 6, data="population"), OuterLoop(2, 10, C_beta=5.0, B_beta=1, D_beta=1)
    case = at(Quadratic(np.eye(2), np.zeros((1, 2))), 1.0, 0.1, 3, hessian, outer)
    t, beta, epsilon, kappa = np.sqrt(2), 1 / (5 * 1.1**6), 1.1**3 - 1, 1.1**2 + 0.01 * 4 * 6 * 8 / (4 * 6)
    after = np.hypot(t + beta * epsilon * t, beta * np.sqrt(kappa**3 * t**2 / 10))
    np.testing.assert_allclose(run_squares.of_mean(case, 1.0), [(t**2 + after**2) / 2], rtol=1e-12)
    bent = run(WAVES, hessian=hessian)
    shift, _ = run_squares._estimate(bent, ceilings.run(bent))
    assert shift == pytest.approx((np.trace(WAVES.A) + 3 * WAVES.bowl.bend) / 2, rel=1e-12)


class Thrice(GaussianSmoothing):
    """An estimator that says it is Gaussian smoothing, with another variance."""

    def operator(self, tasks, w, D, rng):
        drawn = super().operator(tasks, w, D, rng)
        return lambda v: 3 * drawn(v)


def test_an_estimator_that_draws_in_a_way_of_its_own_has_none():
    assert run_squares.of_mean(run(WAVES, hessian=SMOOTHED), 1.0) is not None
    assert run_squares.of_mean(run(WAVES, hessian=Thrice(0.5, 4)), 1.0) is None


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("B", [1, 10])
def test_runs_stay_below(problem, B):
    case = run(PROBLEMS[problem], hessian=SMOOTHED, iterations=10, B=B, C_beta=10.0)
    means = train(case, replicates=256).gradient_norm.mean(0)
    root = np.sqrt(run_squares.of_mean(case, 10.0)[0])
    assert np.sqrt(np.mean(means**2)) <= root <= 12 * means.mean()


def test_what_has_none():
    assert run_squares.of_mean(run(Quadratic.concave(2), hessian=SMOOTHED), 1.0) is None
    case = run(PROBLEMS["waves"], hessian=SMOOTHED)
    root = np.sqrt(run_squares.of_mean(case, 1.0)[0])
    assert run_squares.of_mean(case, root / 29) is not None
    assert run_squares.of_mean(case, root / 31) is None


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("thm2", PROBLEMS["waves"]),
        ("thm2", PROBLEMS["kinks"]),
        ("thm2", BANDIT),
        ("finite-thm2", tilted(WAVES)),
        ("finite-thm2", Logistic.random(3, 4, 0)),
        ("zo-neighbourhood", WAVES),
        ("zo-neighbourhood", BANDIT),
    ],
)
def test_verdicts_on_runs_are_certified(name, tasks):
    hessian = ZerothOrder(0.5, 8, data="population") if name == "zo-neighbourhood" else SMOOTHED
    verdict = check(name, run(tasks, hessian=hessian), form="direct", budget=1024)
    assert (verdict.outcome, verdict.evidence) == ("holds", "certified")


def test_a_bound_below_the_value_is_refuted_for_certain():
    case = run(PROBLEMS["waves"], hessian=SMOOTHED)
    value = check("thm2", case, form="direct", budget=64).value
    claim = claims.get("thm2", "direct")
    verdict = check(claim.scaled(0.5 * value / float(claim.right_side(case))), case, budget=16_384)
    assert (verdict.outcome, verdict.evidence) == ("violated", "certified")
