"""Cost of a training run: run with ``pytest tests/benchmarks --benchmark-enable``.

64 replicates of 3000 meta-iterations with 50 tasks should take less than 6 s on 2 cores; here a tenth of it.
"""

import numpy as np
import pytest

from maml_bench import InnerLoop, OuterLoop, Setting, train
from maml_bench.hessians import ExactHessian, GaussianSmoothing
from maml_bench.problems import AdditiveGaussian, Trigonometric


@pytest.mark.parametrize("sigma_g", [0.0, 0.5])
@pytest.mark.parametrize("hessian", [ExactHessian(), GaussianSmoothing(1e-2, 10)], ids=lambda h: type(h).__name__)
def test_training(benchmark, hessian, sigma_g):
    tasks = Trigonometric.random(dim=4, tasks=8, rng=0).with_noise(AdditiveGaussian(sigma_g))
    inner = InnerLoop(1 / (24 * tasks.regularity.L), 3, S=4, D=4, T=4)
    outer = OuterLoop(300 if isinstance(hessian, ExactHessian) else 30, 50, C_beta=100, B_beta=4, D_beta=16)
    setting = Setting(tasks, np.ones(4), inner, hessian, outer)
    run = benchmark.pedantic(lambda: train(setting, replicates=64, workers=2), rounds=3)
    assert np.isfinite(run.w).all()
