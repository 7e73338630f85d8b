import math

import pytest

from maml_bench.effort import Effort
from maml_bench.montecarlo.workers import Workers


def test_an_effort_is_a_value():
    assert Effort(workers=2) == Effort(workers=Workers(2))
    assert Effort(seed=1) != Effort()
    assert len({Effort(), Effort(budget=1_000_000)}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": True}, "seed = True: must be"),
        ({"confidence": 1}, "confidence = 1: must be"),
        ({"budget": 10.5}, "budget = 10.5: must be an integer"),
        ({"seconds": 0}, "seconds = 0: must be"),
        ({"precision": -1}, "precision = -1: must be"),
        ({"precision": math.nan}, "precision = nan: must be"),
        ({"method": "guess"}, "method = 'guess': must be one of auto, exact, search, monte-carlo"),
        ({"workers": 0}, "workers = 0: must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Effort(**arguments)
