"""The command line as a user meets it, with its exit codes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from maml_bench import InnerLoop, OuterLoop, Setting, train
from maml_bench.algorithms import Adam, Reptile
from maml_bench.cli.commands import CLOSED_PIPE
from maml_bench.problems import AdditiveGaussian, Trigonometric


def test_it_runs_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "maml_bench", "check", "prop2-second"], capture_output=True, text=True, check=True
    )
    assert "holds" in done.stdout


@pytest.mark.parametrize(
    "command", [[], ["claims"], ["theory"], ["check"], ["train"], ["tightness"], ["study"], ["report"]]
)
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
        (["check", "prop2-first", "--dim", "1000000000"], "needs arrays of 8e+09 GB, at most 1.1 GB"),
        (["check", "prop2-first", "--S", "1000000000"], "one replicate needs arrays of 1.6e+02 GB, at most"),
        (["check", "prop2-first", "--alpha", "x"], "--alpha"),
        (["check", "prop6", "--problem-seed", "-1"], "problem-seed = -1: must be an integer >= 0"),
        (["check", "prop6", "--family", "kink", "--hessian", "ggs", "--nu", "1e200"], "nu = 1e+200: must be between"),
        (["check", "prop6", "--family", "kink", "--hessian", "ggs", "--nu", "1e-300"], "nu = 1e-300: must be between"),
        (["audit", "--seed", "-1"], "seed = -1: must be an integer >= 0"),
        (["tightness", "prop1", "--seed", "-1"], "seed = -1: must be an integer >= 0"),
        (["audit", "--sigma-g", "1e200"], "nowhere finite, sigma_g = 1e+200"),
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


TRAIN = ("train", "--family", "trigonometric", "--dim", 2, "--tasks", 3, "--iterations", 40, "--replicates", 3)


def test_train_prints_the_course_of_the_runs_at_80_columns(bench):
    done = bench(*TRAIN, "--C-beta", 5, "--B", 2, "--S", 2)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "3 runs of 40 meta-iterations" in done.stdout
    # 40 (2 (4 * 2 + 1) + 2) gradients: the estimate of the step size has a sample for each of B tasks
    assert "samples a run: 800 gradient, 320 hessian-vector" in done.stdout
    assert done.stderr == ""


def test_train_as_json_is_the_run(bench):
    options = ("--beta", 0.1, "--algorithm", "reptile", "--optimizer", "adam", "--seed", 3, "--json")
    found = json.loads(bench(*TRAIN, *options).stdout)
    tasks = Trigonometric.random(2, 3, 0).with_noise(AdditiveGaussian(1.0))
    outer = OuterLoop(40, 10, beta=0.1, method=Reptile(), optimizer=Adam())
    run = train(Setting(tasks, np.ones(2), InnerLoop(0.05, 4), outer=outer), 3, 3)
    assert np.array_equal(found["w"], run.w)
    assert np.array_equal(found["gradient_norm"], run.gradient_norm)
    assert found["samples"] == {"gradient": 1600, "hessian_vector": 0, "function": 0}


def test_a_run_that_diverges_is_told_by_exit_code_1(bench):
    done = bench("train", "--iterations", 3000, "--beta", 20, "--replicates", 2)
    assert done.returncode == 1
    assert "diverged: 2 of 2 runs" in done.stdout


def test_train_goes_on_from_a_checkpoint(bench, tmp_path):
    path = tmp_path / "run.npz"
    one, two = (bench(*TRAIN, "--beta", 0.1, "--checkpoint", path).stdout for _ in range(2))
    assert path.exists()
    assert one == two
    done = bench(*TRAIN, "--beta", 0.2, "--checkpoint", path)
    assert done.returncode == 2
    assert "another run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train",), "train needs --iterations"),
        (TRAIN, "beta = None, C_beta = None: exactly one must be given"),
        ((*TRAIN, "--beta", 0), "beta = 0.0: must be a finite number > 0"),
        ((*TRAIN, "--beta", 1, "--algorithm", "sgd"), "unknown algorithm 'sgd'; known: maml, reptile, imaml"),
    ],
)
def test_bad_input_of_train_is_named(bench, arguments, message):
    done = bench(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_theorem_is_checked_on_the_command_line(bench):
    done = bench("check", "thm1", "--iterations", 20, "--tasks", 3, "--family", "trigonometric", "--C-beta", 100)
    assert "needs D_beta a^2 >= 64" in done.stdout
    assert done.returncode == 4
    assert "needs an outer loop" in bench("check", "thm1").stdout


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("prop6", "--hessian ggs"),
        ("prop5", "--hessian zo"),
        ("zo-stein-vector", "--hessian zo-stein"),
        ("hvp-central", "--hessian central-difference"),
        ("finite-lemma-a", "--family logistic, or --problem FILE.py:object"),
        ("thm1", "--iterations and --C-beta"),
    ],
)
def test_what_a_claim_lacks_is_named_by_options(bench, name, options):
    """And with them it applies, or lacks something else; JSON and what applies have no such line."""
    done = bench("check", name)
    assert (done.returncode, done.stderr) == (4, f"on the command line: {options}\n")
    assert bench("check", name, "--json").stderr == ""
    given = {"--iterations": 5, "--C-beta": 20}
    words = options.partition(" or ")[0].partition(",")[0].replace(" and", "").split()
    told = bench("check", name, *(part for word in words for part in (word, *([given[word]] if word in given else []))))
    assert options not in told.stderr


def test_what_an_error_lacks_is_named_by_options(bench):
    done = bench("measure", "convergence")
    assert done.returncode == 2
    assert done.stderr.endswith("\non the command line: --iterations and --beta or --C-beta\n")
    assert "on the command line" not in bench("measure", "path-errors").stderr


def test_tightness_finds_a_bound_that_is_a_tenth_too_small(bench):
    options = ("prop2-second", "--steps", 1, "--alpha-l", 0.2, "--seconds", 5, "--rounds", 1)
    honest, planted = bench("tightness", *options, "--code"), bench("tightness", *options, "--factor", 0.9, "--json")
    assert honest.returncode == 0
    assert max(map(len, honest.stdout.partition("problems in")[0].splitlines())) <= 80
    assert "largest ratio found 1, by " in honest.stdout
    assert "N = 1, alpha L = 0.2;" in honest.stdout and "inner=InnerLoop(alpha=" in honest.stdout
    assert "problems" in honest.stderr
    assert planted.returncode == 1
    found = json.loads(planted.stdout)
    assert found["verdict"]["ratio"] == pytest.approx(1 / 0.9)
    assert found["audit"] is True
    nothing = bench("tightness", "lemma-b-first")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "no problems are known" in nothing.stderr


def test_a_closed_pipe_is_not_an_outcome():
    # As with `| head -1`: whoever reads has gone. A violated claim would end with 1.
    command = [sys.executable, "-m", "maml_bench", "check", "prop2-second", "--factor", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.close()
        assert process.wait() == CLOSED_PIPE
