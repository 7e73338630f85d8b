"""Bad arguments are refused by name, whatever they are."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from strategies import NEGATIVE, NOT_FINITE, NOT_NUMBERS

from analytic import arguments


@pytest.mark.parametrize("check", [arguments.positive, arguments.nonnegative, arguments.probability, arguments.natural])
@given(value=NOT_NUMBERS | NOT_FINITE | NEGATIVE)
def test_what_is_no_such_number_is_refused_by_name(check, value):
    with pytest.raises(ValueError, match="^x = "):
        check("x", value)


@given(value=NOT_NUMBERS | NOT_FINITE)
def test_what_is_not_finite_is_refused_by_name(value):
    with pytest.raises(ValueError, match="^x = "):
        arguments.finite("x", value)
    assert arguments.finite("x", -2) == -2.0


def test_settle_replaces_the_fields_named_and_no_other():
    @dataclass(frozen=True)
    class Pair:
        first: object
        second: object

        def __post_init__(self):
            arguments.settle(self, first=arguments.positive)

    pair = Pair(1, "2")
    assert (type(pair.first), pair.first, pair.second) == (float, 1.0, "2")
    with pytest.raises(ValueError, match="first = -1: must be a finite number > 0"):
        Pair(-1, 0)
