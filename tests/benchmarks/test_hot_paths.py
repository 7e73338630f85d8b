"""Each hot path, its floor, and the same in JAX and PyTorch where they are installed, timed in one group:
``make benchmark``.
"""

from functools import cache

import numpy as np
import peers
import pytest
from hot_paths import REPLICATES, SETTING, HotPath, hot_paths
from performance import measured, table
from threadpoolctl import threadpool_limits

from maml_bench.montecarlo.workers import keep_memory

PATHS = hot_paths()


@cache
def programs(peer):
    return peers.timed(peer, SETTING, REPLICATES)


@pytest.mark.parametrize("side", ["run", "floor", *peers.NAMES])
@pytest.mark.parametrize("name", PATHS)
def test_time(benchmark, name, side):
    timed = getattr(PATHS[name], side) if side in ("run", "floor") else programs(side).get(name)
    if timed is None:
        pytest.skip(f"{name} is not written down in {peers.TITLES[side]}")
    benchmark.group = name
    keep_memory()
    with threadpool_limits(1):
        benchmark(timed)


@pytest.mark.parametrize("name", PATHS)
def test_a_path_takes_longer_than_what_it_cannot_leave_out(name):
    # Half of it is allowed for the clock: a floor that does more than the path is not one.
    assert measured({name: PATHS[name]}, rounds=1, seconds=0.02)[name]["floor"] > 0.5


def test_the_table_tells_ratios_and_the_change():
    now = {"inner path": {"floor": 1.5, "library": 0.9, "jax": 2.5}, "kink": {"floor": 3.0}}
    text = table(now, {"inner path": {"floor": 3.0}}, {"inner path": "N sines", "kink": "normals"})
    assert "| hot path | time / floor | / with libraries' | JAX / time | change | the floor |" in text
    assert "| inner path | 1.50 | 0.90 | 2.50 | ×0.50 | N sines |" in text
    assert "| kink | 3.00 |  |  | – | normals |" in text


def test_a_peer_is_over_the_path_and_the_path_over_its_floor():
    def spin(times):
        return lambda: [sum(range(1000)) for _ in range(times)]

    path = HotPath(spin(40), spin(10), "a quarter")
    (ratios,) = measured({"it": path}, {"jax": {"it": spin(160)}}, rounds=3, seconds=0.01).values()
    assert 2 < ratios["floor"] < 8
    assert 2 < ratios["jax"] < 8


def test_the_directions_of_one_group_are_those_of_the_estimator():
    assert np.shape(PATHS["Gaussian smoothing"].run()) == (256, 8, 20)
