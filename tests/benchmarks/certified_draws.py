"""What certified limits cost: the time of a run to the end of a budget over that of plain draws in the same blocks.

``python -m tests.benchmarks.certified_draws`` prints the least of several ratios, each of two runs one after the other.
The aim is 1.3. Replicates of a variance are made of two directions, less what is known. Those of gradient differences
need their opposites, too, twice as many gradients as plain ones of one direction: 1.6 to 1.9. A hundredth of the number
decides as much; and of many directions a replicate takes a part of the time. Means of gradient differences, prop6, take
1.5 to 1.6 times as long as plain draws, which work out once what is known at w, as certified ones do.
"""

import time
from collections.abc import Callable

import numpy as np

from maml_bench import InnerLoop, Setting, claims
from maml_bench.claims import gaussian_smoothing, inner_path, zeroth_order
from maml_bench.effort import Effort
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.montecarlo.sequence import block_generator, block_size
from maml_bench.problems import AdditiveGaussian, Trigonometric
from maml_bench.verdict import sampling

REPEATS = 3


def settings(dim: int) -> dict[str, tuple[str, Setting, Callable]]:
    """Claims with their settings and the plain draws of the same mean, by name."""
    tasks, w, inner = Trigonometric.random(dim, 1, 0), np.ones(dim), InnerLoop(0.1, 5)
    noisy = Setting(tasks.with_noise(AdditiveGaussian(1.0)), w, inner)
    found = {f"inner path, d = {dim}": ("prop2-second", noisy, inner_path.squared_distances)}
    for Q in (1, 16):
        gradients, losses = GaussianSmoothing(0.1, Q, "population"), ZerothOrder(0.1, Q, data="population")
        point = Setting(tasks, w, inner, losses)
        found[f"zo-vector, d = {dim}, Q = {Q}"] = ("zo-vector", point, zeroth_order.vector_squares)
        point = Setting(tasks, w, inner, gradients)
        found[f"prop7-vector, d = {dim}, Q = {Q}"] = ("prop7-vector", point, gaussian_smoothing.vector_squares)
    found[f"prop6, d = {dim}"] = ("prop6", Setting(tasks, w, inner, gradients), gaussian_smoothing.deviations)
    return found


def ratio(name: str, setting: Setting, plain: Callable, budget: int) -> float:
    """The time of certified limits over that of plain draws."""
    claim = claims.get(name, "sharp")
    floats = claim.measurement.sampled.footprint(setting)

    def certified():
        for _ in sampling(claim, setting, Effort(budget=budget)):
            pass

    def bare():
        draw, drawn, number = plain(setting), 0, 0
        while drawn < budget:
            size = min(block_size(number, floats), budget - drawn)
            draw(block_generator(0, number), size)
            drawn, number = drawn + size, number + 1

    def timed(run):
        start = time.process_time()
        run()
        return time.process_time() - start

    return min(timed(certified) / timed(bare) for _ in range(REPEATS))


if __name__ == "__main__":
    for dim, budget in ((2, 1_000_000), (20, 200_000)):
        for words, (name, setting, plain) in settings(dim).items():
            print(f"{words:>28}: {ratio(name, setting, plain, budget):.2f}")
