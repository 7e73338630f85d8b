"""The time to a verdict: plain sampling measures what the claim measures, and the table says what was timed."""

import dataclasses

import numpy as np
import pytest
import verdict_times
from verdict_times import (
    GAP,
    Decision,
    Row,
    at_gap,
    decided,
    error_of_looks,
    middle,
    needed,
    student,
    table,
    true_values,
)

from maml_bench import claims
from maml_bench.montecarlo.sequence import block_generator
from studies.summary import RUNS

ROWS = verdict_times.rows()
RANDOM = [title for title, row in ROWS.items() if row.plain]
OFTEN = [title for title in RANDOM if title.startswith("lemma-b") or ROWS[title].claim.name not in RUNS]
"""Those of which a replicate is no run of many iterations."""


def test_every_claim_is_there_and_has_plain_replicates_where_it_is_sampled():
    assert {row.claim.name for row in ROWS.values()} == set(claims.names())
    assert all(row.plain for row in ROWS.values() if row.method == "sampled")
    assert {title for title, row in ROWS.items() if row.method == "search"} == {"prop1", "finite-prop1"}


def test_students_limits_by_hand():
    size, reach = student(np.array([[1.0], [2.0], [3.0]]))
    assert size[0] == 2
    assert reach[0] == pytest.approx(6.964557 / np.sqrt(3))  # the quantile 0.99 for two degrees of freedom
    vectors = np.array([[[3.0, 4.0]], [[3.0, 4.0]]])
    assert student(vectors)[0][0] == pytest.approx(5)
    assert student(vectors)[1][0] == 0
    assert student(np.array([[np.diag([3.0, 4.0])]] * 2))[0][0] == pytest.approx(4)  # the spectral norm


@pytest.mark.parametrize(
    ("size", "reach", "sides", "outcome"),
    [
        ([1.0, 2.0], 0.5, (None, 2.5), "holds"),
        ([1.0, 2.0], 0.6, (None, 2.5), "inconclusive"),
        ([1.0, 3.2], 0.6, (None, 2.5), "violated"),
        ([1.0, 2.0], 0.5, (0.5, None), "holds"),
        ([1.0, 2.0], 0.5, (1.6, None), "violated"),
        ([1.0, 2.0], 0.5, (0.6, None), "inconclusive"),
    ],
)
def test_a_decision_by_hand(size, reach, sides, outcome):
    assert decided(np.array(size), np.array(reach), sides) == outcome


def test_of_a_root_the_root_of_the_limits_is_compared():
    size, reach = np.array([4.0]), np.array([0.5])
    assert decided(size, reach, (None, 2.2), root=True) == "holds"  # the root of 4.5 is 2.12
    assert decided(size, reach, (None, 1.8), root=True) == "violated"  # that of 3.5 is 1.87


@pytest.mark.parametrize("title", OFTEN)
def test_plain_sampling_means_the_true_value(title):
    # The reach is 2.3 standard errors; by chance it fails less often than once in a million tries.
    row, target = ROWS[title], ROWS[title].claim.measurement.target
    drawn = row.plain(row.setting, block_generator(3, 0), 4000)
    if target is not None:
        size, reach = student((drawn - target(row.setting)).reshape(*drawn.shape[:2], -1))
        assert np.all(size <= 3 * reach)
        return
    size, reach = student(drawn)
    value, error = true_values(title, row)
    if row.claim.measurement.sampled.estimand == "root of mean":
        value = value**2
    assert np.all(np.abs(size - value) <= 3 * reach + 2 * error * value)


@pytest.mark.parametrize("title", [title for title in RANDOM if title not in OFTEN])
def test_the_value_that_is_on_record_is_that_of_runs(title):
    # The mean over 30 iterations differs from run to run by less than 0.3 %: 1 % is out of the reach of chance.
    row = ROWS[title]
    size, _ = student(row.plain(row.setting, block_generator(4, 0), 4))
    np.testing.assert_allclose(size, true_values(title, row)[0], rtol=0.01)


@pytest.mark.parametrize("title", [title for title, row in ROWS.items() if row.method != "search"])
def test_at_the_gap_the_bound_is_3_percent_from_the_value_of_the_worst_cell(title):
    row = ROWS[title]
    moved, outcome = at_gap(title, row)
    if moved is None:
        assert title in ("prop2-mean", "thm1-tail")
    elif row.claim.measurement.target is not None:
        assert (moved.factor, outcome) == (1 + GAP, "violated")
    else:
        slack = moved.right_side(row.setting) / true_values(title, row)[0]
        worst = slack.max() if row.claim.sense == ">=" else slack.min()
        assert worst == pytest.approx(1 - GAP if row.claim.sense == ">=" else 1 + GAP)
        assert outcome == "holds"


def test_the_bench_and_plain_sampling_both_come_to_an_end_and_are_right():
    row = ROWS["prop4"]
    found = verdict_times.timed(row, row.claim, "holds", rounds=1)
    assert (found["ours"]["outcome"], found["plain"]["outcome"]) == ("holds", "holds")
    assert (found["wrong"], found["plain wrong"], found["decisions"]) == (0, 0, 1)
    wrong = verdict_times.timed(row, row.claim.scaled(1e-3), "holds", rounds=1)
    assert (wrong["wrong"], wrong["plain wrong"]) == (1, 1)


def test_what_is_said_as_the_budget_ends_is_no_decision_and_nothing_is_kept_from_one_to_the_next():
    row = ROWS["prop2-first"]
    moved, _ = at_gap("prop2-first", row)
    assert not verdict_times.by_bench(row, moved, 0, budget=64).ended
    seen = []
    counted = dataclasses.replace(row.claim.measurement, requires=lambda setting: seen.append(setting) or "")
    for _ in range(2):
        verdict_times.by_bench(row, dataclasses.replace(row.claim, measurement=counted), 0)
    assert len({id(setting) for setting in [row.setting, *seen]}) == 3


def test_what_did_not_end_takes_longest():
    fast, slow, none = (
        Decision(1.0, "holds", "", 1),
        Decision(2.0, "holds", "", 1),
        Decision(0.5, "inconclusive", "", 1),
    )
    assert middle([none, slow, fast]) == slow
    assert middle([none, fast]) == fast


def test_where_nothing_is_random_there_is_no_plain_sampling():
    row = ROWS["hvp-central"]
    found = verdict_times.timed(Row(row.claim, row.setting, None), row.claim, "holds", rounds=1)
    assert found["plain"] is None
    assert found["ours"]["evidence"] == "exact"


def test_what_any_valid_limit_needs_by_hand():
    # Numbers below 4 with the mean 1 and a bound of 1.03: each may be 4 with a chance of 1 %, and 0.99^n <= 1/50. The
    # second cell has more room.
    least = needed(np.array([1.03, 2.0]), np.ones(2), np.array([4.0, 4.0]))
    assert 0.99**least <= 1 / 50 < 0.99 ** (least - 1)


@pytest.mark.parametrize("title", ["prop2-first", "prop4", "lemma-b-second"])
def test_the_bench_draws_no_fewer_than_any_valid_limit_needs(title):
    row = ROWS[title]
    ((_, found),) = verdict_times.measured({title: row}, rounds=1)
    assert found["gap"]["ours"]["replicates"] >= found["gap"]["needed"] > 0


def test_looks_add_up():
    # Of 100 000 runs; the deviation of a share of 1 % is 0.03 %.
    assert error_of_looks(looks=1) == pytest.approx(0.01, abs=0.002)
    assert 0.02 < error_of_looks(looks=12) < 12 * 0.01


def timing(ours, plain, ours_ended=True, plain_ended=True, evidence="certified", **more):
    ended = {True: "holds", False: "inconclusive"}
    return {
        "ours": {"seconds": ours, "outcome": ended[ours_ended], "evidence": evidence, "replicates": 64},
        "plain": plain and {"seconds": plain, "outcome": ended[plain_ended], "evidence": "none"},
        "decisions": 5,
        "wrong": 0,
        "plain wrong": 1 if plain else 0,
        **more,
    }


FOUND = {
    "supremum": {"method": "search", "bound": timing(0.3, None, evidence="search"), "gap": "a supremum is not known"},
    "known": {
        "method": "exact",
        "bound": timing(0.002, 0.001, evidence="exact"),
        "gap": timing(0.002, 1.5, True, False, evidence="exact"),
    },
    "drawn": {"method": "sampled", "bound": timing(0.01, 0.02), "gap": timing(0.04, 0.01, needed=40)},
    "wide": {
        "method": "sampled",
        "bound": timing(0.5, 0.25, ours_ended=False),
        "gap": timing(
            *(2.9, 0.5, False, True),
            asymptotic={"seconds": 0.05, "outcome": "holds", "evidence": "asymptotic"},
        ),
    },
    "hard": {"method": "sampled", "bound": timing(0.1, 0.3), "gap": timing(2.9, 1.6, False, False)},
}


def test_the_table_is_read_back_cell_by_cell():
    before = {"drawn": {"bound": timing(0.01, 0.02), "gap": timing(0.04, 0.02)}, "hard": FOUND["hard"]}
    head, rule, *lines = table(FOUND, before).splitlines()
    assert head.split(" | ")[2:5] == ["bound, s", "plain, s", "plain / ours"]
    assert head.count("|") == rule.count("|")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells == [  # twice as fast, and four times slower at the gap, where it was twice
        ["drawn", "certified", "0.01", "0.02", "2", "0.04", "0.01", "0.25", "64", "40", "×0.50"],
        ["wide", "certified", "> 0.5", "0.25", "< 0.5", "asymptotic: 0.05; certified: > 2.9", "0.5", "10", "", "", ""],
        ["hard", "certified", "0.1", "0.3", "3", "> 2.9", "> 1.6", "", "", "", "×1.00"],
        ["known", "exact", "0.002", "0.001", "0.5", "0.002", "> 1.5", "> 750", "", "", ""],
        ["supremum", "search", "0.3", "", "", "a supremum is not known", "", "", "", "", ""],
    ]


def test_the_caption_says_what_the_comparison_is_worth():
    text = verdict_times.caption(FOUND)
    assert "it guarantees nothing" in text
    assert "Wrong were 8 of its 40 decisions\nhere, and 0 of the bench's 45." in text
