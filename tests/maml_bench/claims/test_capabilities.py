"""Estimators of a user's own are checked by what they state, not by their class, and what is missing is named.

Each estimator here is written anew and states a kind, and no mean: its left sides are sampled from its operator, and
meet the exact ones of the package's estimator of the same mean. Limits are wrong with probability at most 1e-6 each.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from zoo import at

from maml_bench import InnerLoop, Setting, check, claim, measure
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import Logistic, NoisyTasks, Quadratic, Trigonometric
from maml_bench.problems.noise import LinearTerm

pytestmark = pytest.mark.by_chance(1e-5)

TASKS = Trigonometric.random(dim=2, tasks=2, rng=3)
W = np.array([0.7, -0.4])
INNER = InnerLoop(0.05 / TASKS.regularity.L, 2)
CERTAIN = {"confidence": 1 - 1e-6, "seed": 5}
LONG = CERTAIN | {"budget": 200_000, "precision": 0.05}


def directions(tasks, w, count, rng):
    return rng.standard_normal((count, *np.broadcast_shapes(w.shape, (*tasks.batch_shape, tasks.dim))))


@dataclass(frozen=True)
class TwoSided:
    """Central differences of gradients along Gaussian directions: the mean is that of one-sided ones."""

    kind = "gaussian-smoothing"
    nu: float
    directions: int
    data: str = "population"
    factor: float = 1.0

    def operator(self, tasks, w, D, rng):
        u = directions(tasks, w, self.directions, rng)
        left = self.factor * (tasks.grad(w + self.nu * u) - tasks.grad(w - self.nu * u)) / (2 * self.nu)
        return lambda v: np.mean(left * np.vecdot(u, v)[..., None], axis=0)


@dataclass(frozen=True)
class LossDifferences:
    """Second differences of losses, with or without Stein's correction."""

    nu: float
    directions: int
    kind: str = "zeroth-order"
    data: str = "population"
    factor: float = 1.0

    def operator(self, tasks, w, D, rng):
        u = directions(tasks, w, self.directions, rng)
        above, below = tasks.loss(w + self.nu * u), tasks.loss(w - self.nu * u)
        c = self.factor * (above + below - 2 * tasks.loss(w))[..., None] / (2 * self.nu**2)
        stein = 1.0 if self.kind == "zeroth-order-stein" else 0.0
        return lambda v: np.mean(c * (u * np.vecdot(u, v)[..., None] - stein * v), axis=0)


def setting(hessian, tasks=TASKS):
    return Setting(tasks, W, INNER, hessian)


@pytest.mark.parametrize(
    ("name", "form", "own", "packaged"),
    [
        ("prop6", "sharp", TwoSided(0.8, 4), GaussianSmoothing(0.8, 4, "population")),
        ("prop5", "sharp", LossDifferences(0.8, 4), ZerothOrder(0.8, 4, data="population")),
        ("prop8", "sharp", LossDifferences(0.3, 4), ZerothOrder(0.3, 4, data="population")),
        (
            "prop8",
            "stein",
            LossDifferences(0.3, 4, kind="zeroth-order-stein"),
            ZerothOrder(0.3, 4, True, "population"),
        ),
        ("prop8-mean", "sharp", LossDifferences(0.3, 4), ZerothOrder(0.3, 4, data="population")),
        ("zo-vector", "sharp", LossDifferences(0.3, 4), ZerothOrder(0.3, 4, data="population")),
    ],
)
def test_what_the_operator_gives_is_sampled_and_meets_the_exact_value(name, form, own, packaged):
    found, exact = check(name, setting(own), form=form, **LONG), check(name, setting(packaged), form=form)
    assert (found.method, exact.method) == ("monte-carlo", "exact")
    assert found.bound == pytest.approx(exact.bound)
    assert found.outcome in ("holds", "inconclusive") and exact.outcome == "holds"
    if found.cell == exact.cell:
        assert found.lower <= exact.value <= found.upper


def test_variances_of_another_estimator_are_its_own():
    # Two-sided differences of a quadratic are the one-sided ones, with the variance (||A||_F^2 + ||A v||^2)/Q.
    A = np.diag([1.0, -2.0])
    case = setting(TwoSided(0.1, 4), Quadratic(A, np.zeros((1, 2))))
    v = A @ W / np.linalg.norm(A @ W)
    for name, truth in (("prop7-vector", (5 + v @ A @ A @ v) / 4), ("prop7-frobenius", (5 * 2 + 5) / 4)):
        found = check(name, case, **LONG)
        assert (found.outcome, found.method) == ("holds", "monte-carlo")
        assert found.lower <= truth <= found.upper
        assert check(claim("mine", truth / 2, name), case, **CERTAIN).outcome == "violated"


@pytest.mark.parametrize(("form", "kind"), [("identity", "zeroth-order"), ("stein", "zeroth-order-stein")])
def test_an_asserted_mean_is_tested_on_the_operator(form, kind):
    tasks = Quadratic(np.diag([1.0, -0.5]), np.zeros((1, 2)))
    good = setting(LossDifferences(0.5, 16, kind=kind), tasks)
    assert check("prop5", good, form=form, budget=400_000, **CERTAIN).outcome in ("holds", "inconclusive")
    wrong = replace(good, hessian=replace(good.hessian, factor=1.2))
    assert check("prop5", wrong, form=form, budget=400_000, **CERTAIN).outcome == "violated"


def test_a_bias_that_is_too_large_is_found():
    wrong = setting(TwoSided(0.1, 16, factor=2.0))
    assert check("prop6", wrong, **CERTAIN, budget=100_000).outcome == "violated"


@dataclass(frozen=True)
class Stated:
    """The Hessian of a concave quadratic plus ``away`` I, and noise of random sign; its two numbers are stated."""

    away: float
    spread: float
    stated: tuple[float, float]

    def operator(self, tasks, w, D, rng):
        shape = np.broadcast_shapes(w.shape[:-1], tasks.batch_shape)
        sign = rng.choice([-1.0, 1.0], size=shape)[..., None]
        return lambda v: tasks.hvp(w, v) + (self.away + self.spread * sign) * v

    def deviation(self, tasks, D):
        return self.stated


def test_stated_numbers_give_propositions_3_and_4_bounds_that_are_attained():
    # l = -w^2/2, one step, no noise: G^ = (1 + a - a away -+ a spread) q g, g = |w|; away < 0 makes it longer.
    alpha, q = 0.1, 1.1
    hessian = Stated(-0.5, 2.0, (0.5, 4.0))
    case = at(Quadratic.concave(1), 1.0, alpha, 1, hessian)
    bias, square = check("prop3", case, form="local", **CERTAIN), check("prop4", case, form="local", **CERTAIN)
    assert bias.bound == pytest.approx(alpha * 0.5 * q)
    assert square.bound == pytest.approx(((q + alpha * 0.5) ** 2 + alpha**2 * 4) * q**2)
    assert bias.lower <= bias.bound <= bias.upper and square.lower <= square.bound <= square.upper
    for less in ((0.4, 4.0), (0.5, 3.0)):
        wrong = replace(case, hessian=replace(hessian, stated=less))
        outcomes = [check(name, wrong, form="local", **LONG | {"budget": 10**6}).outcome for name in ("prop3", "prop4")]
        assert "violated" in outcomes
    assert "no form 'paper' is known for stated Hessians" in check("prop3", case, form="paper").reason


def test_without_anything_stated_the_left_sides_are_measured_and_bounds_ask_for_a_capability():
    @dataclass(frozen=True)
    class Bare:
        def operator(self, tasks, w, D, rng):
            size = rng.standard_normal((*np.broadcast_shapes(w.shape[:-1], tasks.batch_shape), 1))
            return lambda v: size * tasks.hvp(w, v)

    case = setting(Bare())
    for name in ("prop3", "prop4"):
        reason = check(name, case).reason
        assert f"{name} needs a Hessian estimator that states its kind, one of sampled, " in reason
        assert "or deviation(tasks, D) -> (bias, variance)" in reason and "Bare states neither" in reason
        assert check(claim("mine", 1e3, name), case, budget=2000).outcome == "holds"
    assert "kind = 'gaussian-smoothing' (gradient differences, unbiased" in check("prop6", case).reason
    assert "Bare states no kind" in check("prop5", case).reason
    curvature = np.linalg.norm(TASKS.hess(W), 2, axis=(-2, -1)).max()  # E H^ = 0, so that this is the bias
    bias = measure("hessian-bias", case, **CERTAIN)
    assert bias.lower <= curvature <= bias.upper

    @dataclass(frozen=True)
    class Half(Bare):
        kind = "gaussian-smoothing"
        nu: float = 0.1

    reason = check("prop7-vector", setting(Half())).reason
    assert "that states directions, data; Half does not" in reason
    full = TwoSided(0.1, 2)
    assert "states its mean, mean_hessian(tasks, w) or smoothed_mean" in check("prop7-spectral", setting(full)).reason
    unknown = setting(LossDifferences(0.1, 2), Logistic.random(2, 2, 0).support)
    assert "a family whose smoothed Hessian is known" in check("prop5", unknown).reason


def test_a_stated_mean_is_an_exact_value():
    class Known(TwoSided):
        def mean_hessian(self, tasks, w):
            return tasks.hess(w) + 0.25 * np.eye(tasks.dim)

    found = check("prop6", setting(Known(0.1, 2)))
    assert (found.method, found.value) == ("exact", pytest.approx(0.25))


def test_a_class_that_draws_in_its_own_way_is_not_drawn_along_directions_of_its_parent():
    class Tripled(GaussianSmoothing):
        def operator(self, tasks, w, D, rng):
            drawn = super().operator(tasks, w, D, rng)
            return lambda v: 3 * drawn(v)

    found = check("prop6", setting(Tripled(0.1, 8, "population")), **CERTAIN, budget=100_000)
    assert (found.method, found.outcome) == ("monte-carlo", "violated")


@dataclass(frozen=True)
class Sphere:
    """Gradient noise of fixed length, with what is true of it stated."""

    isotropic = additive = True
    sigma_g: float
    sigma_H = 0.0

    def draw(self, rng, shape, dim, size):
        slope = rng.standard_normal((*shape, size, dim))
        slope *= self.sigma_g / np.linalg.norm(slope, axis=-1, keepdims=True)
        return LinearTerm(slope.mean(-2))


def test_a_sampling_model_states_what_exact_values_and_shared_batches_need():
    tasks = NoisyTasks(Quadratic.concave(3), Sphere(0.5))
    case = at(tasks, 1.0, 0.1, 3, S=2)
    exact = measure("path-error", case)
    assert exact.evidence == "exact"
    assert exact.value == pytest.approx(check("prop2-second", case).bound)  # attained by any isotropic noise
    sampled = measure("path-error", case, method="monte-carlo", **CERTAIN)
    assert sampled.lower <= exact.value <= sampled.upper
    shared = at(tasks, 1.0, 0.1, 3, GaussianSmoothing(0.1, 4, "shared"))
    assert check("prop7-vector", shared).outcome == "holds"  # additive noise cancels in differences of one batch

    class Bare(Sphere):
        isotropic = additive = False

    bare = replace(shared, tasks=NoisyTasks(Quadratic.concave(3), Bare(0.5)))
    assert "noise that states additive = True" in check("prop7-vector", bare).reason
    assert measure("path-error", bare, budget=2000).evidence != "exact"

    class Bent(Sphere):
        sigma_H = 1.0  # what Hessians of batches do is then not known

    for noise, known in ((Sphere(0.5), True), (Bent(0.5), False)):
        other = replace(case, tasks=NoisyTasks(tasks.population, noise))
        assert (measure("meta-gradient-second-moment", other, budget=500).evidence == "exact") is known
