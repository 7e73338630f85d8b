"""Certified constants: attained where the docstring says so, never exceeded, and bad input refused with a reason."""

import sys

import numpy as np
import pytest

from maml_bench.auditing import audit
from maml_bench.problems import (
    FAMILIES,
    FiniteSum,
    Kink,
    Logistic,
    LogisticLoss,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    TaskPairs,
    Tasks,
    Trigonometric,
    digits,
    outside,
)
from maml_bench.problems.logistic import Points

ATTAINED = {
    "quadratic": (Quadratic, ("L", "sigma")),
    "trigonometric": (Trigonometric, ("L", "rho", "tau")),
    "kink": (Kink, ("L", "rho", "sigma")),
    "rank-one": (RankOne, ("L", "rho", "tau", "sigma")),
}


@pytest.mark.parametrize("name", ATTAINED)
def test_constants_are_attained(name):
    family, constants = ATTAINED[name]
    found = audit(family.random(4, 3, 0))
    assert found.passed, str(found)
    for constant in constants:
        assert found[constant].ratio > 0.95, constant


def test_random_phase_attains_both_variances():
    found = audit(Trigonometric.random(4, 3, 0).with_noise(RandomPhase(0.5, 1.2)))
    assert found.passed and min(found["sigma_g"].ratio, found["sigma_H"].ratio) > 0.95


def test_two_armed_bandit_attains_everything_but_tau():
    found = audit(SoftmaxBandit([[0.0, 1.0], [2.0, -1.0]]))
    assert found.passed
    for constant in ("L", "rho", "sigma", "sigma_g", "sigma_H"):
        assert found[constant].ratio > 0.95, constant
    assert found["tau"].ratio == pytest.approx(0.847, abs=1e-3)  # the docstring says that nothing known attains it


def test_one_point_attains_the_logistic_constants():
    found = audit(LogisticLoss([[[2.0, -1.0]]], [[1]], 0.1))
    assert found.passed and min(found[name].ratio for name in ("L", "rho", "tau")) > 0.99


FAR = -1000.0
"""Where every margin is so bad that a gradient is the mean of ``-y_j x_j``."""


def test_a_point_and_the_origin_attain_the_logistic_noise():
    """By hand: half of the samples have the gradient -1 far out and the Hessian 1/4 at 0, half have none."""
    tasks = LogisticLoss([[[1.0], [0.0]]], [[1, 1]], 0.1)
    samples = Points(np.eye(2)[:, None])  # each of the two points, once
    noise = tasks.grad(np.full(1, FAR), samples) - tasks.grad(np.full(1, FAR))
    bent = tasks.hess(np.zeros(1), samples) - tasks.hess(np.zeros(1))
    for found, claimed, expected in ((noise, "sigma_g", 1 / 2), (bent, "sigma_H", 1 / 8)):
        assert np.sqrt(np.mean(found**2)) == pytest.approx(expected, rel=1e-12)
        assert getattr(tasks.regularity, claimed) == pytest.approx(expected, rel=1e-12)


def test_logistic_losses_on_orthogonal_rows_attain_their_distance():
    """By hand: far out the gradients are -(e1 + e2)/2 and -(e3 + e4)/2, and with signs against each other 3/2 e1."""
    rows, far = np.eye(4), np.full(4, FAR)
    pair = FiniteSum.pair(*(LogisticLoss(rows[None, half], [[1, 1]], 0.1) for half in ([0, 1], [2, 3])))
    attained = np.linalg.norm(pair.support.grad(far) - pair.target.grad(far), axis=-1)
    np.testing.assert_allclose([pair.b_i, attained], [[1.0], [1.0]], rtol=1e-12)
    across = FiniteSum.pair(LogisticLoss([[[1.0]]], [[1]]), LogisticLoss([[[2.0]]], [[-1]]))
    assert across.b_i == pytest.approx(3) and audit(across)["b_i"].ratio < 0.7  # not attained: no w is bad for both


@pytest.mark.parametrize("rows", [[[1.0], [0.0]], np.eye(3)], ids=["triangle", "Cauchy-Schwarz"])
def test_what_is_beside_the_bowl_of_a_logistic_loss_is_attained(rows):
    """Far out, by each of the two inequalities of which the smaller counts; several tasks have one bound each."""
    tasks = LogisticLoss(np.multiply.outer([1.0, 2.0], rows), np.ones((2, len(rows))), 0.1)
    far = np.full(tasks.dim, FAR)
    beside = np.linalg.norm(tasks.grad(far) - (tasks.bowl.A @ far - tasks.bowl.linear), axis=-1)
    np.testing.assert_allclose(tasks.bowl.slope, beside, rtol=1e-12)


def test_many_orthogonal_tasks_attain_the_heterogeneity_of_logistic_losses():
    """With n tasks of one point each, all orthogonal: ``(1 - 1/n)^(1/2)`` far out, of ``((1 - 1/n)^(1/2) + 1)/2``."""
    n = 100
    tasks = LogisticLoss(np.eye(n)[:, None], np.ones((n, 1)))
    gradients = tasks.grad(np.full(n, FAR))
    found = np.sqrt(np.mean(np.sum((gradients - gradients.mean(0)) ** 2, axis=-1)))
    assert found == pytest.approx(np.sqrt(1 - 1 / n), rel=1e-12)
    assert tasks.regularity.sigma == pytest.approx((found + 1) / 2, rel=1e-12)


def test_two_tasks_of_one_wave_attain_the_heterogeneity_and_the_distance():
    """Slopes b = +-2 and waves of size 3 that pull the same way where sin w = 1: 2 + 3, and 4 + 6 between the two."""
    tasks = Trigonometric([[1.0]], [[2.0], [-2.0]], [[3.0], [-3.0]], [[1.0]], [0.0])
    gradients = tasks.grad(np.full(1, np.pi / 2))
    pair = FiniteSum.pair(tasks[:1], tasks[1:])
    assert (tasks.regularity.sigma, *pair.b_i) == pytest.approx((5, 10))
    np.testing.assert_allclose(gradients - gradients.mean(0), [[-5.0], [5.0]], rtol=1e-12)


def test_bandit_tau_polynomial_bounds_the_chain_rule():
    m = np.linspace(0, 0.5, 2001)
    root = np.sqrt(1 - 2 * m)
    z = np.linspace(-1, 1, 200001)
    fourth = np.abs(z * (1 - z**2) * (3 * z**2 - 2)).max() / 4
    chain = 4 * fourth * (1 - 2 * m) ** 2 + 12 / 8 * m * (1 - 2 * m) + 0.5 * m
    chain += (3 * m**2 + 8 * m * root) / (6 * np.sqrt(3))
    limit = 0.511 + 0.727 * m - 1.438 * m**2
    assert np.all(chain <= limit) and 0.6028 < limit.max() < 0.603


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_what_it_says(name):
    tasks = FAMILIES[name].random(dim=3, tasks=4, rng=0)
    assert isinstance(tasks, TaskPairs if name == "logistic" else Tasks)
    assert tasks.dim == 3 and tasks.batch_shape == (4,)
    assert tasks[1:3].batch_shape == (2,)


def test_outside():
    tasks = RankOne(np.ones((2, 3)), radius=2.0)
    points = np.array([[2.0, 0, 0], [0, 2.1, 0], [np.nan, 0, 0]])
    np.testing.assert_array_equal(outside(tasks, points), [False, True, True])
    assert not outside(Kink.random(3, 2, 0), np.full(3, 1e9))


@pytest.mark.parametrize("family", [Quadratic, Trigonometric, Kink])
def test_pairs_of_a_family_certify_their_distance(family):
    support = family.random(3, 4, 0)
    changed = {"b": support.b[::-1] + 0.5} if family is not Kink else {"center": support.center[::-1]}
    fields = {name: getattr(support, name) for name in support.__dataclass_fields__}
    pair = FiniteSum.pair(support, family(**(fields | changed)))
    found = audit(pair)
    assert found["b_i"].outcome == "holds" and found["b_i"].ratio > 0.95
    np.testing.assert_allclose([pair.b, pair.b_tilde], [pair.b_i.mean(), (pair.b_i**2).mean()])


def test_an_underclaimed_distance_is_found():
    pair = Logistic.random(2, 3, 0).pair
    wrong = FiniteSum(pair.support, pair.target, 0.2 * pair.b_i)
    assert audit(wrong)["b_i"].outcome == "violated"


def test_digits():
    tasks = digits(dim=5, tasks=6, rng=3, points=4, points_target=7)
    assert tasks.X.shape == (6, 4, 5) and tasks.X_target.shape == (6, 7, 5)
    np.testing.assert_array_equal(tasks.X, digits(dim=5, tasks=6, rng=3, points=4, points_target=7).X)
    assert audit(tasks, draws=500).passed


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"maml-bench\[data\]"):
        digits()


X, Y = np.ones((2, 3, 2)), np.ones((2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Kink([[1.0, np.nan]], [0.0, 0.0]), "center contains nan"),
        (lambda: Kink([[1.0, 2.0]], [0.0]), "slope has shape"),
        (lambda: Kink([[1.0]], [0.0], radius=0), "radius = 0: must be a finite number > 0"),
        (lambda: RankOne([[1.0]], radius=-1), "radius = -1"),
        (lambda: RankOne(np.ones((0, 2)), radius=1), "x has shape"),
        (lambda: SoftmaxBandit([[1.0, np.inf]]), "rewards contains inf"),
        (lambda: SoftmaxBandit([[1.0]]), "at least 2 actions"),
        (lambda: Logistic(X, 2 * Y, X, Y), "y contains 2: labels must be -1 or 1"),
        (lambda: Logistic(X, Y, X, 0 * Y), "y_target contains 0"),
        (lambda: Logistic(X, Y[:, :2], X, Y), "y has shape"),
        (lambda: Logistic(X, Y, np.ones((2, 3, 4)), Y), "X_target has shape"),
        (lambda: Logistic(0 * X, Y, X, Y), "all zero"),
        (lambda: Logistic(X, Y, X, Y, ridge=-1), "ridge = -1"),
        (lambda: FiniteSum(Kink.random(2, 3, 0), Kink.random(2, 4, 0), 1.0), "target.batch_shape"),
        (lambda: FiniteSum(Kink.random(2, 3, 0), Kink.random(2, 3, 0), -1.0), "b_i contains -1"),
        (lambda: FiniteSum.pair(Kink.random(2, 3, 0), Kink.random(2, 3, 0, rho=2)), "rho and radius"),
        (lambda: digits(dim=62), "dim = 62: must be at most 61"),
        (lambda: digits(tasks=46), "tasks = 46: must be at most 45"),
        (lambda: digits(points=1000), "points"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
