"""Theorem 1 as a mean square: the draw by hand, the level, and verdicts with certified limits."""

import numpy as np
import pytest

from analytic import bound
from maml_bench import InnerLoop, OuterLoop, Setting, check, claims
from maml_bench.algorithms.outer_loop import gradient_norms
from maml_bench.claims.convergence import outer_constants
from maml_bench.claims.without_jensen import level, squares_of_runs
from maml_bench.exact import meta_gradients
from maml_bench.hessians import ExactHessian
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric

WAVES = Trigonometric.random(3, 3, 0)


def _setting(tasks=WAVES, noise=0.5, C_beta=20.0, K=30, w=None):
    inner = InnerLoop(1 / (24 * tasks.regularity.L), 3, S=4, D=4, T=4)
    tasks = tasks.with_noise(AdditiveGaussian(noise)) if noise else tasks
    outer = OuterLoop(iterations=K, B=40, C_beta=C_beta, B_beta=4, D_beta=16)
    return Setting(tasks, np.ones(tasks.dim) if w is None else w, inner, ExactHessian(), outer)


def test_a_replicate_is_the_mean_square_of_a_run_cut_at_the_level():
    case = _setting()
    draw = squares_of_runs(case)
    found = draw(np.random.default_rng(0), 5)
    norms = gradient_norms(case, np.random.default_rng(0), 5)
    top = 2 * np.linalg.norm(meta_gradients(case).mean(0))
    assert level(case) == top
    assert found[:, 0] == pytest.approx((np.minimum(norms, top) ** 2).mean(0), rel=1e-14)
    assert np.all(found <= draw.ceiling)
    away = _setting(w=np.full(3, 9.0), K=3)
    assert level(away) > top


def test_verdicts_are_certified():
    case = _setting()
    verdict = check("thm1-capped", case, form="direct", budget=400)
    assert verdict.outcome == "holds"
    assert verdict.evidence == "certified"
    known = outer_constants(case, bound("thm1", "direct").arguments)
    assert verdict.bound == pytest.approx(bound("thm1-capped", "direct")(**known, cap=level(case)), rel=1e-12)
    assert check(claims.get("thm1-capped", "direct").scaled(0.02), case, budget=400).outcome == "violated"


def test_what_it_excludes():
    still = _setting(Quadratic(np.eye(2), np.zeros((1, 2))), noise=0, w=np.zeros(2))
    assert "not 0" in check("thm1-capped", still, form="direct").reason
    assert claims.forms("thm1-capped") == ["direct"]
