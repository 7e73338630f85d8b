"""Figure 1 at its published size: four methods of 2000 meta-iterations each, on many seeds at once.

Target: under 1 s a seed on two cores, amortized over 100 seeds. ``make benchmark`` runs it.
"""

import pytest

from maml_bench.algorithms.programs import RELEASED_RANK_ONE
from maml_bench.algorithms.trials import Trial, measure

SEEDS = 100


@pytest.mark.parametrize("deviations", [(), tuple(sorted(RELEASED_RANK_ONE))], ids=["specified", "released"])
def test_a_hundred_seeds_of_figure_1(benchmark, deviations):
    seeds, iterations = (SEEDS, 2000) if benchmark.enabled else (2, 3)
    trial = Trial("rank-one", deviations, nus=(1e-1,), iterations=iterations)
    rows = benchmark.pedantic(measure, args=(trial,), kwargs={"seed": 0, "budget": seeds, "workers": 2}, rounds=1)
    assert {row["method"] for row in rows} == set(trial.methods)
    assert not any(row["diverged"] for row in rows)
    if benchmark.enabled:
        assert benchmark.stats["mean"] < SEEDS
