"""Ceilings of runs: the bowls they rest on, a case by hand, the worst that an adversary can do, certified verdicts."""

import numpy as np
import pytest
from zoo import at, chance, run, tilted

from maml_bench import OuterLoop, check, claims, train
from maml_bench.claims import ceilings
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.problems import AdditiveGaussian, Kink, Logistic, Quadratic, RandomPhase, SoftmaxBandit, Trigonometric
from maml_bench.problems.bowl import LARGEST

WAVES = Trigonometric.random(3, 4, 0)
PAIR = tilted(WAVES)
PHASES = WAVES.with_noise(RandomPhase(0.5, 1.0))
GAUSSIAN = WAVES.with_noise(AdditiveGaussian(0.5))
KINKS, BANDIT = Kink.random(3, 4, 0), SoftmaxBandit.random(3, 4, 0)
NOISE_ALONE = Quadratic(np.eye(2), np.zeros((1, 2))).with_noise(AdditiveGaussian(2.0))


def setting(tasks=WAVES, **options):
    return run(tasks, **({"iterations": 60, "B": 10} | options))


@pytest.mark.parametrize(
    "tasks",
    [WAVES, Trigonometric.random(1, 2, 3), Quadratic.random(3, 4, 0, low=0.1), Logistic.random(3, 4, 0).support, KINKS],
    ids=lambda tasks: type(tasks).__name__,
)
def test_what_is_beside_the_bowl_is_bounded(tasks):
    bowl = tasks.bowl
    w = 10.0 ** np.linspace(-2, 3, 400)[:, None, None] * np.random.default_rng(0).standard_normal((400, 1, tasks.dim))
    rest = np.linalg.norm(tasks.grad(w) - (w @ bowl.A - bowl.linear), axis=-1)
    bend = np.linalg.norm(tasks.hess(w) - bowl.A, 2, axis=(-2, -1))
    scale = 1e-12 * np.abs(w).max()
    assert np.all(rest <= bowl.slope + scale) and np.all(bend <= bowl.bend + 1e-12)
    assert np.all(rest.max(0) >= 0.4 * bowl.slope) and bend.max() >= 0.4 * bowl.bend


def test_no_bowl_where_the_tasks_differ_or_bend_down():
    assert Quadratic(np.array([np.eye(2), 2 * np.eye(2)]), np.zeros((2, 2))).bowl is None
    assert Quadratic.concave(2).bowl is None


def test_a_bandit_has_bounded_gradients_and_no_bowl_that_lasts():
    # of two actions at equal odds the gradient is (r_2 - r_1)/4 times (1, -1): the largest there is
    pair = SoftmaxBandit(np.array([[0.0, 3.0]]))
    assert np.linalg.norm(pair.grad(np.zeros(2))) == pytest.approx(pair.bowl.slope[0], rel=1e-12)
    with np.errstate(all="raise"):
        top = ceilings.ceilings(setting(pair, alpha_L=0.01, steps=2)).norms
    assert top == pytest.approx(np.full(60, 1.01**2 * 3 / np.sqrt(8)), rel=1e-12)


def test_round_bowls_are_stated_where_eigenvalues_can_be_taken():
    for tasks in (Kink(np.zeros((1, LARGEST + 1)), np.ones((1, LARGEST + 1))), SoftmaxBandit(np.eye(LARGEST + 1)[:1])):
        assert tasks.bowl is None
        assert ceilings.ceilings(setting(tasks)) is None


def test_without_noise_one_bowl_never_exceeds_its_start():
    # x = A w - b = 3 at the start, no slope beside the bowl: the gradient is at most 3, the meta gradient q^-2 of that
    case = setting(Quadratic(np.eye(1), np.array([[-2.0]])), alpha_L=0.5, steps=1)
    assert ceilings.ceilings(case).norms == pytest.approx(np.full(60, 3.0))


@pytest.mark.parametrize("curvature", [1.0, 4.0, 0.25])
@pytest.mark.parametrize("C_beta", [0.7, 2.0, 50.0])
def test_the_worst_that_an_adversary_can_do(C_beta, curvature):
    # tasks that pull to -1 and to 1; the adversary draws the second only, which is all that the ceiling can know; x is
    # the gradient, and curvature is a matter of units
    tasks = Quadratic(curvature * np.eye(1), np.array([[-1.0], [1.0]]))
    case = setting(tasks, w=0.0, alpha_L=0.05, C_beta=C_beta)
    x, norms = 0.0, []
    beta = 1 / (C_beta * 1.05**6)
    for _ in range(60):
        norms.append(0.95**6 * abs(x))
        x -= beta * 0.95**6 * (x - 1)
    top = ceilings.ceilings(case).norms
    assert np.all(norms <= top)
    assert norms[-1] >= 0.45 * top[-1]


@pytest.mark.parametrize("curvature", [1.0, 8.0])
def test_the_ceiling_of_a_run_without_end_by_hand(curvature):
    # tasks that pull by 1 to either side along the steep axis, the other is 25 times as flat: one step could add up to
    # 25 U, but A^(-1) in place of I makes that 5 R, where (m - k) R^2 = (1 + 2k) U R + k U^2, and one step beyond
    tasks = Quadratic(curvature * np.diag([1.0, 0.04]), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    top = ceilings.ceilings(setting(tasks, w=0.0, iterations=3000, alpha_L=0.05, C_beta=20.0)).norms
    beta, m, U = 1 / (20 * 1.05**6), 0.95**6, 1 + 3 * 0.05
    k = beta / 2
    (R,) = (root for root in np.roots([m - k, -(1 + 2 * k) * U, -k * U**2]) if root > 0)
    assert top[-1] == pytest.approx(5 * R + beta * (R + U), rel=1e-12)
    assert np.all(np.diff(top[:20]) > 0)


@pytest.mark.parametrize(
    "case",
    [
        setting(),
        setting(PHASES),
        setting(PHASES, B=1, C_beta=2.0),
        setting(PAIR, w=9.0),
        setting(GAUSSIAN),
        setting(GAUSSIAN, B=1, C_beta=2.0),
        setting(NOISE_ALONE, C_beta=2.0),
        setting(KINKS.with_noise(AdditiveGaussian(0.5))),
        setting(BANDIT),
        setting(Logistic.random(3, 4, 0)),
    ],
)
def test_runs_stay_below(case):
    top = ceilings.ceilings(case).norms
    norms = train(case, replicates=16).gradient_norm
    assert np.all(norms <= top[:, None])
    assert top.mean() < 12 * norms.max()


def test_what_has_no_ceiling():
    assert ceilings.ceilings(setting(Quadratic.concave(2))) is None
    # fourth moments grow, as far as is known, by 1 + beta p at every step: some 1.5 to the number of steps
    assert ceilings.ceilings(setting(GAUSSIAN, C_beta=0.5)) is not None
    assert ceilings.ceilings(setting(GAUSSIAN, C_beta=0.5, iterations=600)) is None
    assert ceilings.ceilings(setting(alpha_L=4.0)) is None
    assert ceilings.of_mean(np.full(3, 31.0), 1.0) is None


def test_what_gaussian_noise_adds_by_hand():
    # no slope and no bend: x -> (1 - beta M^(2N)) x - beta M^N v, v the noise; S = T = 4, d = 2, N = 3, B = 10, K = 2
    found = ceilings.ceilings(setting(NOISE_ALONE, w=0.0, iterations=2, alpha_L=0.1, C_beta=5.0))
    beta, one = 1 / (5 * 1.1**6), 2.0 / np.sqrt(2 * 4)
    largest = one * (np.sqrt(2) + np.sqrt(2 * np.log(2 * 4 / 1e-40) / 10))
    np.testing.assert_allclose(found.norms, [0, beta * 1.3 * largest], rtol=1e-12)
    np.testing.assert_allclose(found.fourth, [0, beta * 1.3 * one * 8**0.25], rtol=1e-12)
    np.testing.assert_allclose(found.beyond(), found.fourth[1] / 2 * 1e-20, rtol=1e-12)
    np.testing.assert_allclose(found.beyond(2), found.fourth[1] ** 2 / 2 * 1e-20, rtol=1e-12)


@pytest.mark.parametrize("sizes", [{"S": 1, "T": 64}, {"S": 64, "T": 1}])
def test_noise_of_the_path_and_of_its_end_by_hand(sizes):
    case = at(NOISE_ALONE, 0.0, 0.1, 3, outer=OuterLoop(1, 10, C_beta=5.0, B_beta=1, D_beta=1), **sizes)
    spread = np.sqrt(2) + np.sqrt(2 * np.log(4 / 1e-40) / 10)
    found = ceilings._noise(case)
    np.testing.assert_allclose(found.largest, [np.sqrt(2 / sizes[size]) * spread for size in "ST"], rtol=1e-12)
    np.testing.assert_allclose(found.fourth, [np.sqrt(2 / sizes[size]) * 8**0.25 for size in "ST"], rtol=1e-12)


@pytest.mark.parametrize("B", [1, 10])
def test_means_of_a_batch_exceed_what_is_allowed_for_as_rarely_as_stated(B, monkeypatch):
    # K (N + 1) means of B norms, in 2000 runs; the bound by concentration is about twice the truth for B = 1
    monkeypatch.setattr(ceilings, "RARE", 0.1)
    case = setting(NOISE_ALONE, iterations=5, B=B)
    norms = np.linalg.norm(np.random.default_rng(0).standard_normal((2000, 5 * 4, B, 2)), axis=-1).mean(-1) / np.sqrt(2)
    most = ceilings._noise(case).largest[0]
    assert np.mean(norms.max(1) > most) <= 0.1, chance(1e-9)
    assert np.mean(norms.max(1) > 0.75 * most) > 0.02, chance(1e-9)


@pytest.mark.parametrize("steps", [1, 3])
def test_fourth_moments_of_runs_stay_below(steps):
    case = setting(NOISE_ALONE, w=0.0, steps=steps, C_beta=2.0, B=1)
    norms = train(case, replicates=4096).gradient_norm
    found = np.mean(norms**4, axis=1) ** 0.25
    top = ceilings.ceilings(case).fourth
    assert np.all(found <= 1.05 * top), chance(1e-9)  # 4096 runs tell a fourth root to about 1 %
    assert found[1] >= 0.55 * top[1]


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("thm1", PHASES),
        ("thm1-square", PHASES),
        ("finite-thm1", PAIR),
        ("thm1", GAUSSIAN),
        ("thm1-square", GAUSSIAN),
        ("thm1", KINKS.with_noise(AdditiveGaussian(0.5))),
        ("thm1", BANDIT),
        ("thm1-square", BANDIT),
    ],
)
def test_verdicts_on_runs_are_certified(name, tasks, monkeypatch):
    case = setting(tasks)
    verdict = check(claims.get(name, "direct").scaled(1.3), case, budget=4096)
    assert (verdict.outcome, verdict.evidence) == ("holds", "certified")
    assert verdict.replicates <= 512
    monkeypatch.setattr(ceilings, "of_mean", lambda values, scale: np.array([0.9 * verdict.value]))
    with pytest.raises(EnvelopeExceeded):
        check(claims.get(name, "direct"), case)
