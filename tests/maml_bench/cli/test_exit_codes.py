"""Every exit code of every command, as docs/json.md and the commands' own help state them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from maml_bench.cli import commands
from maml_bench.cli.commands import CLOSED_PIPE, cli
from maml_bench.cli.studies import INTERRUPTED

SMALL = Path(__file__).parents[1] / "study" / "small_study.py"
FALSE = """
import numpy as np
from dataclasses import replace
from maml_bench import InnerLoop, Setting, claims
from maml_bench.problems import AdditiveGaussian, Quadratic
from maml_bench.study import Study, sweep

class Flat(Quadratic):
    '''Its certificate says half of its curvature.'''
    @property
    def regularity(self):
        return replace(super().regularity, L=0.5)

TASKS = Flat(-np.eye(2), np.zeros((1, 2)))
HALF = claims.get("prop2-second").scaled(0.5)
SETTING = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.1, 2))
STUDY = Study("false", "Is half of it enough?", sweep(lambda N: SETTING, [HALF], {"N": (1,)}))
"""
PROBLEM = ("--dim", 2)
LOOP = ("--iterations", 20, "--replicates", 2)
CASES = [
    ("claims", (), 0),
    ("claims", ("--nonsense",), 2),
    ("theory", ("prop1",), 0),
    ("theory", ("prop99",), 2),
    ("check", ("prop2-second", *PROBLEM), 0),  # holds
    ("check", ("prop1", "--method", "search", *PROBLEM), 0),  # not refuted
    ("check", ("prop2-second", "--factor", 0.5, *PROBLEM), 1),
    ("check", ("prop2-second", "--alpha", -1), 2),
    ("check", ("prop2-first", "--budget", 1, *PROBLEM), 3),
    ("check", ("prop7-spectral", *PROBLEM), 4),
    ("measure", ("path-error", *PROBLEM), 0),
    ("measure", ("speed",), 2),
    ("new", ("theorem", "mine.py"), 0),
    ("new", ("theorem", "mine.txt"), 2),
    ("power", ("prop2-first", "--runs", 2, "--budget", 500, *PROBLEM), 0),
    ("power", ("prop1", "--runs", 2, *PROBLEM), 2),
    ("train", (*LOOP, "--beta", 0.01, *PROBLEM), 0),
    ("train", ("--iterations", 300, "--replicates", 2, "--beta", 1e6, *PROBLEM), 1),
    ("train", PROBLEM, 2),
    ("audit", PROBLEM, 0),
    ("audit", ("--problem", "false.py:TASKS"), 1),
    ("audit", ("--error", 2), 2),
    ("tightness", ("prop2-second", "--steps", 1, "--alpha-l", 0.2, "--seconds", 1, "--rounds", 1), 0),
    ("tightness", ("prop2-second", "--steps", 1, "--alpha-l", 0.2, "--seconds", 1, "--rounds", 1, "--factor", 0.9), 1),
    ("tightness", ("lemma-b-first",), 2),
    ("study", (SMALL, "--quick", "--output", "out"), 0),
    ("study", ("false.py", "--output", "out"), 1),
    ("study", ("nothing",), 2),
    ("report", ("--quick", "--output", "out"), 0),
    ("report", ("--quick", "--output", "out"), 1),
    ("report", ("--seed", -1), 2),
    ("compare", ("same", "same"), 0),
    ("compare", ("same", "other"), 1),
    ("compare", ("same", "absent"), 2),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a file of false things and the reports of two studies."""
    monkeypatch.chdir(tmp_path)
    Path("false.py").write_text(FALSE)
    return tmp_path


def study(bench, name, output):
    bench("study", name, "--quick", "--output", output)


@pytest.mark.parametrize(("command", "arguments", "code"), CASES, ids=lambda x: str(x) if isinstance(x, int) else None)
def test_a_command_ends_with_its_code(bench, folder, monkeypatch, command, arguments, code):
    if command == "report":
        monkeypatch.setattr(commands, "STUDIES", (str(SMALL), "false.py")[: 1 + code % 2])
        monkeypatch.setattr("maml_bench.cli.studies.STUDIES", ())
    if command == "compare":
        study(bench, "false.py", "same")
        if "other" in arguments:
            Path("false.py").write_text(FALSE.replace("scaled(0.5)", "scaled(2.0)"))
            study(bench, "false.py", "other")
    assert bench(command, *arguments).returncode == code


def test_every_command_has_its_codes_tried():
    tried = {name: {code for command, _, code in CASES if command == name} for name in cli.commands}
    judging = {"train", "audit", "tightness", "study", "report", "compare"}
    assert tried == {
        name: {0, 1, 2, 3, 4} if name == "check" else {0, 1, 2} if name in judging else {0, 2} for name in cli.commands
    }


@pytest.mark.parametrize("command", cli.commands)
def test_ctrl_c_ends_every_command_with_130_and_one_line(bench, monkeypatch, command):
    def interrupted(self, context):
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Command, "invoke", interrupted)
    names = {"check": ["prop1"], "power": ["prop1"], "tightness": ["prop1"], "measure": ["path-error"], "study": ["x"]}
    names |= {"new": ["study", "x.py"], "compare": [".", "."]}
    done = bench(command, *names.get(command, ()))
    assert (done.returncode, done.stdout, done.stderr.strip()) == (INTERRUPTED, "", "interrupted; nothing is kept")


ENDLESS = """
import signal, sys
from maml_bench.cli.commands import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs behind itself
sys.argv = "maml-bench check prop2-first --budget 1000000000 --precision 0".split()
main()
"""


def test_a_real_ctrl_c_ends_a_check():
    command = [sys.executable, "-c", ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for_numpy(process.pid)
        process.send_signal(signal.SIGINT)
        out, complaint = process.communicate()
    assert (process.returncode, out, complaint.strip()) == (INTERRUPTED, "", "interrupted; nothing is kept")


def wait_for_numpy(pid):
    """Until the process has done more than to start Python."""
    while "openblas" not in Path(f"/proc/{pid}/maps").read_text():
        time.sleep(0.05)
    time.sleep(0.5)


@pytest.mark.parametrize("arguments", [["claims"], ["theory", "prop1"], ["theory", "--json"], ["check", "--help"]])
def test_a_closed_pipe_is_no_outcome_whoever_writes(arguments):
    command = [sys.executable, "-m", "maml_bench", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        complaint = process.stderr.read()
    assert (process.returncode, complaint) == (CLOSED_PIPE, "")
