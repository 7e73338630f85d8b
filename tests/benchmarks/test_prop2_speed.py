"""The hot path of the bench: 10^6 replicates of Proposition 2's second moment, d = 20, N = 5, additive noise.

Target: under 5 s on two cores and under 300 MB, whatever the number of replicates. ``make benchmark`` runs it.
"""

import tracemalloc

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, check
from maml_bench.montecarlo.sequence import LAST_BLOCK
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric

SETTING = Setting(
    Quadratic.random(20, 1, 0).with_noise(AdditiveGaussian(1.0)), np.ones(20), InnerLoop(alpha=0.05, steps=5)
)


def sample(budget, workers, setting=SETTING):
    return check("prop2-second", setting, method="monte-carlo", budget=budget, precision=1e-9, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_million_replicates(benchmark, workers):
    verdict = benchmark.pedantic(sample, args=(1_000_000 if benchmark.enabled else 20_000, workers), rounds=3)
    assert verdict.outcome == "holds"


def test_random_phase_noise(benchmark):
    tasks = Trigonometric.random(5, 4, 0).with_noise(RandomPhase(1.0, 1.0))
    setting = Setting(tasks, np.ones(5), InnerLoop(alpha=0.05, steps=5, S=4))
    budget = 50_000 if benchmark.enabled else 5_000
    assert benchmark.pedantic(sample, args=(budget, 2, setting), rounds=3).outcome == "holds"


def test_memory_does_not_grow_with_the_replicates():
    # What Python and NumPy allocate at the peak: for each of two workers a path of six points of the largest block, the
    # five rows of its tilted noise, and about as many temporaries.
    peaks = []
    for budget in (100_000, 800_000):
        tracemalloc.start()
        sample(budget, workers=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 1e6
    assert peaks[1] < 2 * 25 * LAST_BLOCK * SETTING.tasks.dim * 8
