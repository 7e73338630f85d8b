"""Claims about convergence: values by hand, the constants they are compared with, and what does not apply."""

import numpy as np
import pytest
from zoo import at, draws, run, tilted

from analytic import bound
from maml_bench import check, claims, train
from maml_bench.algorithms import Adam, Reptile
from maml_bench.claims.convergence import outer_constants
from maml_bench.claims.lowest import gap
from maml_bench.hessians import FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RankOne, Trigonometric

LINES = Quadratic(np.eye(1), np.array([[1.0], [-1.0]]))
WAVES = Trigonometric.random(3, 3, 0)
NOISY = WAVES.with_noise(AdditiveGaussian(0.5))
PAIR = tilted(WAVES)


def setting(tasks=NOISY, **options):
    return run(tasks, **({"C_beta": 100.0} | options))


# --- Lemma A


def test_lemma_a_by_hand():
    # gradients 2 -+ 1 at w = 2: mean 2, mean of norms 2, sigma there 1; one step of 1/2: calL' = (1/2) mean of 1/2, 3/2
    case = at(LINES, 2.0, 0.1, 1)
    constants = {"alpha": 0.1, "steps": 1, "L": 1.0, "sigma": 1.0, "grad_norm": 0.81 * 2}
    for name, value in (("lemma-a", 2.0), ("lemma-a-tasks", 2.0)):
        verdict = check(name, case)
        assert verdict.outcome == "holds"
        assert verdict.value == pytest.approx(value, rel=1e-14)
        assert verdict.bound == pytest.approx(bound(name, "sharp")(**constants), rel=1e-12)


def test_lemma_a_needs_the_heterogeneity_at_w_only():
    tasks = Quadratic(np.array([np.eye(2), np.diag([0.5, -1.0])]), np.ones((2, 2)))
    assert tasks.regularity.sigma == np.inf
    for name in ("lemma-a", "lemma-a-tasks"):
        assert check(name, at(tasks, np.array([3.0, 1.0]), 0.05, 3)).outcome == "holds"


def test_the_finite_sum_lemma_is_about_the_target():
    verdict = check("finite-lemma-a", setting(PAIR))
    assert verdict.value == pytest.approx(np.linalg.norm(PAIR.target.grad(np.ones(3)).mean(0)), rel=1e-12)
    assert verdict.outcome == "holds"
    assert "support and a target" in check("finite-lemma-a", setting()).reason


# --- Lemma B


def test_the_moments_of_the_step_size_by_enumeration():
    case = setting(WAVES, B_beta=1, C_beta=3.0)
    regularity = WAVES.regularity
    sizes = np.linalg.norm(WAVES.grad(case.w), axis=-1)
    L_w = bound("prop1", "sharp")(
        alpha=case.inner.alpha, steps=3, L=regularity.L, rho=regularity.rho, task_grad_norm=sizes
    )
    assert set(np.round(draws("lemma-b-first", case, 200)[:, 0], 12)) == set(np.round(1 / (3 * L_w), 12))
    for name, power in (("lemma-b-first", 1), ("lemma-b-second", 2)):
        verdict = check(name, case, budget=80_000, precision=0)
        assert (verdict.outcome, verdict.evidence) == ("holds", "certified")
        assert verdict.lower <= np.mean((3 * L_w) ** -float(power)) <= verdict.upper


def test_the_step_size_is_known_where_hessians_do_not_vary():
    case = setting(LINES, alpha_L=0.1, C_beta=4.0)
    for name, power in (("lemma-b-first", 1), ("lemma-b-second", 2)):
        verdict = check(name, case)
        assert verdict.method == "exact"
        assert verdict.value == pytest.approx((4 * 1.1**6) ** -power, rel=1e-14)
        assert verdict.outcome == "holds"


def test_a_first_moment_that_is_too_small_is_noticed():
    assert check(claims.get("lemma-b-first").scaled(1.2), setting(B_beta=1)).outcome == "violated"


# --- The theorems


def test_a_replicate_is_the_mean_along_a_run():
    case = setting(WAVES[:1], iterations=5)
    run = train(case)
    np.testing.assert_allclose(draws("thm1", case, 6), np.full((6, 1), run.gradient_norm.mean()), rtol=1e-12)
    assert len(np.unique(draws("thm1", setting(), 6))) == 6


def test_the_constants_of_the_theorem():
    case = setting(LINES.with_noise(AdditiveGaussian(0.5)), alpha_L=0.5)
    # three steps of 1/2 shrink the distance from -+1 by 8: calL = (w^2 + 1)/128 - 1/2, at w = 1 less its value at 0
    assert gap(case) == pytest.approx(1 / 128, rel=1e-12)
    names = ("alpha", "K", "B", "C_beta", "gap", "sigma")
    found = outer_constants(case, names)
    assert {name: found[name] for name in ("K", "B", "C_beta", "B_beta", "D_beta")} == {
        "K": 8,
        "B": 40,
        "C_beta": 100.0,
        "B_beta": 4,
        "D_beta": 16,
    }
    assert found["tau"] == 0
    assert "tau" not in outer_constants(setting(Kink.random(2, 2, 0)), names)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("thm1", setting()),
        ("thm1", setting(Kink.random(2, 3, 0).with_noise(AdditiveGaussian(0.3)))),
        ("cor1", setting()),
        ("thm2", setting(hessian=GaussianSmoothing(1e-2, 20))),
        ("zo-neighbourhood", setting(WAVES, hessian=ZerothOrder(1e-2, 20))),
        ("finite-thm1", setting(PAIR)),
        ("finite-thm2", setting(PAIR, hessian=GaussianSmoothing(1e-2, 20))),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value.tasks).__name__,
)
def test_the_theorems_hold_and_a_bound_below_the_start_does_not(name, case):
    chosen = claims.get(name, "direct")
    verdict = check(chosen, case, budget=2048)
    assert verdict.outcome == "holds"
    assert check(chosen.scaled(0.5 * verdict.ratio), case, budget=2048).outcome == "violated"


@pytest.mark.parametrize(
    ("name", "case", "words"),
    [
        ("thm1", at(NOISY, 1.0, 0.01, 3), "needs an outer loop"),
        ("thm1", setting(C_beta=None, B_beta=None, D_beta=None, beta=0.1), "1/(C_beta L^_w)"),
        ("lemma-b-first", setting(C_beta=None, B_beta=None, D_beta=None, beta=0.1), "1/(C_beta L^_w)"),
        ("thm1", setting(method=Reptile()), "the meta gradient of eq. 8, method=None, not Reptile()"),
        ("thm1", setting(optimizer=Adam()), "plain meta steps, optimizer=None, not Adam("),
        ("thm1", setting(hessian=FirstOrder()), "ExactHessian()"),
        ("thm2", setting(), "GaussianSmoothing"),
        ("zo-neighbourhood", setting(hessian=ZerothOrder(0.1, 2)), "exact differences"),
        ("zo-neighbourhood", setting(WAVES, hessian=ZerothOrder(0.1, 2, baseline="mean")), "zeroth-order-mean"),
        ("thm1", setting(PAIR), "one loss"),
        ("finite-thm1", setting(), "support and a target"),
        ("thm1", setting(RankOne.random(2, 2, 0)), "no run is known to stay in a ball"),
        ("thm1", setting(Quadratic.concave(2)), "a proved lower bound of the meta objective"),
        ("cor1", setting(alpha_L=1 / 20), "alpha = 1/(8 N L)"),
        ("cor1", setting(C_beta=50.0), "C_beta = 100, not 50"),
        ("thm1", setting(alpha_L=1.0), "alpha L < sin("),
        ("thm1", setting(C_beta=0.3), "theta > 0"),
    ],
)
def test_what_does_not_apply_is_named(name, case, words):
    verdict = check(claims.get(name, claims.forms(name)[-1]), case, budget=64)
    assert verdict.outcome == "not applicable"
    assert words in verdict.reason


def test_a_step_outside_the_range_still_trains():
    run = train(setting(alpha_L=1.0, iterations=3), 2)
    assert np.isfinite(run.gradient_norm).all()
