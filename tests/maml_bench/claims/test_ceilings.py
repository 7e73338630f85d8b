"""Ceilings of runs: the bowls they rest on, a case by hand, the worst that an adversary can do, certified verdicts."""

import numpy as np
import pytest
from zoo import run, tilted

from maml_bench import check, claims, train
from maml_bench.claims import ceilings
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.problems import AdditiveGaussian, Logistic, Quadratic, RandomPhase, Trigonometric

WAVES = Trigonometric.random(3, 4, 0)
PAIR = tilted(WAVES)
PHASES = WAVES.with_noise(RandomPhase(0.5, 1.0))


def setting(tasks=WAVES, **options):
    return run(tasks, **({"iterations": 60, "B": 10} | options))


@pytest.mark.parametrize(
    "tasks",
    [WAVES, Trigonometric.random(1, 2, 3), Quadratic.random(3, 4, 0, low=0.1), Logistic.random(3, 4, 0).support],
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


def test_without_noise_one_bowl_never_exceeds_its_start():
    # x = A w - b = 3 at the start, no slope beside the bowl: the gradient is at most 3, the meta gradient q^-2 of that
    case = setting(Quadratic(np.eye(1), np.array([[-2.0]])), alpha_L=0.5, steps=1)
    assert ceilings.ceilings(case) == pytest.approx(np.full(60, 3.0))


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
    top = ceilings.ceilings(case)
    assert np.all(norms <= top)
    assert norms[-1] >= 0.45 * top[-1]


@pytest.mark.parametrize("curvature", [1.0, 8.0])
def test_the_ceiling_of_a_run_without_end_by_hand(curvature):
    # tasks that pull by 1 to either side along the steep axis, the other is 25 times as flat: one step could add up to
    # 25 U, but A^(-1) in place of I makes that 5 R, where (m - k) R^2 = (1 + 2k) U R + k U^2, and one step beyond
    tasks = Quadratic(curvature * np.diag([1.0, 0.04]), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    top = ceilings.ceilings(setting(tasks, w=0.0, iterations=3000, alpha_L=0.05, C_beta=20.0))
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
        setting(Logistic.random(3, 4, 0)),
    ],
)
def test_runs_stay_below(case):
    top = ceilings.ceilings(case)
    norms = train(case, replicates=16).gradient_norm
    assert np.all(norms <= top[:, None])
    assert top.mean() < 12 * norms.max()


def test_what_has_no_ceiling():
    for tasks in (WAVES.with_noise(AdditiveGaussian(0.5)), Quadratic.concave(2)):
        assert ceilings.ceilings(setting(tasks)) is None
    assert ceilings.ceilings(setting(alpha_L=4.0)) is None
    assert ceilings.of_mean(np.full(3, 31.0), 1.0) is None


@pytest.mark.parametrize(("name", "tasks"), [("thm1", PHASES), ("thm1-square", PHASES), ("finite-thm1", PAIR)])
def test_verdicts_on_runs_are_certified(name, tasks, monkeypatch):
    case = setting(tasks)
    verdict = check(claims.get(name, "direct").scaled(1.3), case, budget=4096)
    assert (verdict.outcome, verdict.evidence) == ("holds", "certified")
    assert verdict.replicates <= 512
    monkeypatch.setattr(ceilings, "of_mean", lambda values, start: np.array([0.9 * verdict.value]))
    with pytest.raises(EnvelopeExceeded):
        check(claims.get(name, "direct"), case)
