"""The audit passes honest problems for (nearly) any seed and finds planted faults."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from maml_bench.auditing import audit
from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
    outside,
)
from studies.gallery import own_problem


@dataclass(frozen=True, eq=False)
class Planted:
    """Tasks with a fault: constants overridden, Hessian rescaled, sampler biased or noisier away from 0."""

    tasks: object
    claims: dict
    hessian: float = 1.0
    product: float = 1.0
    bias: float = 0.0
    growth: float = 0.0

    dim = property(lambda self: self.tasks.dim)
    batch_shape = property(lambda self: self.tasks.batch_shape)
    regularity = property(lambda self: replace(self.tasks.regularity, **self.claims))

    def __getitem__(self, index):
        return replace(self, tasks=self.tasks[index])

    def sample(self, rng, w, size):
        return self.tasks.sample(rng, w, size)

    def loss(self, w, sample=None):
        return self.tasks.loss(w, sample)

    def grad(self, w, sample=None):
        exact = self.tasks.grad(w)
        if sample is None:
            return exact
        noise = self.tasks.grad(w, sample) - exact
        return exact + noise * (1 + self.growth * np.linalg.norm(w, axis=-1, keepdims=True)) + self.bias

    def hvp(self, w, v, sample=None):
        return self.product * self.tasks.hvp(w, v, sample)

    def hess(self, w, sample=None):
        return self.hessian * self.tasks.hess(w, sample)


HONEST = Trigonometric.random(4, 3, 0).with_noise(RandomPhase(0.5, 1.0))


def violated(found):
    return {row.name for row in found.violations}


@pytest.mark.parametrize("seed", range(5))
def test_honest_problems_pass(seed):
    """False alarm rate of one audit: 1e-3."""
    assert audit(HONEST, seed=seed, draws=1000).passed
    assert audit(SoftmaxBandit.random(3, 2, seed), seed=seed, draws=1000).passed
    assert audit(Quadratic.random(3, 2, seed).with_noise(AdditiveGaussian(0.3)), seed=seed, draws=1000).passed
    assert audit(Planted(HONEST, {}), seed=seed, draws=1000).passed


def test_an_audit_is_headed_by_the_family():
    assert str(audit(HONEST, draws=10, points=4)).startswith("Trigonometric: ")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"claims": {}, "hessian": 2.0}, {"hessian"}),
        ({"claims": {}, "hessian": 2.0, "product": 2.0}, {"hvp"}),
        ({"claims": {}, "bias": 0.05}, {"unbiased"}),
        ({"claims": {}, "growth": 1.0}, {"sigma_g"}),
        ({"claims": {"sigma": 0.5}}, {"sigma"}),
        ({"claims": {"sigma_H": 0.3}}, {"sigma_H"}),
    ],
)
def test_planted_faults_are_found(fault, expected):
    assert expected <= violated(audit(Planted(HONEST, **fault)))


@pytest.mark.parametrize("constant", ["L", "rho", "tau"])
@pytest.mark.parametrize("tasks", [HONEST, Kink.random(4, 3, 1), RankOne.random(4, 3, 1)], ids=["trig", "kink", "ball"])
def test_a_constant_two_percent_too_small_is_found(tasks, constant):
    claimed = getattr(tasks.regularity, constant)
    if np.isinf(claimed):
        assert audit(Planted(tasks, {"tau": 1.0}))["tau"].outcome == "violated"
        return
    assert violated(audit(Planted(tasks, {constant: 0.98 * claimed}))) == {constant}


def test_a_sampler_that_ignores_the_batch_size_is_found():
    class Lazy(Planted):
        def sample(self, rng, w, size):
            return self.tasks.sample(rng, w, 1)

    assert violated(audit(Lazy(HONEST, {}))) == {"sigma_g", "sigma_H"}


def test_the_attack_stays_inside_the_ball():
    tasks = RankOne.random(3, 2, 0)
    for row in audit(tasks).rows:
        assert not outside(tasks, np.array(row.witness.get("w", np.zeros(3))))


def test_statements_follow_from_constants():
    found = audit(Kink.random(2, 2, 0))
    entries = {(entry.statement, entry.form): entry for entry in found.statements}
    assert entries["prop2-second", "sharp"].applies
    assert not any(entry.applies and "smooth" in entry.form for entry in found.statements if entry.statement == "prop6")
    refuted = audit(Planted(HONEST, {"L": 0.9 * HONEST.regularity.L}))
    assert not {("prop2-second", "sharp")} & {(e.statement, e.form) for e in refuted.applicable}
    assert "prop2-second" in str(found)
    json.dumps(found.as_dict())


def test_high_dimension_is_affordable():
    found = audit(RankOne.random(20_000, 2, 0).with_noise(AdditiveGaussian(0.1)), draws=64, points=16)
    assert found.passed and found["hessian"].outcome == "not checked" and found["tau"].ratio > 0.95


def test_the_audit_is_a_function_of_its_arguments():
    assert audit(HONEST, seed=3, draws=200).rows == audit(HONEST, seed=3, draws=200).rows


def test_the_example_of_a_users_own_problem():
    assert audit(own_problem.TASKS).passed


def test_other_things_are_refused():
    with pytest.raises(ValueError, match="lacks .*hvp"):
        audit(object())
    with pytest.raises(ValueError, match="error = 2"):
        audit(HONEST, error=2)
