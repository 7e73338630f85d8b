"""Piecewise polynomials: certificates attained and never exceeded, the kink as a special case, the sawtooth."""

import numpy as np
import pytest

from maml_bench import audit, exact
from maml_bench.problems import FiniteSum, Kink, Piecewise


def smooth(rng, tasks=2):
    knots = np.sort(rng.standard_normal((tasks, 1, 6)))
    values = rng.uniform(-1, 1, knots.shape)
    values[..., [0, -1]] = 0
    return Piecewise(knots, values, rng.standard_normal((tasks, 1)), order=3, curvature=rng.uniform(-1, 1, (tasks, 1)))


@pytest.mark.parametrize("seed", range(3))
def test_certificates(seed):
    rng = np.random.default_rng(seed)
    knots = np.linspace(-2, 2, 6) + rng.uniform(0, 0.5, (2, 3, 6))
    second = Piecewise(knots, rng.uniform(-1, 1, knots.shape), rng.standard_normal((2, 3)))
    for tasks, constants in ((second, ("L", "rho")), (smooth(rng), ("L", "rho", "tau"))):
        found = audit(tasks)
        assert found.passed, str(found)
        for name in constants:
            assert found[name].ratio > 0.99, (name, str(found))


def test_constants_by_hand():
    # l''' is a tent of height 2 over [0, 2], l'' rises from -1 to 1, tau = 2 on both sides of the tent.
    loss = Piecewise([[0.0, 1.0, 2.0]], [[0.0, 2.0, 0.0]], [0.0], order=3, curvature=-1.0)
    assert (loss.regularity.L, loss.regularity.rho, loss.regularity.tau) == (1, 2, 2)
    # l''' = 1, then -1: l'' rises from 0 to its vertex 1/2 and falls back to 0, which no knot sees.
    bump = Piecewise([[0.0, 0.0, 1.0, 1.0]], [[0.0, 1.0, -1.0, 0.0]], [0.0], order=3)
    assert bump.regularity.L == pytest.approx(0.25)
    assert bump.regularity.tau == np.inf
    jump = Piecewise([[0.0, 0.0]], [[-1.0, 3.0]], [1.0])
    assert (jump.regularity.L, jump.regularity.rho) == (3, np.inf)
    np.testing.assert_allclose(jump.loss(np.array([[-2.0], [2.0]])), [-2 - 2, 2 + 6])


def test_a_kink_is_piecewise():
    kink = Kink([[0.2, -0.3]], [[0.5, 0.1]], rho=1.3, radius=0.7)
    knots = kink.center[..., None] + 0.7 * np.array([-1.0, 0.0, 1.0])
    same = Piecewise(knots, np.broadcast_to([0.91, 0.0, 0.91], knots.shape), kink.grad(np.zeros(2)))
    w = np.random.default_rng(0).uniform(-2, 2, (50, 1, 2))
    for name in ("grad", "hess"):
        np.testing.assert_allclose(getattr(same, name)(w), getattr(kink, name)(w), atol=1e-14)
    np.testing.assert_allclose(same.loss(w) - same.loss(w[0]), kink.loss(w) - kink.loss(w[0]), atol=1e-14)
    ours, theirs = (exact.smoothings(tasks, w[0, 0], 0.4)[0] for tasks in (same, kink))
    np.testing.assert_allclose(ours.hess, theirs.hess, atol=1e-14)
    for name in ("ggs_frobenius_variance", "zo_frobenius_variance", "zo_stein_frobenius_variance"):
        assert getattr(ours, name)(2) == pytest.approx(getattr(theirs, name)(2), rel=1e-12)


def test_the_sawtooth_has_curvature_minus_one_on_its_path():
    tasks, w = Piecewise.sawtooth(alpha=0.1, steps=3, slope=2.0, width=0.01), np.zeros(1)
    for _ in range(4):
        assert tasks.hess(w) == pytest.approx(-1, abs=1e-14)
        assert tasks.hess(w + 0.004) == pytest.approx(-0.996, abs=1e-13)
        w = w - 0.1 * tasks.grad(w)
    assert tasks.regularity.L == 1 and tasks.regularity.rho == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match="must exceed 2 width"):
        Piecewise.sawtooth(alpha=0.1, steps=3, slope=2.0, width=0.1)


def test_pairs_of_one_curvature():
    tasks = smooth(np.random.default_rng(0))
    tilted = Piecewise(tasks.knots, tasks.values, tasks.slope + 0.3, 3, tasks.curvature)
    np.testing.assert_allclose(FiniteSum.pair(tasks, tilted).b_i, 0.3)
    with pytest.raises(ValueError, match="values must be that of the other tasks"):
        tasks.gradient_gap(Piecewise(tasks.knots, 2 * tasks.values, tasks.slope, 3, tasks.curvature))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 0.0]], [[0.0, 0.0]], [0.0]), "knots: must ascend"),
        (([[0.0, 1.0]], [[0.0]], [0.0]), "values has shape"),
        (([[0.0, 1.0]], [[0.0, 1.0]], [0.0, 1.0]), "slope has shape"),
        (([[0.0, 1.0]], [[0.0, 1.0]], [0.0], 3), "the first and the last must be 0"),
        (([[0.0, 1.0]], [[0.0, 1.0]], [0.0], 4), "order = 4"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Piecewise(*arguments)
