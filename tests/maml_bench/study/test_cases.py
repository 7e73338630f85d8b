"""Sweeps: values of an axis in all their spellings, and one parameter at a time."""

import pytest

from maml_bench.study import one_at_a_time, sweep


def parameters(axes, fewer=None):
    made = sweep(lambda **point: point, ("prop1",), axes, fewer)
    return [(case.parameters, case.point) for case in made.cases(quick=fewer is not None)]


def test_a_number_or_a_word_is_the_only_value_and_of_a_mapping_the_keys_are_shown():
    found = parameters({"a": 1, "name": "ab", "b": (1, 2), "c": {"one": None}})
    assert [shown for shown, _ in found] == [{"a": 1, "name": "ab", "b": b, "c": "one"} for b in (1, 2)]
    assert [point["c"] for _, point in found] == [None, None]


def test_a_quick_sweep_may_have_one_value():
    assert [shown for shown, _ in parameters({"a": (1, 2, 3)}, {"a": 2})] == [{"a": 2}]
    with pytest.raises(ValueError, match="quick = 'z': must be an axis of the sweep, budget or precision"):
        parameters({"a": 1}, {"z": 2})


def test_one_parameter_at_a_time():
    found = one_at_a_time({"a": 1, "b": 2, "c": 3}, {"a": (4, 5), "c": (6,)})
    assert found == {"a": {"sweep": "a", "a": (4, 5), "b": 2, "c": 3}, "c": {"sweep": "c", "a": 1, "b": 2, "c": (6,)}}
    assert len(parameters(found["a"])) == 2
