"""The names that other people's scripts use."""

import dataclasses

import numpy as np
import pytest

import maml_bench
from analytic import bound, convergence
from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)

CLAIMS = [
    *("prop1", "prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4", "prop5", "prop6", "prop8"),
    *("prop7-vector", "prop7-frobenius", "prop7-spectral", "zo-vector", "zo-stein-vector"),
    *("finite-prop1", "finite-prop4", "finite-prop7-vector"),
]
STATEMENTS = [*CLAIMS, "thm1", "cor1", "thm2", "finite-thm1"]


def test_the_example_of_the_readme():
    tasks = Trigonometric.random(dim=5, tasks=8, rng=0).with_noise(RandomPhase(amplitude=0.5, kappa=1.0))
    setting = Setting(
        tasks,
        w=np.ones(5),
        inner=InnerLoop(alpha=0.05, steps=4, S=2, D=2, T=2),
        hessian=GaussianSmoothing(nu=1e-2, directions=10),
    )
    verdict = check("prop2-second", setting, form="sharp", seed=0, confidence=0.99, budget=1_000_000)
    assert verdict.outcome == "holds"
    fields = {field.name for field in dataclasses.fields(verdict)}
    assert fields >= {"outcome", "value", "lower", "upper", "bound", "ratio", "method", "replicates", "seconds"}
    assert claims.get("prop2-second", form="sharp").scaled(0.9).factor == 0.9
    assert check(claims.get("prop2-second").scaled(0.5), setting).outcome == "violated"


@pytest.mark.parametrize("name", CLAIMS)
def test_claims(name):
    assert name in claims.names()
    assert "sharp" in claims.forms(name)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements(name):
    assert bound(name, "sharp").latex()
    assert bound(name, "sharp").expression.free_symbols
    assert isinstance(bound(name, "sharp").conditions, tuple)


def test_a_bound_without_an_experiment():
    # alpha^2 sigma_g^2 / S (1 + q^2 + q^4 + q^6) with q = 1.05
    value = bound("prop2-second", "sharp")(alpha=0.05, steps=4, L=1.0, sigma_g=0.3, S=2)
    assert value == pytest.approx(0.0025 * 0.09 / 2 * sum(1.05 ** (2 * k) for k in range(4)), rel=1e-13)


def test_theorems_return_their_constants():
    constants = {
        "alpha": 0.01,
        "steps": 3,
        "L": 1.0,
        "rho": 0.5,
        "sigma": 0.1,
        "sigma_g": 0.1,
        "sigma_H": 0.1,
        "S": 50,
        "D": 50,
        "T": 50,
        "B": 50,
        "C_beta": 100,
        "K": 1000,
        "gap": 1.0,
    }
    first = convergence.theorem1(**constants)
    second = convergence.theorem2(**constants, dim=4, nu=1e-3, directions=50)
    for found in (first, second):
        assert all(np.isfinite(getattr(found, name)) for name in ("chi", "xi", "phi", "theta", "R", "value"))
    assert second.value > first.value


def test_families_take_plain_arrays_and_index_like_arrays():
    rng = np.random.default_rng(0)
    several = [
        Quadratic(np.eye(3), rng.standard_normal((4, 3))),
        Trigonometric(np.eye(3), np.ones((4, 3)), np.ones((4, 1)), rng.standard_normal((4, 1, 3)), np.zeros((4, 1))),
        Kink(np.zeros((4, 3)), np.ones((4, 3)), 1.0, 2.0),
        RankOne(rng.standard_normal((4, 3)), 2.0),
        SoftmaxBandit(rng.standard_normal((4, 3))),
        Logistic(rng.standard_normal((4, 6, 3)), np.ones((4, 6)), rng.standard_normal((4, 6, 3)), np.ones((4, 6)), 0.1),
    ]
    for tasks in several:
        assert tasks.dim == 3
        assert tasks.batch_shape == (4,)
        assert tasks[1].batch_shape == ()
        assert tasks[np.array([0, 2])].batch_shape == (2,)
        assert tasks.regularity.L > 0


def test_estimators_and_noise_can_be_made_by_position():
    assert GaussianSmoothing(1e-2, 10).directions == 10
    assert ZerothOrder(1e-2, 10).stein is False
    assert CentralDifference(1e-3).delta == 1e-3
    assert ExactHessian() == ExactHessian()
    assert FirstOrder() == FirstOrder()
    assert AdditiveGaussian(0.3).sigma_g == 0.3
    assert RandomPhase(0.5, 2.0).sigma_H == pytest.approx(0.5 * 4 / np.sqrt(2))


def test_the_package_names_what_the_readme_uses():
    assert set(maml_bench.__all__) >= {
        *("InnerLoop", "OuterLoop", "Setting", "Verdict", "audit", "check", "claim", "claims", "measure", "train")
    }
