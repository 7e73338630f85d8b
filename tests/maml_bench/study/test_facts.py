import pytest

from maml_bench.study.facts import loglog_slope


def test_power_law_is_recovered_exactly():
    x = [1, 2, 4, 16]
    y = [3 * k**-1.5 for k in x]
    slope = loglog_slope(x, y, y, y)
    assert (slope.lower, slope.value, slope.upper) == pytest.approx((-1.5, -1.5, -1.5))
    assert str(slope) == "-1.500"


def test_limits_are_the_extreme_slopes_of_the_box():
    slope = loglog_slope([1, 10], [1, 10], [0.1, 1], [10, 100])
    assert (slope.lower, slope.value, slope.upper) == pytest.approx((-1, 1, 3))


@pytest.mark.parametrize(("x", "y"), [([1, 1], [1, 2]), ([1, 2], [0, 1]), ([0, 2], [1, 1])])
def test_bad_input_is_named(x, y):
    with pytest.raises(ValueError, match="x"):
        loglog_slope(x, y, y, y)
