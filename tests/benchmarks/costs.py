"""How cost grows with N, Q, R, d and the number of tasks, what the largest takes, and what a second worker adds."""

import multiprocessing
import time
import tracemalloc
from collections.abc import Callable, Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from maml_bench import InnerLoop, Setting, check
from maml_bench.claims.meta_gradient import gradient_floats
from maml_bench.hessians import ExactHessian, GaussianSmoothing
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.montecarlo.sequence import block_generator, block_size
from maml_bench.montecarlo.workers import Workers, keep_memory
from maml_bench.problems import AdditiveGaussian, RankOne, Trigonometric

BASE = {"N": 4, "Q": 8, "R": 64, "d": 16, "tasks": 4}
GROWTH = {
    "N": (4, 8, 16, 32),
    "Q": (16, 32, 64, 128),
    "R": (64, 128, 256, 512),
    "d": (2**13, 2**14, 2**15, 2**16),
    "tasks": (4, 8, 16, 32),
}
"""Values of each parameter, the others as in `BASE`; d on rank-one tasks, 4 replicates of 1 task: no matrix counts."""

LATE = 20
"""A block that has come to its full size."""


def meta_gradient(N: int, Q: int, R: int, d: int, tasks: int) -> Callable[[], np.ndarray]:
    """Stochastic meta gradients with Gaussian smoothing, ready to run."""
    if d > BASE["d"]:
        family, R = RankOne.random(d, 1, 0, radius=5.0), min(R, 4)
    else:
        family = Trigonometric.random(d, tasks, 0)
    noisy, w, rng = (
        family.with_noise(AdditiveGaussian(0.5)),
        np.full((R, 1, d), 0.5 / np.sqrt(d)),
        block_generator(0, 0),
    )
    inner, hessian = InnerLoop(1e-3, N), GaussianSmoothing(1e-2, Q, "population")
    return lambda: stochastic_meta_gradient(noisy, w, inner, hessian, rng)


def exponents(rounds: int = 5) -> dict[str, float]:
    """The exponent of processor time in each parameter: the median over rounds of the least-squares slope of its
    logarithm; the values of a round are run one after the other, so that a slow moment meets all of them.
    """
    keep_memory()
    found = {}
    with threadpool_limits(1):
        for name, values in GROWTH.items():
            runs = [meta_gradient(**BASE | {name: value}) for value in values]
            slopes = []
            for _ in range(rounds):
                spent = [_seconds(run) for run in runs]
                slopes.append(np.polyfit(np.log(values), np.log(spent), 1)[0])
            found[name] = float(np.median(slopes))
    return found


def _seconds(run, at_least=0.03):
    run()
    calls, start = 0, time.process_time()
    while (spent := time.process_time() - start) < at_least:
        run()
        calls += 1
    return spent / calls


ALLOWED = {"prop1, seconds": 5.0, "a million dimensions, GB": 2.0}
"""What `largest` may take."""


def largest() -> dict[str, float]:
    """Processor time of `prop1` at d = 300 with 10 tasks, and the most memory that Python and NumPy hold at a time in
    one meta gradient of Gaussian smoothing with ten directions at d = 10^6.
    """
    tasks, start = Trigonometric.random(300, 10, 0), time.process_time()
    check("prop1", Setting(tasks, np.full(300, 0.1), InnerLoop(0.02, 5)))
    seconds = time.process_time() - start
    run = meta_gradient(N=2, Q=10, R=1, d=10**6, tasks=1)
    tracemalloc.start()
    run()
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return dict(zip(ALLOWED, (seconds, 1e-9 * held), strict=True))


def work(seed: int, calls: int) -> float:
    """Some blocks of the meta gradient with exact Hessians, of the size that the bench gives them."""
    tasks, inner = Trigonometric.random(20, 8, 0).with_noise(AdditiveGaussian(0.5)), InnerLoop(0.05, 5)
    size = block_size(LATE, gradient_floats(Setting(tasks, np.ones(20), inner, ExactHessian())))
    rng, w = block_generator(seed, 0), np.ones((size, 1, 20))
    return sum(float(stochastic_meta_gradient(tasks, w, inner, ExactHessian(), rng).sum()) for _ in range(calls))


def second_worker(rounds: int = 9, calls: int = 8) -> Mapping[str, float]:
    """How much faster two workers are than one, and two independent processes: medians of interleaved rounds of wall
    time. The machine sets the second number; the ratio of the two says what sharing an interpreter costs.
    """
    context = multiprocessing.get_context("spawn")
    rows: list[tuple[float, float, float]] = []
    with context.Pool(2) as pool:
        pool.starmap(_prepared, [(0, 2)] * 4)
        Workers(2).map([(work, 0, 2)] * 2)
        for _ in range(rounds):
            alone = elapsed(lambda: Workers(1).map([(work, 0, calls), (work, 1, calls)]))
            workers = elapsed(lambda: Workers(2).map([(work, 0, calls), (work, 1, calls)]))
            processes = elapsed(lambda: pool.starmap(_prepared, [(0, calls), (1, calls)], chunksize=1))
            rows.append((alone / workers, alone / processes, processes / workers))
    names = ("two workers", "two processes", "workers over processes")
    return dict(zip(names, np.median(rows, axis=0).tolist(), strict=True))


def _prepared(seed, calls):
    keep_memory()
    with threadpool_limits(1):
        return work(seed, calls)


def elapsed(function: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(exponents())
    print(largest())
    print(second_worker())
