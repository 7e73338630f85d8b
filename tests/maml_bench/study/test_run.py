"""A study survives being killed at any moment, and redoes exactly what a change affects."""

import dataclasses
import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maml_bench import check
from maml_bench.study import run as study_module
from maml_bench.study.run import rows, run

SCRIPT = Path(__file__).with_name("small_study.py")
_spec = importlib.util.spec_from_file_location("small_study", SCRIPT)
small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small)


def lines(directory):
    """Rows of the findings file without what may differ between runs."""
    text = (directory / "findings.jsonl").read_text()
    assert text == "" or text.endswith("\n")
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference") / "small"
    list(run(small.STUDY, directory))
    return lines(directory)


@pytest.fixture
def counted(monkeypatch):
    """How often claims are actually checked."""
    calls = []
    original = study_module.check_all
    monkeypatch.setattr(study_module, "check_all", lambda *a, **k: calls.append(a[0][0].name) or original(*a, **k))
    return calls


def test_a_row_for_each_claim_form_and_cell(reference):
    assert len(reference) == rows(small.STUDY, quick=False) == 6 * 4
    assert len({row["key"] for row in reference}) == 24
    assert {row["outcome"] for row in reference} <= {"holds", "inconclusive"}


@pytest.mark.parametrize("delay", [0.05, 0.3, 0.9])
def test_killed_and_resumed_it_ends_with_the_same_rows(delay, reference, tmp_path):
    command = [sys.executable, str(SCRIPT), "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "small" / "findings.jsonl"
    while not file.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lines(tmp_path / "small") == reference[: len(lines(tmp_path / "small"))]
    list(run(small.STUDY, tmp_path / "small"))
    assert lines(tmp_path / "small") == reference


def test_ctrl_c_leaves_whole_lines_and_no_traceback(reference, tmp_path):
    command = [sys.executable, str(SCRIPT), "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    file = tmp_path / "small" / "findings.jsonl"
    while not (file.exists() and file.stat().st_size) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted" in errors
    kept = lines(tmp_path / "small")
    assert kept
    assert kept == reference[: len(kept)]


def test_a_torn_last_line_is_redone(reference, tmp_path, counted):
    list(run(small.STUDY, tmp_path))
    counted.clear()
    file = tmp_path / "findings.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    list(run(small.STUDY, tmp_path))
    assert lines(tmp_path) == reference
    assert counted == ["prop2-second"]


def test_nothing_is_redone_without_a_change(tmp_path, counted):
    list(run(small.STUDY, tmp_path, quick=True))
    counted.clear()
    assert len(list(run(small.STUDY, tmp_path, quick=True))) == 12
    assert counted == []


def _changed(change):
    def cells(quick):
        first, *rest = small.cells(quick)
        return [change(first), *rest]

    return dataclasses.replace(small.STUDY, cells=cells)


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: dataclasses.replace(cell, budget=cell.budget + 1),
        lambda cell: dataclasses.replace(cell, parameters={"N": 1, "extra": 0}),
        lambda cell: dataclasses.replace(cell, setting=dataclasses.replace(cell.setting, w=[1.0, 1.0, 2.0])),
        lambda cell: dataclasses.replace(cell, problem="another"),
    ],
)
def test_a_changed_cell_redoes_exactly_its_rows(change, tmp_path, counted):
    list(run(small.STUDY, tmp_path, quick=True))
    counted.clear()
    list(run(_changed(change), tmp_path, quick=True))
    assert counted == ["prop2-first", "prop2-second"]
    assert len(lines(tmp_path)) == 12


def test_another_seed_redoes_everything_and_gives_other_numbers(tmp_path, counted):
    list(run(small.STUDY, tmp_path, quick=True))
    before = lines(tmp_path)
    counted.clear()
    list(run(small.STUDY, tmp_path, quick=True, seed=1))
    assert len(counted) == 6
    assert all(a["value"] != b["value"] for a, b in zip(before, lines(tmp_path), strict=True) if a["method"] != "exact")


def test_changed_code_redoes_the_claims_that_use_it(tmp_path, counted, monkeypatch):
    list(run(small.STUDY, tmp_path, quick=True))
    counted.clear()
    monkeypatch.setattr(study_module, "code_digest", lambda *modules: "another version")
    list(run(small.STUDY, tmp_path, quick=True))
    assert len(counted) == 6


def test_a_corrected_bound_redoes_its_claim_alone(tmp_path, counted, monkeypatch):
    list(run(small.STUDY, tmp_path, quick=True))
    counted.clear()
    original = study_module._right_side
    monkeypatch.setattr(
        study_module, "_right_side", lambda claim: original(claim) + ["edited"] * (claim.name == "prop2-second")
    )
    list(run(small.STUDY, tmp_path, quick=True))
    assert counted == ["prop2-second"] * 3


def test_the_claim_s_own_module_counts(tmp_path, counted, monkeypatch):
    list(run(small.STUDY, tmp_path, quick=True))
    counted.clear()
    original = study_module.code_digest
    monkeypatch.setattr(
        study_module, "code_digest", lambda *m: original(*m) + "edited" * ("maml_bench.claims.inner_path" in m)
    )
    list(run(small.STUDY, tmp_path, quick=True))
    assert len(counted) == 6


def test_rows_that_the_study_no_longer_has_are_dropped(tmp_path):
    list(run(small.STUDY, tmp_path, quick=True))
    fewer = dataclasses.replace(small.STUDY, cells=lambda quick: small.cells(quick)[:1])
    # The cells' share of the confidence changes, so the one that is left is redone too.
    list(run(fewer, tmp_path, quick=True))
    assert len(lines(tmp_path)) == 4


def test_findings_state_what_reproduces_them(reference):
    cells = {cell.parameters["N"]: cell.setting for cell in small.cells(False)}
    sampled = [row for row in reference if row["method"] == "monte-carlo"]
    assert len(sampled) > 5
    for row in sampled:
        verdict = check(
            row["claim"],
            cells[row["parameters"]["N"]],
            form=row["form"],
            seed=row["seed"],
            confidence=row["confidence"],
            budget=row["replicates"],
            precision=0,
        )
        assert (verdict.value, verdict.lower, verdict.upper) == (row["value"], row["lower"], row["upper"])


def test_a_bad_seed_is_named(tmp_path):
    with pytest.raises(ValueError, match="seed = -1"):
        list(run(small.STUDY, tmp_path, seed=-1))
    assert not list(tmp_path.iterdir())
