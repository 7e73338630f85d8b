"""A time limit ends what nothing else would: the process, with last words and their exit code."""

import json
import subprocess
import sys
import threading

import pytest

from maml_bench.cli import ending

STUCK = """
import signal, time
from maml_bench.problems import Quadratic

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as in a long call into compiled code
time.sleep(600)
TASKS = Quadratic.concave(2)
"""


def test_what_takes_too_long_ends_with_last_words(monkeypatch):
    said, over = [], threading.Event()
    monkeypatch.setattr(ending, "LEAST", 0.0)
    monkeypatch.setattr(ending, "end", lambda code: (said.append(code), over.set()))
    with ending.by(0.01, lambda: 3):
        assert over.wait(60)
    assert said == [3]


@pytest.mark.parametrize("seconds", [1000.0, float("inf"), 1e308, 0.0, -1.0, float("nan")])
def test_what_is_done_in_time_ends_by_itself(monkeypatch, seconds):
    before = threading.active_count()
    monkeypatch.setattr(ending, "end", pytest.fail)
    with ending.by(seconds, lambda: 3):
        pass
    with pytest.raises(ZeroDivisionError), ending.by(seconds, lambda: 3):
        1 / 0  # noqa: B018
    assert all(thread.daemon for thread in threading.enumerate()[before:])


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("check", "prop1"), 3, "time spent"),
        (("measure", "meta-gradient-norm"), 2, "seconds = 0.1: too short to measure"),
    ],
)
def test_a_stuck_process_ends(tmp_path, command, code, words):
    (tmp_path / "stuck.py").write_text(STUCK)
    line = [sys.executable, "-m", "maml_bench", *command, "--problem", "stuck.py:TASKS", "--seconds", "0.1", "--json"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code and words in done.stdout + done.stderr
    if code == 3:
        assert json.loads(done.stdout)["outcome"] == "inconclusive"
