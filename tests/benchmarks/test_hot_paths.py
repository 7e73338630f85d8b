"""Each hot path and its floor, timed in one group: ``make benchmark``."""

import numpy as np
import pytest
from hot_paths import hot_paths
from performance import measured, table
from threadpoolctl import threadpool_limits

from maml_bench.montecarlo.workers import keep_memory

PATHS = hot_paths()


@pytest.mark.parametrize("side", ["run", "floor"])
@pytest.mark.parametrize("name", PATHS)
def test_time(benchmark, name, side):
    benchmark.group = name
    keep_memory()
    with threadpool_limits(1):
        benchmark(getattr(PATHS[name], side))


@pytest.mark.parametrize("name", PATHS)
def test_a_path_takes_longer_than_what_it_cannot_leave_out(name):
    # Half of it is allowed for the clock: a floor that does more than the path is not one.
    assert measured({name: PATHS[name]}, rounds=1, seconds=0.02)[name] > 0.5


def test_the_table_tells_ratios_and_the_change():
    now, before = {"inner path": 1.5, "kink": 3.0}, {"inner path": 3.0}
    text = table(now, before, {"inner path": "N sines", "kink": "normals"})
    assert "| inner path | 1.50 | ×0.50 | N sines |" in text
    assert "| kink | 3.00 | – | normals |" in text


def test_the_directions_of_one_group_are_those_of_the_estimator():
    assert np.shape(PATHS["Gaussian smoothing"].run()) == (256, 8, 20)
