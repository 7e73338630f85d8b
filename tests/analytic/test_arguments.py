"""Bad arguments are refused by name, whatever they are."""

from dataclasses import dataclass

import numpy as np
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


def test_a_value_is_shown_in_a_short_line_whatever_it_is():
    class Silent:
        def __repr__(self):
            raise RuntimeError("no repr")

    assert arguments.shown("a\nb") == r"'a\nb'"
    assert arguments.shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert arguments.shown(Silent()) == "<Silent>"
    assert arguments.shown(10**5000) == "<int>"  # Python writes out no integer of so many digits
    assert arguments.shown("x" * 99) == "'" + "x" * 56 + "..."


def test_words_and_integers_are_chosen_from_those_allowed():
    assert arguments.one_of("x", "b", ("a", "b")) == "b"
    assert arguments.one_of("x", np.int64(2), (2, 3)) == 2
    for value in ("c", None, np.array(["a"]), ["a"]):
        with pytest.raises(ValueError, match=r"^x = .*: must be one of a, b$"):
            arguments.one_of("x", value, ("a", "b"))
    with pytest.raises(ValueError, match=r"^unknown form 3 of prop1; known: a, b$"):
        arguments.known("form", 3, ("a", "b"), " of prop1")


def test_complex_numbers_are_no_real_ones():
    with pytest.raises(ValueError, match="^x: must be a rectangular array of numbers"):
        arguments.array("x", [1j, 2.0], 1)
