import numpy as np
import pytest

from maml_bench import arrays
from maml_bench.adaptation import InnerLoop, exact_path, stochastic_path
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric


class Recorded:
    """A quadratic that notes what is asked of ``sample``."""

    def __init__(self, tasks):
        self.tasks, self.dim, self.batch_shape, self.asked = tasks, tasks.dim, tasks.batch_shape, []

    def grad(self, w, sample=None):
        return self.tasks.grad(w, sample)

    def sample(self, rng, w, size):
        self.asked.append((w.copy(), size))
        return self.tasks.sample(rng, w, size)


def test_exact_path_by_hand():
    tasks = Quadratic(np.array([[[2.0]]]), np.array([[1.0]]))
    # w <- w - 0.1 (2 w - 1): 1, 0.9, 0.82
    path = exact_path(tasks, np.array([1.0]), 0.1, 2)
    assert path.shape == (3, 1, 1)
    np.testing.assert_allclose(path.ravel(), [1, 0.9, 0.82], rtol=1e-15)


def test_a_path_that_would_not_fit_into_memory_is_refused_and_one_that_just_fits_is_not(monkeypatch):
    tasks, w = Quadratic.random(3, 2, 0), np.ones((5, 1, 3))
    for count, steps in ((5 * 5 * 2 * 3, 4), (2 * 5 * 2 * 3, 1)):
        monkeypatch.setattr(arrays, "LARGEST", count)
        assert exact_path(tasks, w, 0.1, steps).size == count
        monkeypatch.setattr(arrays, "LARGEST", count - 1)
        with pytest.raises(ValueError, match=f"steps = {steps}, an inner path of dimension 3: needs arrays of"):
            exact_path(tasks, w, 0.1, steps)


def test_every_step_draws_a_fresh_batch_of_s_samples_at_the_current_point():
    tasks = Recorded(Quadratic.random(2, 3, 0).with_noise(AdditiveGaussian(1.0)))
    inner = InnerLoop(0.1, 4, S=7, D=11, T=13)
    path = stochastic_path(tasks, np.zeros((5, 3, 2)), inner, np.random.default_rng(0))
    assert path.shape == (5, 5, 3, 2)
    assert [size for _, size in tasks.asked] == [7] * 4
    for (point, _), expected in zip(tasks.asked, path[:-1], strict=True):
        np.testing.assert_array_equal(point, expected)
    noises = (path[:-1] - path[1:]) / 0.1 - tasks.grad(path[:-1])
    # Batches of different steps and replicates differ: independent draws.
    assert len(np.unique(np.round(noises, 12))) == noises.size


def test_batching_over_replicates_and_tasks_changes_nothing():
    tasks = Trigonometric.random(3, 4, 0)
    w = np.random.default_rng(1).standard_normal((6, 4, 3))
    together = exact_path(tasks, w, 0.2, 5)
    for replicate in range(6):
        for task in range(4):
            alone = exact_path(tasks[task], w[replicate, task], 0.2, 5)
            np.testing.assert_allclose(together[:, replicate, task], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.by_chance(6e-7)
@pytest.mark.parametrize("noise", [AdditiveGaussian(0.5), RandomPhase(0.5, 1.5)])
def test_one_step_has_the_variance_alpha_squared_sigma_g_squared_over_s(noise):
    # 20000 replicates of a mean with coefficient of variation <= 1.5: 5 standard errors are 5.3 %; false alarm 6e-7.
    tasks = Quadratic.random(3, 1, 0).with_noise(noise)
    inner = InnerLoop(0.1, 1, S=4)
    path = stochastic_path(tasks, np.ones((20_000, 1, 3)), inner, np.random.default_rng(0))
    error = path[1] - exact_path(tasks, np.ones(3), 0.1, 1)[1]
    assert np.vecdot(error, error).mean() == pytest.approx(0.1**2 * noise.sigma_g**2 / 4, rel=0.053)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 0),
        ("alpha", -1),
        ("alpha", np.nan),
        ("steps", 0),
        ("steps", 1.5),
        ("S", 0),
        ("S", -2),
        ("D", 0),
        ("T", True),
        ("alpha", "x"),
    ],
)
def test_bad_input_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name} = .*: must be"):
        InnerLoop(**{"alpha": 0.1, "steps": 2, name: value})
