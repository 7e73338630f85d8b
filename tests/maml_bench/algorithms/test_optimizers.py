import math

import numpy as np
import pytest

from maml_bench.algorithms import SGD, Adam


def test_sgd_descends_along_the_gradient():
    gradient = np.array([[1.0, -2.0]])
    assert SGD().step(SGD().memory(gradient), gradient, 0)[1] is gradient


def test_two_steps_of_adam_by_hand():
    adam = Adam(first=0.5, second=0.75, epsilon=0.1)
    memory = adam.memory(np.zeros((1, 1)))
    memory, direction = adam.step(memory, np.array([[3.0]]), 0)
    # m = 1.5, corrected 3; v = 2.25, corrected 9
    assert direction[0, 0] == pytest.approx(3 / (3 + 0.1), rel=1e-15)
    memory, direction = adam.step(memory, np.array([[-1.0]]), 1)
    # m = 0.75 - 0.5 = 0.25, corrected by 1 - 1/4; v = 1.6875 + 0.25 = 1.9375, corrected by 1 - 9/16
    assert direction[0, 0] == pytest.approx((0.25 / 0.75) / (math.sqrt(1.9375 / 0.4375) + 0.1), rel=1e-15)


def test_the_defaults_are_those_of_the_source():
    assert Adam() == Adam(first=0.9, second=0.999, epsilon=1e-8)


@pytest.mark.parametrize(("name", "value"), [("first", 1.0), ("first", -0.1), ("second", 2), ("epsilon", -1e-9)])
def test_an_argument_that_is_not_allowed_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} = {value}"):
        Adam(**{name: value})
