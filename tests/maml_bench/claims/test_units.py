"""Nothing depends on the units of length and loss: bounds, values, replicates, ceilings and allowances follow them.

A loss l becomes k l(c w), a point w becomes w/c. With k and c powers of two the arithmetic is the same to rounding, and
so are the numbers drawn.
"""

from dataclasses import replace

import numpy as np
import pytest
from zoo import OF_RUNS, at, estimators, run, slanted, tilted

from analytic.bound import HypothesisError
from maml_bench import claims
from maml_bench.claims.claim import by_measurement
from maml_bench.claims.smoothness import largest_ratio
from maml_bench.hessians import CentralDifference, ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.montecarlo.tilted import Capped
from maml_bench.problems import AdditiveGaussian, FiniteSum, Quadratic, RandomPhase, Trigonometric, TwoPoint

K, C = 2.0, 2.0
GRADIENT, CURVATURE, LENGTH = K * C, K * C**2, 1 / C

UNITS = {
    "prop1": CURVATURE,
    "prop2-first": LENGTH,
    "prop2-second": LENGTH**2,
    "prop2-mean": LENGTH,
    "prop3": GRADIENT,
    "prop4": GRADIENT**2,
    "prop5": CURVATURE,
    "prop6": CURVATURE,
    "prop7-vector": CURVATURE**2,
    "prop7-frobenius": CURVATURE**2,
    "prop7-spectral": CURVATURE,
    "zo-vector": CURVATURE**2,
    "zo-stein-vector": CURVATURE**2,
    "prop8": 1.0,
    "prop8-mean": CURVATURE,
    "hvp-central": CURVATURE,
    "zo-shift": GRADIENT,
    "lemma-a": GRADIENT,
    "lemma-a-tasks": GRADIENT,
    "lemma-b-first": 1 / CURVATURE,
    "lemma-b-second": 1 / CURVATURE**2,
    "thm1-square": GRADIENT**2,
    "thm1-capped": GRADIENT**2,
    "thm1-tail": 1.0,
}


def unit(name):
    """Of a claim's two sides; what is measured of runs is a gradient."""
    return UNITS.get(name.removeprefix("finite-"), GRADIENT)


def moved(thing):
    """The same in the other units."""
    match thing:
        case Quadratic():
            return Quadratic(CURVATURE * thing.A, GRADIENT * thing.b)
        case Trigonometric():
            fields = {"A": CURVATURE * thing.A, "b": GRADIENT * thing.b}
            return replace(thing, **fields, amplitude=K * thing.amplitude, frequency=C * thing.frequency)
        case AdditiveGaussian():
            return AdditiveGaussian(GRADIENT * thing.sigma_g)
        case RandomPhase():
            return RandomPhase(K * thing.amplitude, C * thing.kappa)
        case TwoPoint():
            return replace(thing, sigma_g=GRADIENT * thing.sigma_g, tilt=thing.tilt / LENGTH)
        case FiniteSum():
            return FiniteSum(moved(thing.support), moved(thing.target), GRADIENT * thing.b_i)
        case GaussianSmoothing() | ZerothOrder():
            return replace(thing, nu=LENGTH * thing.nu)
        case CentralDifference():
            return replace(thing, delta=LENGTH * thing.delta)
        case ExactHessian():
            return thing
    return moved(thing.population).with_noise(moved(thing.noise))


def other(case):
    """A setting in the other units."""
    inner = replace(case.inner, alpha=case.inner.alpha / CURVATURE)
    return replace(case, tasks=moved(case.tasks), w=LENGTH * case.w, inner=inner, hessian=moved(case.hessian))


DIM = 3
QUADRATIC, WAVES = Quadratic.random(DIM, 3, 0, low=0.3), Trigonometric.random(DIM, 3, 0)
TASKS = {
    "quadratic": QUADRATIC,
    "waves": WAVES,
    "quadratic, Gaussian noise": QUADRATIC.with_noise(AdditiveGaussian(0.5)),
    "Gaussian noise": WAVES.with_noise(AdditiveGaussian(0.5)),
    "phases": WAVES.with_noise(RandomPhase(0.5, 1.0)),
    "two points": WAVES.with_noise(TwoPoint(0.5, 0.3, 0.2)),
    "quadratic pairs": tilted(QUADRATIC),
    "pairs": tilted(WAVES),
}
ESTIMATORS = estimators(0.125)
GROUPS = by_measurement(claims.get(name, form) for name in claims.names() for form in claims.forms(name))


def cases(name):
    """Settings of a claim; a step along v itself has the unit of length where v has none, in `hvp-central`."""
    for tasks in TASKS.values():
        for hessian in ESTIMATORS:
            if name.startswith(OF_RUNS):
                yield run(tasks, slanted(DIM), hessian, iterations=3, C_beta=100)
            elif name == "hvp-central" or hessian != CentralDifference(0.125):
                yield at(tasks, slanted(DIM), 0.05, 3, hessian, S=2, D=2, T=2)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group[0].name} {group[0].form}")
def test_everything_follows_the_units(group):
    measurement, name, asked, bounds = group[0].measurement, group[0].name, 0, 0
    for case in cases(name):
        twin, factor = other(case), unit(name)
        assert measurement.requires(case) == measurement.requires(twin)
        if measurement.requires(case):
            continue
        asked, resolution = asked + 1, measurement.resolution(case)

        def follows(found, moved, factor=factor, resolution=resolution):
            found, moved = np.asarray(found, dtype=float), np.asarray(moved, dtype=float)
            largest = np.max(np.abs(found), initial=0.0, where=np.isfinite(found))
            np.testing.assert_allclose(moved, factor * found, 1e-9, factor * (1e-9 * largest + resolution))

        for claim in group:
            try:
                follows(claim.right_side(case), claim.right_side(twin))
            except HypothesisError:
                continue
            bounds += 1
        if "prop1" not in name or case.tasks.regularity.rho > 0:  # else nothing sets a length
            np.testing.assert_allclose(measurement.resolution(twin), factor * resolution, 1e-9)
        if (value := measurement.exact(case)) is not None:
            follows(value, moved_value := measurement.exact(twin))
            np.testing.assert_allclose(
                measurement.error(twin, moved_value), factor * measurement.error(case, value), 1e-9
            )
        if measurement.sampled:
            if measurement.sampled.estimand == "root of mean":
                factor = factor**2
            draws = measurement.sampled.draw(case), measurement.sampled.draw(twin)
            if isinstance(draws[0], Capped):
                follows(draws[0].ceiling, draws[1].ceiling, factor)
            follows(*(getattr(draw, "draw", draw)(np.random.default_rng(0), 4) for draw in draws), factor)
    assert asked and bounds


def test_the_search_for_a_supremum_follows_the_units():
    case = at(WAVES, slanted(DIM), 0.05, 3)
    assert largest_ratio(other(case)) == pytest.approx(CURVATURE * largest_ratio(case), rel=1e-9)
