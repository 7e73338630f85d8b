"""Runs against closed forms: on quadratics a run is a Gaussian autoregression with known mean and covariance.

Statistical tests reject at five standard errors of normal means (false alarm about 6e-7 each).
"""

from dataclasses import dataclass

import numpy as np
import pytest

from analytic import Regularity, bound
from maml_bench import InnerLoop, OuterLoop, Setting, train
from maml_bench.algorithms import Adam, Reptile, Samples
from maml_bench.hessians import GaussianSmoothing
from maml_bench.meta_gradient import exact_meta_gradient, meta_objective
from maml_bench.problems import AdditiveGaussian, FiniteSum, LogisticLoss, Quadratic, Trigonometric

INNER = InnerLoop(alpha=0.1, steps=3)


def quadratics(tasks=3):
    return Quadratic(np.diag([1.0, -0.3]), np.random.default_rng(0).standard_normal((tasks, 2)))


def setting(tasks=None, inner=INNER, w=(1.0, -2.0), hessian=None, **outer):
    outer = {"iterations": 6, "B": 2, **outer}
    if not outer.keys() & {"beta", "C_beta"}:
        outer["beta"] = 0.1
    more = {} if hessian is None else {"hessian": hessian}
    return Setting(quadratics() if tasks is None else tasks, np.array(w), inner, outer=OuterLoop(**outer), **more)


def test_one_task_without_noise_is_gradient_descent():
    tasks = Trigonometric.random(2, 1, 0)
    run = train(setting(tasks, beta=0.3), replicates=2)
    w, norms, objectives = np.array([1.0, -2.0]), [], []
    for _ in range(6):
        gradient = exact_meta_gradient(tasks, w, INNER.alpha, INNER.steps)[0]
        norms.append(np.linalg.norm(gradient))
        objectives.append(meta_objective(tasks, w, INNER.alpha, INNER.steps)[0])
        w = w - 0.3 * gradient
    np.testing.assert_allclose(run.w, [w, w], rtol=1e-12)
    np.testing.assert_allclose(run.gradient_norm, np.transpose([norms, norms]), rtol=1e-12)
    np.testing.assert_allclose(run.objective, np.transpose([objectives, objectives]), rtol=1e-12)
    w = np.array([1.0, -2.0])
    np.testing.assert_allclose(run.task_gradient_norm[0], np.linalg.norm(tasks.grad(w)[0]), rtol=1e-12)
    assert not run.diverged.any()


def test_the_estimated_step_size_without_noise_is_that_of_proposition_1():
    tasks = Trigonometric.random(2, 1, 0)
    run = train(setting(tasks, C_beta=2.0))
    regularity, w = tasks.regularity, np.array([1.0, -2.0])
    for _ in range(6):
        size = np.linalg.norm(tasks.grad(w))
        L_w = bound("prop1", "sharp")(alpha=0.1, steps=3, L=regularity.L, rho=regularity.rho, task_grad_norm=size)
        w = w - exact_meta_gradient(tasks, w, INNER.alpha, INNER.steps)[0] / (2 * L_w)
    np.testing.assert_allclose(run.w[0], w, rtol=1e-12)


def test_the_finite_sum_algorithm_adapts_with_full_gradients_and_is_judged_on_the_target():
    rng = np.random.default_rng(4)
    support, target = (
        LogisticLoss(rng.standard_normal((1, 6, 2)), np.sign(rng.standard_normal((1, 6))), 0.1) for _ in range(2)
    )
    tasks = FiniteSum.pair(support, target)
    run = train(setting(tasks, C_beta=2.0))
    L, rho, w = tasks.regularity.L, tasks.regularity.rho, np.array([1.0, -2.0])
    constants = {"alpha": 0.1, "steps": 3, "L": L, "rho": rho, "b": tasks.b}
    for _ in range(6):
        L_w = bound("finite-prop1", "sharp")(**constants, task_grad_norm=np.linalg.norm(target.grad(w)))
        w = w - exact_meta_gradient(support, w, 0.1, 3, target)[0] / (2 * L_w)
    np.testing.assert_allclose(run.w[0], w, rtol=1e-12)
    np.testing.assert_allclose(
        run.task_gradient_norm[0, 0], np.linalg.norm(target.grad(np.array([1.0, -2.0]))), rtol=1e-12
    )


def test_tasks_are_drawn_uniformly_with_replacement():
    """One step with B = 2 of 3 tasks ends in one of 9 points, each as often as the others."""
    case = setting(iterations=1)
    run = train(case, replicates=4500, seed=3)
    w = case.w
    gradients = exact_meta_gradient(case.tasks, w, INNER.alpha, INNER.steps)
    ends = w - 0.1 * (gradients[:, None] + gradients) / 2
    distance = np.linalg.norm(run.w[:, None, None] - ends, axis=-1)
    assert distance.min(axis=(1, 2)).max() < 1e-14
    unordered = [np.mean(distance[:, i, j] < 1e-14) for i in range(3) for j in range(i, 3)]
    expected = np.array([1 / 9 if i == j else 2 / 9 for i in range(3) for j in range(i, 3)])
    assert np.all(np.abs(unordered - expected) < 5 * np.sqrt(expected * (1 - expected) / 4500))


@pytest.mark.parametrize("optimizer", [None, Adam()])
def test_more_tasks_per_iteration_than_there_are(optimizer):
    run = train(setting(B=50, optimizer=optimizer), replicates=3)
    assert run.w.shape == (3, 2)
    assert run.gradient_norm.shape == run.objective.shape == (6, 3)
    assert len(np.unique(run.w[:, 0])) == 3


@pytest.mark.by_chance(3e-6)
def test_mean_and_covariance_on_quadratics():
    """Every coordinate is an autoregression: with M = 1 - alpha a the meta gradient of task i is
    ``M^(2N) (a w - b_i)``, and the noise of the path and of the last gradient adds a variance that is known.
    """
    a, N, alpha, beta, B, K = np.array([1.0, -0.3]), 3, 0.1, 0.2, 4, 8
    tasks, sigma_g, inner = quadratics(), 0.7, InnerLoop(alpha, N, S=2, D=1, T=5)
    case = setting(tasks.with_noise(AdditiveGaussian(sigma_g)), inner, beta=beta, B=B, iterations=K)
    run = train(case, replicates=4096, seed=1)
    M = 1 - alpha * a
    path = alpha**2 * sigma_g**2 / 2 / inner.S * sum(M ** (2 * j) for j in range(N))
    noise = M ** (2 * N) * (a**2 * path + sigma_g**2 / 2 / inner.T)
    variance = (M ** (4 * N) * tasks.b.var(0) + noise) / B
    shrink = 1 - beta * M ** (2 * N) * a
    rest = tasks.b.mean(0) / a
    mean = rest + shrink**K * (case.w - rest)
    spread = beta**2 * variance * sum(shrink ** (2 * k) for k in range(K))
    assert np.all(np.abs(run.w.mean(0) - mean) < 5 * np.sqrt(spread / 4096))
    squares = (run.w - mean) ** 2
    assert np.all(np.abs(squares.mean(0) - spread) < 5 * squares.std(0) / 64)


def test_adam_on_one_quadratic_by_hand():
    tasks = Quadratic(np.diag([1.0, -0.3]), np.ones((1, 2)))
    run = train(setting(tasks, optimizer=Adam(first=0.5, second=0.8, epsilon=0.01), beta=0.1, iterations=3))
    w, m, v = np.array([1.0, -2.0]), 0.0, 0.0
    for k in range(1, 4):
        gradient = exact_meta_gradient(tasks, w, 0.1, 3)[0]
        m, v = 0.5 * m + 0.5 * gradient, 0.8 * v + 0.2 * gradient**2
        w = w - 0.1 * (m / (1 - 0.5**k)) / (np.sqrt(v / (1 - 0.8**k)) + 0.01)
    np.testing.assert_allclose(run.w[0], w, rtol=1e-12)


def test_the_method_of_the_outer_loop_is_run():
    tasks = quadratics(1)
    run = train(setting(tasks, method=Reptile(), iterations=1, B=1))
    gradients, w = [], np.array([1.0, -2.0])
    for _ in range(3):
        gradients.append(tasks.grad(w)[0])
        w = w - 0.1 * gradients[-1]
    np.testing.assert_allclose(run.w[0], [1.0, -2.0] - 0.1 * np.mean(gradients, axis=0), rtol=1e-12)


def test_samples_by_hand():
    inner = InnerLoop(0.1, 3, S=2, D=5, T=7)
    tasks = quadratics().with_noise(AdditiveGaussian(0.1))
    spent = train(setting(tasks, inner, hessian=GaussianSmoothing(0.1, 4), C_beta=3.0, B_beta=4, D_beta=6)).samples
    assert spent == Samples(gradient=6 * (2 * (3 * 2 + 7 + 3 * 5 * 5) + 4 * 6))
    assert train(setting(tasks, inner)).samples == Samples(gradient=6 * 2 * 13, hessian_vector=6 * 2 * 15)


@dataclass(frozen=True)
class Quartic:
    """``-slope_i w^4 / 4``: one step from w = 1 is harmless for slope 0 and starts an explosion otherwise."""

    slope: np.ndarray
    dim = 1
    regularity = Regularity(L=1.0, rho=1.0)

    @property
    def batch_shape(self):
        return self.slope.shape

    def __getitem__(self, index):
        return Quartic(self.slope[index])

    def sample(self, rng, w, size): ...

    def loss(self, w, sample=None):
        return -self.slope * w[..., 0] ** 4 / 4

    def grad(self, w, sample=None):
        return -self.slope[..., None] * w**3

    def hvp(self, w, v, sample=None):
        return -3 * self.slope[..., None] * w**2 * v

    def hess(self, w, sample=None):
        return -3 * (self.slope[..., None] * w**2)[..., None]


@pytest.mark.parametrize("optimizer", [None, Adam()])
def test_a_diverging_replicate_is_noticed_and_leaves_the_others_alone(optimizer):
    outer = OuterLoop(6, 1, beta=0.1, optimizer=optimizer)
    case = Setting(Quartic(np.array([0.0, 1e40])), np.ones(1), InnerLoop(0.1, 1), outer=outer)
    run = train(case, replicates=512, seed=0)
    calm = run.w[:, 0] == 1  # drew the harmless task six times
    assert np.array_equal(np.isnan(run.w[:, 0]), run.diverged)
    assert calm.any()
    assert run.diverged.any()
    assert not (calm & run.diverged).any()
    assert np.all(run.gradient_norm[:, calm] == run.gradient_norm[0, 0])
    lost = np.isnan(run.gradient_norm)
    assert not lost[0].any()
    assert np.all(lost[1:] >= lost[:-1])
    assert np.all(lost[-1] <= run.diverged)


def test_the_number_of_workers_changes_nothing():
    case = setting(quadratics().with_noise(AdditiveGaussian(0.5)), C_beta=2.0)
    one, two = (train(case, replicates=70, seed=5, workers=workers) for workers in (1, 3))
    assert np.array_equal(one.w, two.w)
    assert np.array_equal(one.gradient_norm, two.gradient_norm)
    assert np.array_equal(one.w[:64], train(case, replicates=64, seed=5).w)
    assert not np.array_equal(one.w, train(case, replicates=70, seed=6).w)
    assert len(np.unique(one.w[:, 0])) == 70


def long_run(optimizer=None):
    return setting(quadratics().with_noise(AdditiveGaussian(0.5)), C_beta=5.0, iterations=700, optimizer=optimizer)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("optimizer", [None, Adam()])
def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path, optimizer):
    case, path = long_run(optimizer), tmp_path / "run.npz"

    def interrupt(done, iterations):
        assert 0 < done < iterations == 700
        raise Interrupted

    with pytest.raises(Interrupted):
        train(case, replicates=40, checkpoint=path, progress=interrupt)
    resumed, whole = train(case, replicates=40, checkpoint=path), train(case, replicates=40)
    for name in ("w", "gradient_norm", "objective", "task_gradient_norm", "diverged"):
        assert np.array_equal(getattr(resumed, name), getattr(whole, name))
    again = train(case, replicates=40, checkpoint=path, progress=interrupt)  # finished: nothing is left to do
    assert np.array_equal(again.w, whole.w)


def test_progress_is_told_until_the_end():
    told = []
    train(long_run(), replicates=2, progress=lambda done, iterations: told.append((done, iterations)))
    assert told[-1] == (700, 700)
    assert len(told) > 1
    assert told == sorted(told)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    train(setting(), replicates=2, seed=1, checkpoint=path)
    for case, replicates, seed in ((setting(beta=0.2), 2, 1), (setting(), 3, 1), (setting(), 2, 0)):
        with pytest.raises(ValueError, match="checkpoint = .*: is of another run"):
            train(case, replicates, seed, checkpoint=path)
    path.write_text("not a checkpoint")
    with pytest.raises(ValueError, match="checkpoint = .*: cannot be read"):
        train(setting(), replicates=2, seed=1, checkpoint=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "iterations = 0: must be an integer >= 1"),
        ({"B": 0}, "B = 0: must be an integer >= 1"),
        ({"beta": 0}, "beta = 0: must be a finite number > 0"),
        ({"beta": -1.0}, "beta = -1.0: must be"),
        ({"beta": 0.1, "C_beta": 5}, "beta = 0.1, C_beta = 5: exactly one must be given, not both"),
        ({"beta": None}, "beta = None, C_beta = None: exactly one must be given, not neither"),
        ({"C_beta": 0.0}, "C_beta = 0.0: must be"),
        ({"C_beta": 5, "B_beta": 0}, "B_beta = 0"),
        ({"C_beta": 5, "D_beta": 1.5}, "D_beta = 1.5"),
        ({"beta": 0.1, "D_beta": 3}, "D_beta = 3: only with C_beta"),
        ({"beta": 0.1, "method": "maml"}, "method = 'maml': must have a method meta_gradient"),
        ({"beta": 0.1, "optimizer": 3}, "optimizer = 3: must have a method step"),
    ],
)
def test_an_argument_that_is_not_allowed_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        setting(**arguments)


def test_a_run_needs_an_outer_loop_and_a_step_size():
    with pytest.raises(ValueError, match="outer = None: training needs an OuterLoop"):
        train(Setting(quadratics(), np.ones(2), INNER))
    with pytest.raises(ValueError, match="outer = 3: must be an OuterLoop or None"):
        Setting(quadratics(), np.ones(2), INNER, outer=3)
    with pytest.raises(ValueError, match="replicates = 0"):
        train(setting(), replicates=0)
    flat = Quadratic(np.zeros((2, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="C_beta: .* needs L > 0"):
        train(setting(flat, C_beta=5))
    assert np.allclose(train(setting(flat, beta=0.5)).w, [[4.0, 1.0]])


def test_batch_sizes_of_the_estimate_unless_given():
    assert OuterLoop(3, 7, C_beta=5) == OuterLoop(3, 7, C_beta=5, B_beta=7, D_beta=1)


def test_task_axes_may_be_several_or_none():
    several = Quadratic(np.eye(2), np.arange(8.0).reshape(2, 2, 2))
    flat = Quadratic(np.eye(2), np.arange(8.0).reshape(4, 2))
    assert np.array_equal(train(setting(several), 3).w, train(setting(flat), 3).w)
    alone = train(setting(quadratics()[0], iterations=1))
    np.testing.assert_allclose(alone.w, train(setting(quadratics()[:1], iterations=1)).w, rtol=1e-14)


def test_the_size_of_gradients_is_known_however_short_inner_steps_are():
    tasks, w = Trigonometric.random(3, 2, 0), np.array([1e3, 2.0, 1.0])
    run = train(Setting(tasks, w, InnerLoop(1e-13, 2), outer=OuterLoop(1, B=1, beta=0.1)))
    assert run.task_gradient_norm[0, 0] == pytest.approx(np.linalg.norm(tasks.grad(w), axis=-1).mean(), rel=1e-12)
