"""What a claim allows for rounding: little, and for a task three times over what it allows for the task."""

import numpy as np
import pytest
from zoo import OF_RUNS, at, estimators, slanted, tilted

from maml_bench import claims
from maml_bench.claims.claim import by_measurement
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, Trigonometric, TwoPoint

DIM = 3
QUADRATIC, WAVES = Quadratic.random(DIM, 3, 0), Trigonometric.random(DIM, 3, 0)
TASKS = (
    QUADRATIC,
    WAVES,
    Kink.random(DIM, 3, 0),
    QUADRATIC.with_noise(AdditiveGaussian(0.5)),
    WAVES.with_noise(AdditiveGaussian(0.5)),
    WAVES.with_noise(TwoPoint(0.5, 0.3)),
    tilted(QUADRATIC),
    tilted(WAVES),
)
ESTIMATORS = estimators(0.1)

MEASUREMENTS = {
    f"{group[0].name} {group[0].form}": group[0].measurement
    for group in by_measurement(claims.get(name, form) for name in claims.names() for form in claims.forms(name))
    if not group[0].name.startswith(OF_RUNS)
}


def case(tasks, hessian, *which):
    return at(tasks[np.array(which)], slanted(DIM), 0.1, 3, hessian, S=2, D=2, T=2)


@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_allowances_for_rounding_are_small_and_those_of_a_task(measurement):
    asked = 0
    for tasks in TASKS:
        for hessian in ESTIMATORS:
            once, thrice = case(tasks, hessian, 0), case(tasks, hessian, 0, 0, 0)
            if measurement.requires(once):
                continue
            asked += 1
            resolution = measurement.resolution(once)
            assert 0 <= resolution < 1e-9
            assert measurement.resolution(thrice) == pytest.approx(resolution, rel=1e-9)
            value, values = measurement.exact(once), measurement.exact(thrice)
            if value is not None:
                error = measurement.error(once, value)
                assert np.all(0 <= error) and np.all(error < 1e-9 * (1 + np.abs(value)))
                np.testing.assert_allclose(
                    measurement.error(thrice, values), np.broadcast_to(error, values.shape), 1e-9
                )
    assert asked
