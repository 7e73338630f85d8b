"""The command line as a user meets it, with its exit codes."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from maml_bench.cli.commands import main


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def bench(capsys, monkeypatch):
    """Run the command line in this process, 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["maml-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(ended.value.code, printed.out, printed.err)

    return run


def test_it_runs_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "maml_bench", "check", "prop2-second"], capture_output=True, text=True, check=True
    )
    assert "holds" in done.stdout


@pytest.mark.parametrize("command", [[], ["claims"], ["theory"], ["check"], ["study"], ["report"]])
def test_help_fits_80_columns(bench, command):
    done = bench(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_claims_are_listed_at_80_columns_and_as_json(bench):
    text, data = bench("claims"), bench("claims", "--json")
    assert max(map(len, text.stdout.splitlines())) <= 80
    listed = {row["claim"]: row["forms"] for row in json.loads(data.stdout)}
    assert listed["prop2-second"] == ["paper", "sharp"]
    assert all(name in text.stdout for name in listed)


def test_theory_prints_a_statement(bench):
    text = bench("theory", "prop2-second").stdout
    assert "Proposition 2" in text
    assert "paper" in text
    assert r"\alpha" in bench("theory", "prop2-second", "--latex").stdout
    assert json.loads(bench("theory", "prop2-second", "--json").stdout)["forms"]["sharp"]["constants"]
    assert "prop2-mean" in bench("theory").stdout


@pytest.mark.parametrize(("factor", "code", "outcome"), [(1, 0, "holds"), (0.5, 1, "violated")])
def test_check_tells_by_exit_code(bench, factor, code, outcome):
    done = bench(
        "check", "prop2-second", "--family", "quadratic", "--dim", 5, "--steps", 4, "--factor", factor, "--json"
    )
    assert done.returncode == code
    verdict = json.loads(done.stdout)
    assert verdict["outcome"] == outcome
    assert verdict["method"] == "exact"


def test_check_in_words(bench):
    done = bench("check", "prop2-first", "--budget", 20000)
    assert done.stdout.startswith("prop2-first (sharp): holds")
    assert "replicates, seed 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "prop22"], "unknown claim 'prop22'"),
        (["check", "prop2-first", "--form", "x"], "unknown form 'x'"),
        (["check", "prop2-first", "--family", "cubic"], "unknown family 'cubic'"),
        (["check", "prop2-first", "--alpha", "0"], "alpha = 0.0: must be"),
        (["check", "prop2-first", "--steps", "-1"], "steps = -1: must be"),
        (["check", "prop2-first", "--S", "0"], "S = 0: must be"),
        (["check", "prop2-first", "--dim", "0"], "dim = 0: must be"),
        (["check", "prop2-first", "--alpha", "x"], "--alpha"),
        (["theory", "prop99"], "unknown statement 'prop99'"),
        (["study", "nothing"], "unknown study 'nothing'"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_is_one_line_and_code_2(bench, arguments, message):
    done = bench(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "Error" in line]) == 1
