"""A study of the user's own from the command line: on the page, row by row, and compared with another run."""

import fcntl
import json
import resource
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from maml_bench.cli.commands import main
from maml_bench.cli.studies import conduct
from maml_bench.counterexample import replay
from maml_bench.study.findings import locked

SCRIPT = Path(__file__).parents[1] / "study" / "small_study.py"
VIOLATED = """
import numpy as np
from maml_bench import InnerLoop, Setting, claims
from maml_bench.problems import AdditiveGaussian, Quadratic
from maml_bench.study import Study, sweep

TASKS = Quadratic.concave(dim=3).with_noise(AdditiveGaussian(1.0))

def setting(N):
    return Setting(TASKS, np.ones(3), InnerLoop(0.1, N))

STUDY = Study("mine", "Is half of it enough?", sweep(setting, [claims.get("prop2-second").scaled(0.5)], {"N": (1, 2)}))
"""


@pytest.fixture
def bench(capsys, monkeypatch):
    """Run the command line in this process: (exit code, what it printed, what it complained of)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["maml-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def test_a_study_of_the_users_own_enters_the_page_and_a_row_is_redone(bench, tmp_path):
    code, text, progress = bench("study", SCRIPT, "--quick", "--output", tmp_path)
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80 + len(str(tmp_path))
    assert "study 1 of 1: small, 0 of 8 cases" in progress
    page = (tmp_path / "index.html").read_text()
    assert 'id="study-small"' in page
    assert "What does a small study find?" in page
    row = json.loads((tmp_path / "small" / "findings.jsonl").read_text().splitlines()[1])
    code, text, _ = bench("study", SCRIPT, "--quick", "--row", row["key"])
    assert code == 0
    assert f"value {row['value']:.6g}" in text
    code, _, complaint = bench("study", SCRIPT, "--row", row["key"])
    assert code == 2
    assert "has no case of this key" in complaint


def test_a_violated_row_ends_with_code_1_and_two_runs_are_compared(bench, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(VIOLATED)
    code, _, words = bench("study", script, "--output", tmp_path / "a")
    assert code == 1
    found = Path(words.split("to be replayed: ")[1].strip())
    assert [str(replay(example).outcome) for example in found.glob("*.py")] == ["violated", "violated"]
    script.write_text(VIOLATED.replace("scaled(0.5)", "scaled(2.0)"))
    assert bench("study", script, "--output", tmp_path / "b")[0] == 0
    code, text, _ = bench("compare", tmp_path / "a", tmp_path / "b", "--page", tmp_path / "c.html")
    assert code == 1
    assert "outcomes that differ: 2" in text
    assert "violated -> holds" in text
    assert "Outcomes that differ: 2" in (tmp_path / "c.html").read_text()
    assert bench("compare", tmp_path / "b", tmp_path / "b")[0] == 0


def test_a_report_with_a_violated_row_ends_with_code_1(bench, tmp_path, monkeypatch):
    script = tmp_path / "mine.py"
    script.write_text(VIOLATED)
    monkeypatch.setattr("maml_bench.cli.commands.STUDIES", (str(script),))
    code, _, words = bench("report", "--output", tmp_path / "a")
    assert code == 1 and f"{tmp_path / 'a' / 'mine' / 'counterexamples'}\n" in words
    script.write_text(VIOLATED.replace("scaled(0.5)", "scaled(2.0)"))
    code, _, words = bench("report", "--output", tmp_path / "b")
    assert code == 0 and "counterexamples" not in words


def test_the_version_is_printed(bench):
    code, text, _ = bench("--version")
    assert code == 0
    assert text.startswith("maml-bench ")
    assert "numpy" in text


def test_ctrl_c_says_what_is_kept_even_while_the_page_is_written(bench, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("maml_bench.study.site.write_index", stopped)
    code, _, complaint = bench("study", SCRIPT, "--quick", "--output", tmp_path / "out")
    assert code == 130
    told = f"interrupted; finished cases are kept in {tmp_path / 'out'};\nthe same command goes on from there\n"
    assert complaint.endswith(told)
    monkeypatch.setattr("maml_bench.cli.setting.setting_from", stopped)
    code, _, complaint = bench("check", "prop1")
    assert (code, complaint.strip()) == (130, "interrupted; nothing is kept")


def test_a_second_process_in_the_same_folder_is_refused(bench, tmp_path):
    with locked(tmp_path / "small"):
        code, _, complaint = bench("study", SCRIPT, "--quick", "--output", tmp_path)
    assert (code, complaint.splitlines()[-1]) == (
        2,
        f"Error: {tmp_path / 'small'} is in use: another process writes its findings there",
    )


def test_of_two_that_end_at_the_same_moment_neither_fails_and_the_page_has_both(bench, tmp_path, monkeypatch):
    """The other ends, or waits for its turn, when this one has written its page and not yet put it in its place."""
    script, codes, waits = tmp_path / "mine.py", [], Event()
    script.write_text(VIOLATED.replace("scaled(0.5)", "scaled(2.0)"))
    other = Thread(target=lambda: codes.append(conduct([str(script)], tmp_path, quick=False, seed=0, workers=1)))
    lock, move = fcntl.flock, Path.replace

    def locking(file, how):
        if not how & fcntl.LOCK_NB:
            waits.set()
        lock(file, how)

    def moving(path, target):
        if target.name == "index.html" and other.ident is None:
            waits.clear()
            other.start()
            while other.is_alive() and not waits.wait(0.01):
                pass
        return move(path, target)

    monkeypatch.setattr(fcntl, "flock", locking)
    monkeypatch.setattr(Path, "replace", moving)
    code, _, complaint = bench("study", SCRIPT, "--quick", "--output", tmp_path)
    other.join()
    assert (code, codes) == (0, [0]), complaint
    page = (tmp_path / "index.html").read_text()
    assert 'id="study-small"' in page and 'id="study-mine"' in page


@pytest.mark.parametrize(("room", "file"), [(100, "small/findings.jsonl"), (20_000, "index.html")])
def test_a_full_disk_names_the_file_and_leaves_no_part_of_one(bench, tmp_path, room, file):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        code, _, complaint = bench("study", SCRIPT, "--quick", "--output", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    assert complaint.splitlines()[-1] == f"Error: [Errno 27] File too large: '{tmp_path / file}'"
    assert not list(tmp_path.rglob("*.tmp"))
    assert not (tmp_path / "index.html").exists()


def test_a_wrong_seed_is_refused_before_anything_is_said(bench, tmp_path):
    code, out, complaint = bench("study", SCRIPT, "--seed", "-1", "--output", tmp_path)
    assert (code, out, complaint) == (2, "", "Error: seed = -1: must be an integer >= 0\n")


def test_a_study_as_json_is_its_rows_and_a_row_redone_is_the_same(bench, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(VIOLATED)
    code, text, _ = bench("study", script, "--output", tmp_path, "--json")
    rows = [json.loads(line) for line in text.splitlines()]
    assert code == 1 and [row["N"] for row in rows] == [1, 2]
    assert rows == [json.loads(line) for line in (tmp_path / "mine" / "findings.jsonl").read_text().splitlines()]
    once, key = dict(rows[1]), rows[1]["key"]
    code, text, _ = bench("study", script, "--row", key, "--json")
    again = json.loads(text)
    assert code == 1 and {**again, "seconds": 0} == {**once, "seconds": 0}
    code, text, _ = bench("study", script, "--row", key)
    numbers = ", ".join(f"{name} {once[name]:.6g}" for name in ("value", "lower", "upper", "bound", "ratio"))
    assert (code, text) == (1, f"prop2-second, sharp, {once['quantity']}, violated\n  {numbers}\n")
    script.write_text(VIOLATED.replace("scaled(0.5)", "scaled(2.0)"))
    code, text, _ = bench("study", script, "--output", tmp_path / "b", "--json")
    assert code == 0
    assert bench("study", script, "--row", json.loads(text.splitlines()[0])["key"])[0] == 0
