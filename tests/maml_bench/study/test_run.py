"""A study survives being killed at any moment, and redoes exactly what a change affects."""

import dataclasses
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from analytic import bound
from maml_bench import InnerLoop, Setting, check
from maml_bench.counterexample import replay
from maml_bench.study import Study, findings, load, sweep
from maml_bench.study import run as study_module
from maml_bench.study.run import ERROR, jobs, run
from studies.gallery import own_estimator, own_problem, own_theorem

SCRIPT = Path(__file__).with_name("small_study.py")
STUDY = (sys.executable, "-m", "maml_bench", "study", str(SCRIPT))
_spec = importlib.util.spec_from_file_location("small_study", SCRIPT)
small = importlib.util.module_from_spec(_spec)
sys.modules["small_study"] = small
_spec.loader.exec_module(small)


def rows(study, folder, **options):
    return [row for found in run(study, folder, **options) for row in found]


def lines(folder):
    """Rows of the findings file without what may differ between runs."""
    text = (folder / "findings.jsonl").read_text()
    assert text == "" or text.endswith("\n")
    kept = (json.loads(line) for line in text.splitlines())
    return [{k: v for k, v in row.items() if k not in ("seconds", "key")} for row in kept]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "small"
    rows(small.STUDY, folder)
    return lines(folder)


@pytest.fixture
def counted(monkeypatch):
    """What is actually computed."""
    calls = []
    original = study_module.Job.found

    def count(job, workers):
        calls.append(job.claims[0].name if job.claims else job.case.measure.__name__)
        return original(job, workers)

    monkeypatch.setattr(study_module.Job, "found", count)
    return calls


QUICK = ["prop2-first", "prop2-second"] * 3 + ["falling"] * 2


def test_a_row_for_each_claim_form_and_case_and_for_each_point_of_a_curve(reference):
    assert len(reference) == 6 * 4 + 2 * 3
    assert len(jobs(small.STUDY)) == 6 * 2 + 2
    assert {row["outcome"] for row in reference if "outcome" in row} <= {"holds", "inconclusive"}
    assert [row["value"] for row in reference[-3:]] == [2, 1, 2 / 3]


KILLS = int(os.environ.get("MAML_BENCH_KILLS", "3"))
"""How often a study is killed; ``make robustness`` does it 50 times."""


@pytest.mark.parametrize("delay", np.random.default_rng(0).uniform(0, 1, KILLS).round(3).tolist())
def test_killed_and_resumed_it_ends_with_the_same_rows(delay, reference, tmp_path):
    command = [*STUDY, "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "small" / "findings.jsonl"
    while not file.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lines(tmp_path / "small") == reference[: len(lines(tmp_path / "small"))]
    rows(small.STUDY, tmp_path / "small")
    assert lines(tmp_path / "small") == reference


def test_ctrl_c_leaves_whole_lines_and_no_traceback(reference, tmp_path):
    command, told = [*STUDY, "--output", str(tmp_path)], os.environ | {"INTERRUPTED": "yes"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=told,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell runs behind itself
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert f"interrupted; finished cases are kept in {tmp_path};" in done.stderr
    assert lines(tmp_path / "small") == reference[:-3]


def test_a_second_process_is_refused(tmp_path):
    with findings.locked(tmp_path / "small"):
        command = [*STUDY, "--quick", "--output", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "small is in use: another process writes" in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_a_torn_last_line_redoes_its_case(reference, tmp_path, counted):
    rows(small.STUDY, tmp_path)
    counted.clear()
    file = tmp_path / "findings.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    rows(small.STUDY, tmp_path)
    assert lines(tmp_path) == reference
    assert counted == ["falling"]


def test_nothing_is_redone_without_a_change(tmp_path, counted):
    rows(small.STUDY, tmp_path, quick=True)
    assert counted == QUICK
    counted.clear()
    assert len(rows(small.STUDY, tmp_path, quick=True)) == 18
    assert counted == []


def changed(**fields):
    """The study with its first sweep changed."""
    first, second = small.STUDY.cases
    return dataclasses.replace(small.STUDY, cases=[dataclasses.replace(first, **fields), second])


def moved(N):
    found = small.setting(N)
    return dataclasses.replace(found, w=[1.0, 1.0, 2.0]) if N == 1 else found


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        ({"quick": {"N": (1, 2, 3), "budget": 20_001}}, QUICK[:6]),
        ({"point": moved}, QUICK[:2]),
        ({"quick": {"N": (1, 2, 3, 4), "budget": 20_000}}, QUICK[:2]),
        ({"quick": {"N": (2, 3), "budget": 20_000}}, []),
    ],
)
def test_a_change_redoes_exactly_the_cases_that_it_touches(change, redone, tmp_path, counted):
    rows(small.STUDY, tmp_path, quick=True)
    counted.clear()
    found = rows(changed(**change), tmp_path, quick=True)
    assert counted == redone
    assert len(lines(tmp_path)) == len(found)


def test_another_seed_redoes_everything_and_gives_other_numbers(tmp_path, counted):
    before = rows(small.STUDY, tmp_path, quick=True)
    counted.clear()
    after = rows(small.STUDY, tmp_path, quick=True, seed=1)
    assert counted == QUICK
    sampled = [(a, b) for a, b in zip(before, after, strict=True) if a.get("method") == "monte-carlo"]
    assert sampled
    # After one step a tilted replicate is its mean, whatever the seed.
    assert all((a["value"] != b["value"]) == (a["N"] > 1) for a, b in sampled)


def test_changed_code_redoes_everything(tmp_path, counted, monkeypatch):
    rows(small.STUDY, tmp_path, quick=True)
    counted.clear()
    monkeypatch.setattr(study_module, "code_digest", lambda: "another version")
    rows(small.STUDY, tmp_path, quick=True)
    assert counted == QUICK


def test_findings_explain_themselves(tmp_path):
    table = load_after(tmp_path)
    first = table.iloc[0]
    assert (first["study"], first["claim"], first["form"]) == ("small", "prop2-first", "paper")
    assert (first["N"], first["alpha"], first["d"], first["sigma_g"], first["L"]) == (1, 0.1, 3, 1, 1)
    assert first["family"] == first["problem"] == "Quadratic"
    assert first["evidence"] in ("certified", "asymptotic")
    assert first["confidence"] == pytest.approx(1 - ERROR)
    assert "numpy" in first["versions"]


def load_after(folder):
    rows(small.STUDY, folder, quick=True)
    return load(folder)


def test_findings_state_what_reproduces_them(tmp_path):
    table = load_after(tmp_path)
    sampled = table[table["method"] == "monte-carlo"]
    assert len(sampled) > 2
    for _, row in sampled.iterrows():
        verdict = check(
            row["claim"],
            small.setting(int(row["N"])),
            form=row["form"],
            seed=int(row["seed"]),
            confidence=row["confidence"],
            budget=int(row["replicates"]),
            precision=0,
        )
        assert (verdict.value, verdict.lower, verdict.upper) == (row["value"], row["lower"], row["upper"])


def test_a_bad_seed_is_named(tmp_path):
    with pytest.raises(ValueError, match="seed = -1"):
        rows(small.STUDY, tmp_path, seed=-1)
    assert not list(tmp_path.iterdir())


def test_one_s_own_problem_estimator_and_claims_go_into_a_study(tmp_path):
    # The claim's bound is attained to a few per cent: 0.01 of it is refuted, in any run.
    tasks, estimator = own_problem.TASKS, own_estimator.ESTIMATOR

    def setting(N):
        return Setting(tasks, np.zeros(3), InnerLoop(0.05, N), estimator)

    def keys(*chosen):
        return [job.key for job in jobs(Study("own", "Whose?", sweep(setting, chosen, {"N": (1, 2)})))]

    fourth, signs = own_theorem.CLAIM, own_estimator.CLAIM
    found = rows(Study("own", "Whose?", sweep(setting, (fourth, signs, signs.scaled(0.01)), {"N": (1,)})), tmp_path)
    assert [(row["claim"], row["outcome"]) for row in found] == [
        ("fourth-moment", "holds"),
        ("signs-vector", "holds"),
        ("signs-vector", "violated"),
    ]
    assert {row["family"] for row in found} == {"LogCosh"} and {row["estimator"] for row in found} == {"Signs"}
    assert keys(fourth) == keys(fourth)
    other = dataclasses.replace(fourth, bound=bound("prop2-second"))
    looser = dataclasses.replace(other, bound=dataclasses.replace(other.bound, where=other.bound.where[:0]))
    assert len({*keys(fourth), *keys(other), *keys(looser), *keys(fourth.scaled(2))}) == 8
    (script,) = (tmp_path / "counterexamples").glob("*.py")
    assert "own_estimator.py:CLAIM" in script.read_text()
    assert replay(script, signs.scaled(0.01)).outcome == "violated"
