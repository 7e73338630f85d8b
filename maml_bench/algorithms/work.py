"""How long an algorithm takes until the gradient has fallen to a share of its start: meta-iterations, and samples."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from maml_bench.algorithms.outer_loop import train
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting, looped

ITERATIONS, SAMPLES = "meta-iterations", "samples along inner paths"
SHARE, SHORTEST, LONGEST = 0.8, 128, 16_000
REACH = 2.6
"""Standard errors on either side of a mean: 99 % limits."""


def work(point: Setting, *, seed: int, budget: int, workers: Workers | int = 1) -> Iterator[dict]:
    """The first K for which the mean over iterates of ||grad calL|| is a share of its start, and samples until then.

    Rows for the mean over ``budget`` runs, with limits where those of the mean reach the share. ``growth`` is q^(2N).
    """
    K = SHORTEST
    while True:
        run = train(replace(point, outer=replace(looped(point), iterations=K)), budget, seed, workers=workers)
        means = np.cumsum(run.gradient_norm, axis=0) / np.arange(1, K + 1)[:, None]
        reach = REACH * means.std(1, ddof=1) / math.sqrt(budget)
        reached = [means.mean(1) + sign * reach <= SHARE * means[0, 0] for sign in (0, -1, 1)]
        if K >= LONGEST or all(r.any() for r in reached):
            break
        K *= 2
    counts = np.array([r.argmax() + 1 if r.any() else K for r in reached])
    inner = point.inner
    labels = {"growth": (1 + inner.alpha * point.tasks.regularity.L) ** (2 * inner.steps), "replicates": budget}
    for quantity, each in ((ITERATIONS, 1), (SAMPLES, looped(point).B * inner.steps * (inner.S + inner.D))):
        limits = dict(zip(("value", "lower", "upper"), (each * counts).tolist(), strict=True))
        yield labels | limits | {"quantity": quantity, "evidence": "asymptotic"}
