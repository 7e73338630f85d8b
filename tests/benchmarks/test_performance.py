"""The report on speed, made of known numbers: what is told, drawn and compared with."""

import json
import re

import performance
import pytest
from test_verdict_times import FOUND

from maml_bench import InnerLoop, Setting
from maml_bench.problems import Quadratic
from maml_bench.study import Study, sweep

NOW = {
    "origin": {
        "date": "2026-01-02",
        "commit": "abc",
        "versions": "numpy 2.4",
        "machine": "Linux, 2 processors",
        "load": 0.25,
    },
    "hot paths": {"inner path": {"floor": 1.5, "library": 0.9, "jax": 2.0}, "kink": {"floor": 3.0}},
    "floors": {"inner path": "N sines", "kink": "N normals"},
    "two threads": {"inner path": {"jax 256": 2.25, "jax 1024": 3.8}},
    "verdicts": FOUND,
    "study": {"cases": 200, "seconds": 30.0},
    "exponents": {"N": 1.0},
    "largest": {"prop1, seconds": 1.5},
    "workers": {"two workers": 1.75},
}
BEFORE = {
    "hot paths": {"inner path": {"floor": 3.0}},
    "floors": {"inner path": "N sines"},
    "study": {"cases": 100, "seconds": 30.0},
}


def test_the_report_tells_every_section_and_what_it_compares_with():
    text = performance.told(NOW, BEFORE, "the table of commit 1234567")
    for title in (
        "Hot paths",
        "Two threads each",
        "Time to a verdict",
        "A whole study",
        "Growth of the cost",
        "A second worker",
    ):
        assert f"\n## {title}\n" in text
    assert "`change` compares with the table of commit 1234567." in text
    assert "2026-01-02, commit abc; numpy 2.4; Linux, 2 processors, load 0.2 as it began." in text
    assert "Not installed, so not compared: PyTorch (the extra `peers`)." in text
    assert "| hot path | JAX / time, 256 a thread | JAX / time, 1024 a thread |" in text
    assert "| inner path | 2.25 | 3.80 |" in text
    assert "of the 5 s" in text
    assert "of the 2 GB:\n\n| prop1, seconds |\n| ---: |\n| 1.50 |" in text
    assert "| 200 | 30.0 | 0.50 | ×0.50 |" in text  # half of what is allowed, half as long for a case


def test_a_floor_that_does_something_else_is_not_compared_with():
    for then, change in (("N sines", "×0.50"), ("2N sines", "–")):
        text = performance.told(NOW, BEFORE | {"floors": {"inner path": then}}, "a table")
        assert f"| 2.00 | {change} | N sines |" in text


def test_without_peers_there_are_no_two_threads():
    alone = {key: value for key, value in NOW.items() if key != "two threads"}
    assert "Two threads each" not in performance.told(alone, {}, "nothing")


def test_nothing_before_is_no_change():
    assert "| 200 | 30.0 | 0.50 | – |" in performance.told(NOW, {}, "nothing")


def test_the_committed_table_is_what_is_compared_with(monkeypatch, tmp_path):
    monkeypatch.setattr(performance, "ROOT", tmp_path)
    assert performance.committed() == ({}, "no table: none is committed")


def test_a_report_is_written_with_its_record_and_its_drawings(tmp_path):
    performance.write(tmp_path / "speed", NOW, BEFORE, "nothing")
    assert json.loads((tmp_path / "speed" / "performance.json").read_text()) == NOW
    text = (tmp_path / "speed" / "report.md").read_text()
    shown = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert sorted(shown) == sorted(path.name for path in (tmp_path / "speed").glob("*.svg"))
    paths, verdicts = ((tmp_path / "speed" / name).read_text() for name in shown)
    assert "Time of 2 hot paths over that of their floors: from 1.5 to 3" in paths
    assert ">JAX<" in paths
    assert ">PyTorch<" not in paths
    # Of three sampled claims: 2, 3, 0.25 and 10, and one that is less than 0.5.
    assert "in 5 decisions: above 1 in 3" in verdicts
    assert verdicts.count("at the bound") == verdicts.count("at a 3 % gap") == 1


def test_a_study_is_timed_by_all_its_cases():
    def at(N):
        return Setting(Quadratic.concave(2), [1.0, 1.0], InnerLoop(0.1, N))

    study = Study("steps", "?", sweep(at, ("lemma-a",), {"N": (1, 2, 3)}))
    found = performance.whole(study)
    assert found["cases"] == 3
    assert found["seconds"] > 0


@pytest.mark.parametrize("name", performance.QUICK)
def test_a_first_look_is_at_claims_that_there_are(name):
    assert name in performance.verdict_times.rows()
