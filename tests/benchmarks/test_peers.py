"""What JAX and PyTorch are timed with does what the bench does: here in NumPy, mapped by loops, on the same draws."""

import numpy as np
import peers
import pytest

from maml_bench import InnerLoop, Setting
from maml_bench.adaptation import stochastic_path
from maml_bench.hessians import ExactHessian, GaussianSmoothing
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.problems import AdditiveGaussian, Trigonometric

R, T, D, Q, N = 3, 2, 4, 5, 3
TASKS = Trigonometric.random(D, T, 1).with_noise(AdditiveGaussian(0.5))
SETTING = Setting(TASKS, np.ones(D), InnerLoop(0.1, N), GaussianSmoothing(0.1, Q, "population"))
W = np.linspace(-1, 1, R * D).reshape(R, 1, D)


def looped(function, axes=None):
    def mapped(*arguments):
        over = [axis is not None for axis in axes or [0] * len(arguments)]
        count = next(len(a) for a, along in zip(arguments, over, strict=True) if along)
        each = ([a[k] if along else a for a, along in zip(arguments, over, strict=True)] for k in range(count))
        return np.stack([function(*chosen) for chosen in each])

    return mapped


def ours(name, rng):
    if name == "Gaussian smoothing":
        return SETTING.hessian.operator(TASKS.population, W, 1, rng)(np.ones(D))
    if name == "inner path":
        return np.moveaxis(stochastic_path(TASKS, W, SETTING.inner, rng), 0, -2)
    return stochastic_meta_gradient(TASKS, W, SETTING.inner, ExactHessian(), rng)


@pytest.mark.parametrize("name", ["Gaussian smoothing", "inner path", "meta gradient"])
def test_same_numbers_from_the_same_normals(name):
    program, shape = peers.programs(np, looped, SETTING)[name]
    normals = np.random.default_rng(0).standard_normal((shape[0], R, T, D))  # in the order in which the bench draws
    found = program(W[:, 0], np.moveaxis(normals, 0, 2), *peers.arrays(TASKS.population))
    np.testing.assert_allclose(found, ours(name, np.random.default_rng(0)), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("peer", peers.TITLES)
def test_timed_programs_give_finite_numbers(peer):
    if peer not in peers.NAMES:
        pytest.skip(f"{peers.TITLES[peer]} is not installed")
    for name, run in peers.timed(peer, SETTING, R).items():
        assert np.isfinite(np.asarray(run())).all(), name
