"""Proposition 2: the recursions by computer algebra, and the losses that attain the bounds."""

import numpy as np
import pytest
import sympy as sp

from analytic import bound
from analytic.abbreviations import PATH_DRIFT, PATH_ERROR, S, alpha, j, q, rho, sigma_g
from analytic.functions import Geometric


def _at(definition, index):
    value = definition.value.xreplace({definition.head.args[0]: index})
    return value.replace(Geometric, lambda x, n: (x**n - 1) / (x - 1))


def test_path_error_solves_its_recursion():
    step = _at(PATH_ERROR, j + 1) ** 2 - q**2 * _at(PATH_ERROR, j) ** 2 - alpha**2 * sigma_g**2 / S
    assert sp.simplify(step) == 0
    assert _at(PATH_ERROR, sp.S.Zero) == 0


def test_path_drift_solves_its_recursion():
    step = _at(PATH_DRIFT, j + 1) - q * _at(PATH_DRIFT, j) - alpha * rho / 2 * _at(PATH_ERROR, j) ** 2
    assert sp.simplify(step) == 0
    assert _at(PATH_DRIFT, sp.S.Zero) == 0


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_recursions_in_plain_numbers(steps):
    a, lip, curv, noise, batch = 0.2, 1.5, 0.7, 0.4, 3
    growth, square, drift, first, second = 1 + a * lip, 0.0, 0.0, 0.0, 0.0
    for _ in range(steps):
        drift = growth * drift + a * curv / 2 * square
        square = growth**2 * square + a**2 * noise**2 / batch
        first = growth * first + a * noise / np.sqrt(batch)
        second = (1 + 2 * a * lip + 2 * (a * lip) ** 2) * second + 2 * a**2 * noise**2 / batch
    point = {"alpha": a, "steps": steps, "L": lip, "rho": curv, "sigma_g": noise, "S": batch}
    assert bound("prop2-second")(**point) == pytest.approx(square)
    assert bound("prop2-first")(**point) == pytest.approx(np.sqrt(square))
    assert bound("prop2-mean")(**point) == pytest.approx(drift)
    assert bound("prop2-mean", "refined")(**point) == pytest.approx(min(drift, np.sqrt(square)))
    assert bound("prop2-first", "paper")(**point) == pytest.approx(first)
    assert bound("prop2-second", "paper")(**point) == pytest.approx(second)
    closed = (growth**steps - 1) * noise / (lip * np.sqrt(batch))
    assert bound("prop2-first", "paper")(**point) == pytest.approx(closed)


def test_without_curvature_the_path_error_is_a_random_walk():
    point = {"alpha": 0.1, "L": 0, "rho": 0, "sigma_g": 1, "S": 4}
    steps = np.array([1, 4, 100])
    assert bound("prop2-first")(steps=steps, **point) == pytest.approx(0.05 * np.sqrt(steps))
    assert bound("prop2-first", "paper")(steps=steps, **point) == pytest.approx(0.05 * steps)
    assert np.all(bound("prop2-mean")(steps=steps, **point) == 0)


def test_refined_mean_saturates_when_the_noise_is_large():
    point = {"alpha": 0.1, "steps": 3, "L": 1, "rho": 5, "S": 1}
    loud = bound("prop2-mean", "refined")(sigma_g=1e4, **point)
    assert loud == bound("prop2-first")(sigma_g=1e4, **{k: v for k, v in point.items() if k != "rho"})
    assert loud < bound("prop2-mean")(sigma_g=1e4, **point) / 50
