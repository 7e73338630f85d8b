import numpy as np
import pytest
from zoo import at

from maml_bench import check, claims
from maml_bench.power import power, rate
from maml_bench.problems import AdditiveGaussian, Quadratic

SETTING = at(Quadratic.concave(dim=3).with_noise(AdditiveGaussian(1.0)), 1.0, 0.1, 3)
SECOND = claims.get("prop2-second")  # its bound is the truth here
BUDGET = 50_000


@pytest.fixture(scope="module")
def measured():
    return power(SECOND, SETTING, runs=20, budget=BUDGET)


@pytest.mark.parametrize("factor", [0.9, 0.98, 1.0, 1.02, 1.1])
def test_one_run_tells_the_outcome_for_every_factor(measured, factor):
    for seed in (0, 7):
        outcome = check(SECOND.scaled(factor), SETTING, method="monte-carlo", seed=seed, budget=BUDGET).outcome
        expected = (
            "violated"
            if measured.noticed[seed] > factor
            else "holds"
            if measured.confirmed[seed] <= factor
            else "inconclusive"
        )
        assert outcome == expected


@pytest.mark.by_chance(1e-4)
def test_the_truth_lies_between_noticed_and_confirmed(measured):
    # Each of the 40 limits is wrong with probability at most 1 %; more than 4 wrong has probability < 1e-4.
    wrong = np.sum(measured.noticed > 1) + np.sum(measured.confirmed < 1)
    assert wrong <= 4
    assert np.all(measured.noticed > 0.9)
    assert np.all(measured.confirmed < 1.1)


def test_more_replicates_notice_less_false_bounds(measured):
    longer = power(SECOND, SETTING, runs=3, budget=16 * BUDGET)
    assert np.all(longer.noticed > np.median(measured.noticed))


def test_quantiles_and_rates_agree(measured):
    factor = measured.noticed_at(0.5)
    assert measured.violated(factor - 1e-12).value >= 0.5 > measured.violated(factor + 1e-12).value - 0.05
    assert measured.holds(measured.confirmed_at(0.9)).value >= 0.9


def test_rates_by_hand():
    # Clopper-Pearson for 0 of 10: the upper limit solves (1 - p)^10 = 0.025.
    none = rate(0, 10)
    assert (none.value, none.lower) == (0, 0)
    assert none.upper == pytest.approx(1 - 0.025**0.1)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="runs = 0: must be"):
        power(SECOND, SETTING, runs=0)
    with pytest.raises(ValueError, match="unknown claim 'prop22'"):
        power("prop22", SETTING)
    with pytest.raises(ValueError, match="budget = 0"):
        power(SECOND, SETTING, runs=1, budget=0)
    with pytest.raises(ValueError, match="bound is 0"):
        power(claims.get("prop2-mean"), SETTING, runs=1)
    with pytest.raises(ValueError, match="inequalities"):
        power(claims.get("prop1"), SETTING, runs=1)
