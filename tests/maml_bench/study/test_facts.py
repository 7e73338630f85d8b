"""Facts and the exponents in them, on tables small enough to work out by hand."""

import pandas as pd
import pytest

from maml_bench.study.facts import (
    Slope,
    answered,
    attained,
    between,
    bracketed,
    confirmed,
    crossing,
    crossings,
    equal,
    exponent,
    loglog_slope,
    minimum,
    near,
    pick,
    slope,
)


def table(**columns):
    rows = pd.DataFrame(columns)
    for name in ("lower", "upper"):
        if name not in rows:
            rows[name] = rows["value"]
    return rows


POWERS = table(N=[1, 2, 4], value=[3.0, 12.0, 48.0], bound=[4.0, 8.0, 16.0], alpha=[1.0, 0.5, 0.25])


def test_slope_of_a_power_is_its_exponent_and_limits_widen_it():
    assert slope(POWERS, "N").value == pytest.approx(2)
    assert slope(POWERS, "N", side="bound").value == pytest.approx(1)
    assert slope(POWERS, "N", scale=lambda t: t["alpha"]).value == pytest.approx(3)
    assert slope(POWERS, lambda t: t["N"] ** 2).value == pytest.approx(1)
    # Over x = 1, e the weights are -1 and 1: limits of 10 % move the slope by 0.2 up and down, to first order.
    found = loglog_slope([1, 2.718281828], [1, 1], [0.9, 0.9], [1.1, 1.1])
    assert (found.lower, found.upper) == pytest.approx((-0.2007, 0.2007), abs=1e-4)


@pytest.mark.parametrize(("x", "value"), [([1, 1], [1, 2]), ([1, 2], [0, 1]), ([-1, 2], [1, 1])])
def test_no_slope_without_two_positive_points(x, value):
    with pytest.raises(ValueError, match=r"two distinct points|must be > 0"):
        loglog_slope(x, value, value, value)


def test_exponent_says_yes_no_or_undecided():
    assert exponent("grows", POWERS, "N", 2).agrees is True
    assert exponent("grows", POWERS, "N", 1.5).agrees is False
    wide = table(N=[1, 2, 4], value=[3.0, 12.0, 48.0], lower=[2.0, 8.0, 32.0], upper=[4.0, 18.0, 72.0])
    assert exponent("grows", wide, "N", 2).agrees is None
    touching = table(N=[1, 2], value=[1.0, 2.0], lower=[0.0, 1.0], upper=[2.0, 3.0])
    assert exponent("grows", touching, "N", 1).agrees is None
    assert exponent("grows", POWERS, "N", 2).answer == "yes"


def test_attained_between_equal_and_confirmed():
    close = pd.DataFrame({"ratio": [1.0, 1 - 1e-12], "outcome": ["holds", "holds"]})
    assert attained("x", close).agrees is True
    assert attained("x", pd.DataFrame({"ratio": [1.0, 1.1]})).agrees is False
    assert between("x", [1, 2, 3], 1, 3).agrees is True
    assert between("x", [1, 2, 3], 1, 2.9).agrees is False
    assert between("x", [2, 3], 1).found == "2 to 3"
    assert equal("x", 1.0 + 1e-12, 1.0).agrees is True
    assert equal("x", 1.1, 1.0).agrees is False
    for outcomes, answer in (("holds", "yes"), ("inconclusive", "undecided"), ("violated", "no")):
        assert confirmed("x", pd.DataFrame({"outcome": ["holds", outcomes, "not applicable"]})).answer == answer


def test_pick_takes_values_tuples_and_tests_and_never_nothing():
    assert list(pick(POWERS, N=(1, 4))["N"]) == [1, 4]
    assert list(pick(POWERS, N=lambda N: N > 1, alpha=0.25)["N"]) == [4]
    with pytest.raises(ValueError, match="no finding has N = 3"):
        pick(POWERS, N=3)
    with pytest.raises(ValueError, match="no column 'M'"):
        pick(POWERS, M=3)


def test_minimum_lies_between_its_neighbours():
    rows = table(x=[1, 2, 3, 1, 2, 3], D=[1, 1, 1, 2, 2, 2], value=[3.0, 1.0, 2.0, 1.0, 2.0, 3.0])
    found = minimum(rows, "x", "D").set_index("D")
    assert tuple(found.loc[1, ["value", "lower", "upper"]]) == (2, 1, 3)
    assert tuple(found.loc[2, ["value", "lower", "upper"]]) == (1, 1, 2)


def test_crossing_needs_a_grid_across_the_limit():
    assert crossing(table(x=[3, 1, 2], value=[1.5, 0.5, 1.0]), "x", 1.0) == (2, 3)
    for values in ([2.0, 3.0, 4.0], [0.1, 0.2, 0.3]):
        with pytest.raises(ValueError, match="does not reach across the limit 1"):
            crossing(table(x=[1, 2, 3], value=values), "x", 1.0)


def test_crossings_are_found_in_each_group():
    rows = table(x=[1, 4, 9, 1, 4, 9], a=["p"] * 3 + ["q"] * 3, b=[0] * 6, value=[0.5, 1.5, 2.0, 0.5, 0.6, 2.0])
    found = crossings(rows, "x", 1.0, ["a", "b"]).to_dict("records")
    assert found == [
        {"a": "p", "b": 0, "value": 2.0, "lower": 1.0, "upper": 4.0},
        {"a": "q", "b": 0, "value": 6.0, "lower": 4.0, "upper": 9.0},
    ]


def test_near_answered_and_bracketed():
    assert near("x", 1.05, 1).agrees is True
    assert (near("x", -1.11, -1).agrees, near("x", -1.11, -1).expected) == (False, "-1 ± 0.1")
    assert near("x", -1e-4, 0).found == "0.000" and near("x", -1e-3, 0).found == "-0.001"
    assert str(Slope(-1e-4, -0.2, 1e-4)) == "0.000 [-0.200, 0.000]"
    assert answered("x", "above", "above", "above: 2 %").found == "above: 2 %"
    assert [answered("x", word, "above").agrees for word in ("above", "below", None)] == [True, False, None]
    inside = table(value=[1.0, 2.0], bound=[1.0, 2.0 + 1e-10])
    assert bracketed("x", inside).agrees is True
    assert bracketed("x", inside.assign(bound=[1.0, 2.1])).found == "0.5"
