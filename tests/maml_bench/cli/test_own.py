"""Objects of a user's own on the command line: FILE.py:object, measure, and files to start from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import maml_bench

GALLERY = Path(__file__).parents[3] / "studies" / "gallery"


def test_a_claim_a_problem_and_an_estimator_come_from_files(bench):
    problem, hessian = f"{GALLERY}/own_problem.py:TASKS", f"{GALLERY}/own_estimator.py:ESTIMATOR"
    common = ("--point", 0, "--problem", problem, "--hessian", hessian)
    done = bench("check", f"{GALLERY}/own_estimator.py:CLAIM", *common, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["claim"], found["outcome"]) == (0, "signs-vector", "holds")
    assert found["bound"] == pytest.approx(3 / 8)  # L^2 d / Q of that problem and that estimator
    assert bench("check", f"{GALLERY}/own_estimator.py:CLAIM", *common, "--factor", 0.01).returncode == 1
    assert bench("power", f"{GALLERY}/own_estimator.py:CLAIM", *common, "--runs", 2, "--budget", 1000).returncode == 0
    assert "hessian-bias: " in bench("measure", "hessian-bias", *common, "--budget", 1000).stdout


def test_audit_takes_a_problem_of_one_s_own(bench):
    done = bench("audit", "--problem", f"{GALLERY}/own_problem.py:TASKS")
    assert done.returncode == 0
    assert "no violation found" in done.stdout


def test_measure_prints_json(bench):
    done = bench("measure", "path-error", "--family", "quadratic", "--steps", 1, "--alpha", 0.5, "--json")
    assert json.loads(done.stdout)["value"] == pytest.approx(0.25)
    assert json.loads(done.stdout)["evidence"] == "exact"


@pytest.mark.parametrize("kind", ["problem", "estimator", "theorem", "study"])
def test_a_file_to_start_from_runs(bench, tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = bench("new", kind, "mine.py")
    assert done.returncode == 0
    command = done.stdout.splitlines()[1].split()[1:]
    assert bench(*command).returncode == 0
    again = bench("new", kind, "mine.py")
    assert (again.returncode, again.stderr) == (2, "Error: mine.py exists: choose another name\n")


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("x = 1\n", "absent.py:x", "absent.py: no such file"),
        ("x = 1\ny = nothing\n", "mine.py:x", "mine.py, line 2: NameError: name 'nothing' is not defined"),
        ("def (", "mine.py:x", "mine.py, line 1: SyntaxError: "),
        ("x = 1\n", "mine.py:x", "claim = mine.py:x: must be a claim, as maml_bench.claim makes, not int"),
        ("x = 1\n", "mine.py:y", "claim = mine.py:y: mine.py has no object 'y', which should be a claim"),
        (
            "from maml_bench import claims\nmine = claims.get('prop1')\n",
            "mine.py",
            "claim = mine.py: must be FILE.py:object, the object a claim, as maml_bench.claim makes; it has mine",
        ),
    ],
)
def test_a_bad_file_is_one_line_that_says_what_and_where(bench, tmp_path, monkeypatch, text, word, message):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text)
    done = bench("check", word)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_form_that_is_not_the_claim_s_is_refused(bench):
    done = bench("check", f"{GALLERY}/own_theorem.py:CLAIM", "--form", "paper")
    assert done.returncode == 2
    assert "fourth-moment in the form 'own'" in done.stderr


def test_an_estimator_without_an_operator_is_refused(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("class Mine: ...\nmine = Mine()\n")
    done = bench("check", "prop6", "--hessian", "mine.py:mine")
    assert "hessian = mine.py:mine: must be an estimator with operator(tasks, w, D, rng), not Mine" in done.stderr


OWN = '''
from dataclasses import dataclass
import numpy as np
from maml_bench import claim
from maml_bench.problems import Quadratic
class Away:
    """Tasks that are no dataclass."""
    def __init__(self, tasks): self.tasks, self.dim, self.batch_shape = tasks, tasks.dim, tasks.batch_shape
    def __getattr__(self, name):
        if name == "tasks": raise AttributeError(name)
        return getattr(self.tasks, name)
    def __getitem__(self, index): return Away(self.tasks[index])
@dataclass(frozen=True)
class Double:
    times: float = 2.0
    def operator(self, tasks, w, D, rng):
        size = rng.uniform(0, 2 * self.times, (*np.broadcast_shapes(w.shape[:-1], tasks.batch_shape), 1))
        return lambda v: size * tasks.hvp(w, v)
TASKS, HESSIAN = Away(Quadratic.concave(2)), Double()
CLAIM = claim("unbiased", 0.5, "hessian-bias")
'''


def test_one_s_own_claim_problem_and_estimator_are_named_by_their_files(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(OWN)
    own = ("mine.py:CLAIM", "--problem", "mine.py:TASKS", "--hessian", "mine.py:HESSIAN")
    done = bench("check", *own, "--budget", 20_000, "--factor", 0.5)
    assert done.returncode == 1
    script = done.stderr.split("python ")[1].strip()
    assert 'claim="../../mine.py:CLAIM"' in Path(script).read_text().replace("'", '"')
    home = {**os.environ, "PYTHONPATH": str(Path(maml_bench.__file__).parents[1])}
    elsewhere = {"env": home, "cwd": tmp_path.parent, "capture_output": True, "text": True}
    printed = subprocess.run([sys.executable, tmp_path / script], check=False, **elsewhere).stdout
    assert "unbiased (own, bound times 0.5): violated" in printed
    Path("mine.py").unlink()
    gone = subprocess.run([sys.executable, tmp_path / script], check=False, **elsewhere).stderr
    assert "mine.py: no such file" in gone


BAD = """
import numpy as np
from maml_bench import claim
RAISES = claim("raises", "1", lambda setting, rng, n: 1 / 0)
NEGATIVE = claim("negative", "1", lambda setting, rng, n: -np.ones(n))
WORDS = claim("words", "1", lambda setting, rng, n: "abc")
class Flat:
    def operator(self, tasks, w, D, rng): return lambda v: v[..., 0]
class NoFunction:
    def operator(self, tasks, w, D, rng): return 3
class FewArguments:
    def operator(self, tasks): return lambda v: v
class OneNumber(Flat):
    def deviation(self, tasks, D): return 1.0
class OddMean(Flat):
    def mean_hessian(self, tasks, w): return np.ones(3)
class Own(Flat):
    def operator(self, tasks, w, D, rng): raise RuntimeError("my mistake")
    def deviation(self, tasks, D): return 0.0, 1.0
"""


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("check", "bad.py:RAISES"), "bad.py, line 4: ZeroDivisionError: division by zero"),
        (("check", "bad.py:NEGATIVE"), "claim 'negative': draw gave -1; what a mean is taken of must be numbers >= 0"),
        (("check", "bad.py:WORDS"), "claim 'words': draw gave a str; it must be an array of numbers, (replicates,) or"),
        (("measure", "hessian-bias", "Flat"), "hessian = Flat: its operator gave an array of shape "),
        (
            ("measure", "hessian-bias", "NoFunction"),
            "hessian = NoFunction: its operator gave 3; it must give a function",
        ),
        (("audit", "NoFunction"), "hessian = NoFunction: its operator gave 3; it must give a function of v"),
        (("measure", "path-error", "FewArguments"), "must be an estimator with operator(tasks, w, D, rng)"),
        (("check", "prop3", "OneNumber"), "hessian = OneNumber: deviation gave 1.0; it must give two numbers >= 0"),
        (("measure", "hessian-bias", "OddMean"), "mean_hessian gave an array of shape (3,); it must be (1, 5, 5)"),
        (("check", "prop3", "Own"), "bad.py, line 18: RuntimeError: my mistake"),
    ],
)
def test_what_is_wrong_with_one_s_own_is_said_in_a_line(bench, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(BAD)
    words = [*command[:-1], "--hessian", f"bad.py:{command[-1]}"] if command[-1][0].isupper() else list(command)
    done = bench(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_worker_processes_take_one_s_own(bench):
    own = ("--problem", f"{GALLERY}/own_problem.py:TASKS", "--hessian", f"{GALLERY}/own_estimator.py:ESTIMATOR")
    command = ("measure", "hessian-variance", *own, "--budget", 20_000, "--precision", 0, "--json")
    done, again = bench(*command), bench(*command, "--processes", "--workers", 2)
    assert json.loads(again.stdout) | {"seconds": 0} == json.loads(done.stdout) | {"seconds": 0}


def test_what_one_s_own_tasks_lack_is_said(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("class Half:\n    dim, batch_shape, grad, loss, sample = 1, (), None, None, None\n")
    for command in (("check", "prop1"), ("audit",)):
        done = bench(*command, "--problem", "mine.py:Half")
        assert done.returncode == 2
        assert "problem = mine.py:Half: must be tasks; Half lacks __getitem__, hess, hvp, regularity\n" in done.stderr


def test_new_names_its_folder_and_quotes_its_file(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bench("new", "study", "absent/mine.py").stderr == "Error: absent/mine.py: there is no folder absent\n"
    assert "maml-bench study 'how far.py' --quick" in bench("new", "study", "how far.py").stdout
    assert '"how-far",' in Path("how far.py").read_text()
