"""The file of findings: whole rows or none, strict JSON, and a table with every column."""

import json
import math

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import ZerothOrder
from maml_bench.problems import FiniteSum, Kink, Quadratic, RandomPhase
from maml_bench.study import findings


def row(key="a", part=0, **fields):
    return {"key": key, "part": part, "parts": 1, "claim": "prop2-first", "form": "sharp", "value": 1.0} | fields


def test_rows_are_strict_json_without_what_is_not_known():
    kept = findings.strict({"a": math.nan, "b": math.inf, "c": None, "d": np.float64(2.0), "e": "", "f": np.int64(3)})
    assert kept == {"d": 2.0, "f": 3}
    assert type(kept["f"]) is int
    json.dumps(kept, allow_nan=False)


def test_a_setting_tells_every_parameter_as_a_number():
    tasks = Kink.random(dim=3, tasks=4, rng=0).with_noise(RandomPhase(amplitude=1.0, kappa=1.0))
    setting = Setting(tasks, np.ones(3), InnerLoop(0.1, 5, S=2, D=3, T=4), ZerothOrder(0.5, 7, stein=True))
    found = findings.about_setting(setting)
    assert (found["family"], found["estimator"]) == ("Kink", "ZerothOrder with Stein's correction")
    assert [found[name] for name in ("alpha", "N", "S", "D", "T", "d", "tasks", "Q", "nu")] == [
        0.1,
        5,
        2,
        3,
        4,
        3,
        4,
        7,
        0.5,
    ]
    assert found["alphaL"] == pytest.approx(0.1 * tasks.regularity.L)
    assert found["sigma_g"] == tasks.regularity.sigma_g
    assert "tau" not in found  # infinite
    assert "b" not in found
    pair = FiniteSum.pair(Quadratic.random(dim=2, tasks=2, rng=0), Quadratic.random(dim=2, tasks=2, rng=0))
    assert findings.about_setting(Setting(pair, np.ones(2), InnerLoop(0.1, 1)))["b"] == 0


def test_torn_and_foreign_lines_are_passed_over(tmp_path):
    path = tmp_path / findings.FILE
    findings.replace(path, [row("a")])
    findings.append(path, [row("b")])
    with path.open("a") as stream:
        stream.write('{"key": 1}\n[]\n\n{"key": "c", "stu')
    assert [found["key"] for found in findings.read(path)] == ["a", "b"]


def test_a_table_has_every_column_and_those_of_the_study(tmp_path):
    (tmp_path / "one").mkdir()
    findings.replace(tmp_path / "one" / findings.FILE, [row("a", αL="1/(8N)"), row("b", outcome="holds", N=3)])
    for folder in (tmp_path, tmp_path / "one"):
        table = findings.load(folder)
        assert set(findings.COLUMNS) <= set(table.columns)
        assert list(table["outcome"]) == ["", "holds"]
        assert table["N"].iloc[1] == 3
        assert table["αL"].iloc[0] == "1/(8N)"
        assert np.isnan(table["bound"]).all()
    with pytest.raises(FileNotFoundError, match=r"no findings\.jsonl"):
        findings.load(tmp_path / "two")


def test_a_full_disk_names_the_file(tmp_path):
    (tmp_path / findings.FILE).symlink_to("/dev/full")
    with pytest.raises(OSError, match=findings.FILE):
        findings.append(tmp_path / findings.FILE, [row()])
