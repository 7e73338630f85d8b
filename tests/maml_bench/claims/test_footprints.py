"""The floats that a replicate is said to occupy, by which blocks are sized, against the memory that it takes."""

import tracemalloc

import numpy as np
import pytest
from zoo import at, slanted, tilted

from maml_bench import claims
from maml_bench.claims.claim import by_measurement
from maml_bench.hessians import CentralDifference, ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, RandomPhase, Trigonometric

OF_RUNS = ("lemma-b", "thm", "cor", "zo-neighbourhood", "finite-thm")
"""A replicate is a run, of which the outer loop keeps no more than it must; that has tests of its own."""

MEASUREMENTS = {
    f"{group[0].name} {group[0].form}": group[0].measurement
    for group in by_measurement(claims.get(name, form) for name in claims.names() for form in claims.forms(name))
    if group[0].measurement.sampled and not group[0].name.startswith(OF_RUNS)
}


def cases(dim, count, directions, samples):
    waves = Trigonometric.random(dim, count, 0)
    noises = AdditiveGaussian(0.5), RandomPhase(0.5, 1.0)
    estimators = (
        ExactHessian(),
        GaussianSmoothing(0.1, directions),
        ZerothOrder(0.1, directions, data="population"),
        ZerothOrder(0.1, directions, stein=True, data="population"),
        CentralDifference(0.1),
    )
    for tasks in (waves, *map(waves.with_noise, noises), tilted(waves)):
        for hessian in estimators:
            yield at(tasks, slanted(dim), 0.01, 3, hessian, S=samples, D=samples, T=samples)


def floats(draw, replicates):
    """The most that a draw holds at once, written out: bets on long matrices may look at all entries."""
    tracemalloc.start()
    np.asarray(draw(np.random.default_rng(0), replicates))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 8


@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=MEASUREMENTS)
@pytest.mark.parametrize("size", [(12, 2, 5, 3), (40, 9, 30, 9)], ids=["small", "large"])
def test_a_replicate_takes_about_what_is_said(measurement, size):
    """Between a twelfth of it and two and a half times where this was written: what is held for a moment counts."""
    for case in cases(*size):
        if measurement.requires(case):
            continue
        draw = measurement.sampled.draw(case)
        draw = getattr(draw, "draw", draw)
        draw(np.random.default_rng(0), 8)  # what is kept for good
        taken = (floats(draw, 24) - floats(draw, 8)) / 16
        assert 1 / 16 < taken / measurement.sampled.footprint(case) < 4, case
