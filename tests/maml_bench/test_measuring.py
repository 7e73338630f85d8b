"""Quantities without a bound: against closed forms, with estimators of the package and of a user's own."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from zoo import at

from maml_bench import InnerLoop, OuterLoop, Setting, measure
from maml_bench.claims.quantities import QUANTITIES
from maml_bench.hessians import CentralDifference, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric

A = np.diag([1.0, -0.5, 0.25])
TASKS = Quadratic(A, np.zeros((2, 3)) + [[1.0, 0, 0], [0.0, 2, 0]]).with_noise(AdditiveGaussian(0.3))
CERTAIN = {"confidence": 1 - 1e-6, "budget": 40_000}


def setting(hessian=None, tasks=TASKS, **inner):
    given = {} if hessian is None else {"hessian": hessian}
    return Setting(tasks, np.ones(3), InnerLoop(**({"alpha": 0.1, "steps": 2} | inner)), **given)


@dataclass(frozen=True)
class Rademacher:
    """Gradient differences along random signs: the mean is the Hessian, exactly, on quadratics."""

    nu: float = 0.1

    def operator(self, tasks, w, D, rng):
        u = rng.choice([-1.0, 1.0], size=np.broadcast_shapes(w.shape, (*tasks.batch_shape, tasks.dim)))
        left = (tasks.grad(w + self.nu * u) - tasks.grad(w)) / self.nu
        return lambda v: left * np.vecdot(u, v)[..., None]


def test_an_estimator_of_one_s_own_is_measured_by_its_operator_alone():
    bias = measure("hessian-bias", setting(Rademacher()), **CERTAIN)
    assert bias.lower == 0 and bias.upper < 0.05 and bias.evidence == "asymptotic"
    # H^ = A u u' with the mean A and E ||H^ v||^2 = tr(A^2); v is along the gradients
    variance = measure("hessian-variance", setting(Rademacher()), **CERTAIN)
    v = np.array([[0.0, -0.5, 0.25], [1.0, -2.5, 0.25]])
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    truth = np.trace(A @ A) - np.sum((v @ A) ** 2, axis=-1)
    assert variance.task == np.argmax(truth)
    assert variance.lower <= truth.max() <= variance.upper
    assert measure("meta-gradient-bias", setting(Rademacher()), **CERTAIN).lower == 0


@dataclass(frozen=True)
class Bounded(Rademacher):
    """``||A u u'|| <= L ||u||^2 = L d``, which its author states, or a wrong multiple of it."""

    share: float = 1.0

    def largest_norm(self, tasks, w):
        return self.share * tasks.regularity.L * tasks.dim


def test_an_estimator_that_states_an_envelope_is_measured_with_certainty():
    for quantity in ("hessian-bias", "hessian-variance"):
        plain, bounded = (measure(quantity, setting(kind()), **CERTAIN) for kind in (Rademacher, Bounded))
        assert (plain.evidence, bounded.evidence) == ("asymptotic", "certified")
        assert bounded.lower <= plain.upper and plain.lower <= bounded.upper
        with pytest.raises(EnvelopeExceeded, match=r"replicate \d+ of its block has the size .* exceeds its ceiling"):
            measure(quantity, setting(Bounded(share=0.1)), **CERTAIN)
    for wrong in (-1.0, np.inf):
        with pytest.raises(ValueError, match="largest_norm gave"):
            measure("hessian-bias", setting(Bounded(share=wrong)), **CERTAIN)


def test_biases_of_estimators_are_exact_where_their_mean_is_known():
    assert measure("hessian-bias", setting()).value == 0
    assert measure("hessian-bias", setting(FirstOrder())).value == 1
    # ZerothOrder adds tr(A)/2; the mean as a baseline takes away 1/Q of the Hessian
    assert measure("hessian-bias", setting(ZerothOrder(0.1, 4))).value == pytest.approx(0.375)
    assert measure("hessian-bias", setting(ZerothOrder(0.1, 4, baseline="mean"))).value == pytest.approx(0.25)
    drawn = setting(ZerothOrder(0.1, 4, data="population", baseline="mean"))
    sampled = measure("hessian-bias", drawn, method="monte-carlo", **CERTAIN)
    assert sampled.lower <= 0.25 <= sampled.upper
    assert sampled.lower > 0.15


def test_hessian_variance_meets_its_closed_form():
    # (||A||_F^2 + ||A v||^2) / Q
    found = measure("hessian-variance", setting(GaussianSmoothing(0.1, 4, "population")), **CERTAIN)
    v = np.array([[0.0, -0.5, 0.25], [1.0, -2.5, 0.25]])
    truth = (np.sum(A**2) + np.sum((v @ A) ** 2, axis=-1) / np.sum(v**2, axis=-1)).max() / 4
    assert found.lower <= truth <= found.upper
    assert found.value == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("name", ["path-error", "path-drift", "meta-gradient-bias", "meta-gradient-second-moment"])
def test_sampling_meets_exact_values(name):
    tasks = Trigonometric.random(1, 2, 0).with_noise(AdditiveGaussian(1.0))
    case = at(tasks, 1.0, 0.3, 2)
    exact, sampled = measure(name, case), measure(name, case, method="monte-carlo", **CERTAIN)
    assert (exact.evidence, sampled.evidence) == ("exact", "certified")
    assert sampled.lower <= exact.value <= sampled.upper or sampled.task != exact.task


def test_meta_gradients_with_other_hessians_are_not_those_of_batches():
    # First order: G = grad l(w_N), mean (I - alpha A)^2 A w...: bias ||((I - aA)^N - I) grad l(w~_N)||
    found = measure("meta-gradient-bias", setting(FirstOrder()), budget=1000)
    M = np.eye(3) - 0.1 * A
    gradients = np.array([M @ M @ (A @ np.ones(3) - b) for b in TASKS.population.b])
    truth = np.linalg.norm(gradients @ (M @ M - np.eye(3)), axis=-1).max()
    assert found.value == pytest.approx(truth, rel=1e-12)  # odd in the noise: mirrored pairs leave none
    assert found.replicates > 0


def test_central_differences_serve_matrices():
    assert measure("hessian-bias", setting(CentralDifference(0.1, "population")), budget=256).value < 1e-9


def test_the_norm_of_the_meta_gradient():
    M = np.linalg.matrix_power(np.eye(3) - 0.1 * A, 4)
    truth = np.linalg.norm(M @ (A @ np.ones(3) - TASKS.population.b.mean(0)))
    assert measure("meta-gradient-norm", setting()).value == pytest.approx(truth)


def test_convergence_is_measured_along_runs():
    case = at(TASKS, 1.0, 0.1, 1, outer=OuterLoop(iterations=3, B=4, beta=0.1))
    found = measure("convergence", case, budget=256)
    assert found.lower < found.value < found.upper
    with pytest.raises(ValueError, match="convergence needs an outer loop"):
        measure("convergence", setting())


def test_what_cannot_be_measured_is_said():
    with pytest.raises(ValueError, match="unknown quantity 'speed'; known: path-error, "):
        measure("speed", setting())

    class Flat:
        def operator(self, tasks, w, D, rng):
            return lambda v: v[..., 0]

    with pytest.raises(ValueError, match=r"its operator gave an array of shape .* for vectors of shape .*the same"):
        measure("hessian-bias", setting(Flat()), budget=256)


@pytest.mark.parametrize("method", ["auto", "monte-carlo"])
def test_time_that_is_up_before_there_is_a_number_is_an_error(method):
    with pytest.raises(TimeoutError, match="seconds = 1e-09: too short to measure path-error at all"):
        measure("path-error", setting(), seconds=1e-9, method=method)


def test_every_quantity_of_the_list_exists():
    assert list(QUANTITIES) == [
        "path-error",
        "path-drift",
        "hessian-bias",
        "hessian-variance",
        "meta-gradient-bias",
        "meta-gradient-second-moment",
        "meta-gradient-norm",
        "convergence",
    ]


def test_central_differences_of_exact_gradients_have_an_exact_bias():
    """Of one cosine along each axis: a central difference of sin, less its derivative; with noise nothing is exact."""
    waves = Trigonometric(np.eye(2), np.zeros((1, 2)), np.ones((1, 2)), np.eye(2)[None], np.zeros((1, 2)))
    case = Setting(waves, np.array([0.3, 0.8]), InnerLoop(0.1, 1), CentralDifference(0.1))
    found = measure("hessian-bias", case)
    assert found.evidence == "exact"
    assert found.value == pytest.approx(np.cos(0.3) * (1 - np.sin(0.1) / 0.1), rel=1e-10)
    assert found.lower < found.value < found.upper
    noisy = dataclasses.replace(case, tasks=waves.with_noise(RandomPhase(0.1, 1.0)))
    assert measure("hessian-bias", noisy, budget=512).evidence == "asymptotic"

    class Random(CentralDifference):
        def operator(self, tasks, w, D, rng):
            return lambda v: rng.standard_normal() * v

    assert measure("hessian-bias", dataclasses.replace(case, hessian=Random(0.1)), budget=512).evidence == "asymptotic"
