"""The studies of experiments, each at its smallest: they run, tell, and answer from numbers as they should."""

import pandas as pd
import pytest

from maml_bench.algorithms import replay
from maml_bench.cli.studies import load_study, template
from maml_bench.study import telling
from maml_bench.study.findings import frame
from maml_bench.study.run import run
from studies import navigation, rank_one, sine


@pytest.mark.parametrize("name", ["rank-one", "sine", "navigation", "few-shot", "convergence", "race"])
def test_a_quick_run_is_told(name, tmp_path):
    study = load_study(name)
    table = frame(row for rows in run(study, tmp_path, quick=True, workers=2) for row in rows)
    path = telling.write(study, table, template(name), tmp_path)
    text = path.read_text()
    assert study.question in text and "| what | expected | found | agrees |" in text
    assert len(list(tmp_path.glob("*.svg"))) >= len(study.figures)


def test_the_studies_offer_their_replays():
    assert rank_one.replay is replay.rank_one
    assert sine.replay is replay.sine


def gap_row(lower, upper, diverged=0, quantity="final loss, minus that of maml"):
    return {"quantity": quantity, "method": "ggs", "lower": lower, "value": (lower + upper) / 2, "upper": upper} | {
        "diverged": diverged,
        "replicates": 8,
        "protocol": "specified",
        "problem": "navigation",
        "ν": 0.01,
    }


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [(0.1, 0.2, "above"), (-0.2, -0.1, "below"), (-0.001, 0.002, "equal"), (-0.1, 0.1, None), (0.001, 0.1, None)],
)
def test_an_order_of_two_methods_is_read_from_paired_limits(lower, upper, expected):
    table = pd.DataFrame([gap_row(lower, upper), {"quantity": "final loss", "method": "maml", "value": 1.0}])
    assert rank_one.ends(table, "ggs", "maml")[0] == expected


def test_what_diverges_is_said_to():
    table = pd.DataFrame([gap_row(0.0, 0.0, diverged=3)])
    assert rank_one.ends(table, "ggs", "maml") == ("diverges", "3 of 8 seeds diverge")
    change = pd.DataFrame([gap_row(0.0, 0.0, 2, "after, last minus first")])
    assert navigation.stable(change, "navigation", "ggs", 0.01, expected=False).agrees
    assert not navigation.stable(change, "navigation", "ggs", 0.01).agrees


@pytest.mark.parametrize(("lower", "upper", "learns"), [(-0.2, -0.1, True), (-0.1, 0.1, False), (0.1, 0.2, False)])
def test_learning_is_read_from_the_change_of_the_loss(lower, upper, learns):
    table = pd.DataFrame([gap_row(lower, upper, quantity="after, last minus first")])
    for expected in (True, False):
        assert navigation.stable(table, "navigation", "ggs", 0.01, expected).agrees == (learns == expected)


def test_every_method_that_a_deviation_touches_is_compared():
    for case in rank_one.STUDY.all_cases():
        methods = case.point.methods
        for pair in rank_one.ENDS[case.parameters["protocol"]]:
            assert set(pair) <= set(methods)
