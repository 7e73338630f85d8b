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
    assert 0.8 < found["tau"].ratio < 1


def test_one_point_attains_the_logistic_constants():
    found = audit(LogisticLoss([[[2.0, -1.0]]], [[1]], 0.1))
    assert found.passed and min(found[name].ratio for name in ("L", "rho", "tau")) > 0.99


def test_bandit_tau_polynomial_bounds_the_chain_rule():
    m = np.linspace(0, 0.5, 2001)
    root = np.sqrt(1 - 2 * m)
    z = np.linspace(-1, 1, 200001)
    fourth = np.abs(z * (1 - z**2) * (3 * z**2 - 2)).max() / 4
    chain = 4 * fourth * (1 - 2 * m) ** 2 + 12 / 8 * m * (1 - 2 * m) + 0.5 * m
    chain += (3 * m**2 + 8 * m * root) / (6 * np.sqrt(3))
    assert chain.max() <= 0.603


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
