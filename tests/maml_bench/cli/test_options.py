"""What is typed reaches what is asked: every option of every command, and what holds where none is typed."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from maml_bench import InnerLoop, claims
from maml_bench.algorithms import MAML, SGD, Adam, ImplicitMAML, Reptile
from maml_bench.cli import setting as made
from maml_bench.evidence import Outcome
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.montecarlo.workers import Workers
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric
from maml_bench.setting import OuterLoop
from maml_bench.verdict import Verdict

PROBLEM = ("--family", "trigonometric", "--dim", 3, "--tasks", 2, "--problem-seed", 7, "--noise", "random-phase")
PROBLEM += ("--amplitude", 0.5, "--kappa", 2)
SETTING = ("--point", -1.5, "--alpha", 0.02, "--steps", 6, "--S", 2, "--D", 3, "--T", 4, "--hessian", "zo")
SETTING += ("--nu", 0.25, "--directions", 8, "--data", "shared", "--iterations", 9, "--B", 5)
SETTING += ("--C-beta", 90, "--B-beta", 6, "--D-beta", 7, "--algorithm", "reptile", "--optimizer", "adam")
EFFORT = ("--seed", 11, "--confidence", 0.9, "--budget", 123)
MORE = ("--seconds", 4.5, "--precision", 0.125, "--method", "monte-carlo")
WORKERS = ("--workers", 2, "--processes")


@pytest.fixture
def asked(bench, monkeypatch):
    """What a command asks of the function of this name: (arguments, keywords)."""

    def run(function, *line):
        seen = []

        def noted(*arguments, **keywords):
            seen.append((arguments, keywords))
            raise ValueError("asked")

        monkeypatch.setattr(function, noted)
        done = bench(*line)
        assert (done.returncode, done.stderr) == (2, "Error: asked\n")
        ((arguments, keywords),) = seen
        return arguments, keywords

    return run


def same_tasks(one, other):
    w = np.linspace(-1, 1, one.dim)
    return one.batch_shape == other.batch_shape and np.array_equal(one.hess(w), other.hess(w))


def typed(setting):
    """Whether a setting is the one of `PROBLEM` and `SETTING`."""
    tasks = setting.tasks
    assert same_tasks(tasks, Trigonometric.random(3, 2, 7)) and tasks.noise == RandomPhase(0.5, 2.0)
    assert np.array_equal(setting.w, np.full(3, -1.5))
    assert setting.inner == InnerLoop(0.02, 6, S=2, D=3, T=4)
    assert setting.hessian == ZerothOrder(0.25, 8, False, "shared")
    expected = {"C_beta": 90.0, "B_beta": 6, "D_beta": 7, "method": Reptile(), "optimizer": Adam()}
    assert setting.outer == OuterLoop(9, 5, **expected)
    return True


def plain(setting):
    """Whether a setting is the one that nothing is said of."""
    assert same_tasks(setting.tasks, Quadratic.random(5, 1, 0)) and setting.tasks.noise == AdditiveGaussian(1.0)
    assert np.array_equal(setting.w, np.ones(5))
    assert (setting.inner, setting.hessian, setting.outer) == (InnerLoop(0.05, 4), ExactHessian(), None)
    return True


def test_check(asked):
    (claim, setting), effort = asked("maml_bench.verdict.check", "check", "prop3", "--form", "paper", "--factor", 0.5,
                                     *PROBLEM, *SETTING, *EFFORT, *MORE, *WORKERS)  # fmt: skip
    assert claim == claims.get("prop3", "paper").scaled(0.5) and typed(setting)
    assert effort.pop("workers") == Workers(2, True)
    assert effort == {"seed": 11, "confidence": 0.9, "budget": 123} | {
        "seconds": 4.5,
        "precision": 0.125,
        "method": "monte-carlo",
    }
    (claim, setting), effort = asked("maml_bench.verdict.check", "check", "prop3")
    assert claim == claims.get("prop3") and plain(setting)
    assert effort.pop("workers") == Workers(1)
    assert effort == {"seed": 0, "confidence": 0.99, "budget": 1_000_000} | {
        "seconds": math.inf,
        "precision": math.inf,
        "method": "auto",
    }


def test_measure(asked):
    line = ("measure", "path-error", *PROBLEM, *SETTING, *EFFORT, *MORE, *WORKERS)
    (quantity, setting), effort = asked("maml_bench.measuring.measure", *line)
    assert quantity == "path-error" and typed(setting) and effort["precision"] == 0.125
    (_, setting), effort = asked("maml_bench.measuring.measure", "measure", "path-error")
    assert plain(setting) and effort.pop("workers") == Workers(1)
    assert effort == {"seed": 0, "confidence": 0.99, "budget": 100_000} | {
        "seconds": math.inf,
        "precision": 0.01,
        "method": "auto",
    }


def test_power(asked):
    line = ("power", "prop3", "--form", "paper", "--runs", 4, *PROBLEM, *SETTING, *EFFORT, *WORKERS)
    (claim, setting), effort = asked("maml_bench.power.power", *line)
    assert claim == claims.get("prop3", "paper") and typed(setting) and effort.pop("workers") == Workers(2, True)
    assert effort == {"runs": 4, "seed": 11, "confidence": 0.9, "budget": 123}
    (_, setting), effort = asked("maml_bench.power.power", "power", "prop3")
    assert plain(setting) and effort.pop("workers") == Workers(1)
    assert effort == {"runs": 20, "seed": 0, "confidence": 0.99, "budget": 100_000}


def test_train(asked, tmp_path):
    kept = ("--replicates", 3, "--seed", 5, "--checkpoint", tmp_path / "run.npz")
    (setting, *counts), options = asked("maml_bench.algorithms.train", "train", *kept, *PROBLEM, *SETTING, *WORKERS)
    assert typed(setting) and counts == [3, 5] and options.pop("progress")
    assert options == {"workers": Workers(2, True), "checkpoint": tmp_path / "run.npz"}
    line = ("train", "--iterations", 2, "--beta", 0.5)
    (setting, *counts), options = asked("maml_bench.algorithms.train", *line)
    assert setting.outer == OuterLoop(2, 10, beta=0.5, method=MAML(), optimizer=SGD()) and counts == [16, 0]
    assert options.pop("progress") and options == {"workers": Workers(1), "checkpoint": None}


def test_audit(asked):
    line = ("audit", "--seed", 3, "--error", 0.25, "--hessian", "ggs", *PROBLEM)
    (tasks,), options = asked("maml_bench.auditing.audit", *line)
    assert same_tasks(tasks, Trigonometric.random(3, 2, 7))
    assert options == {"seed": 3, "error": 0.25, "hessian": GaussianSmoothing(0.01, 10)}
    (tasks,), options = asked("maml_bench.auditing.audit", "audit", "--noise", "none", "--dim", 2)
    assert type(tasks) is Quadratic and tasks.dim == 2
    assert options == {"seed": 0, "error": 1e-3, "hessian": None}


def test_tightness(asked):
    line = ("--alpha-l", 0.5, "--steps", 2, "--seed", 9, "--seconds", 3, "--rounds", 5, "--first-round", 6)
    (claim,), options = asked("maml_bench.extremal.tightness", "tightness", "prop3", "--factor", 0.5, *line)
    assert claim == claims.get("prop3").scaled(0.5) and options.pop("progress")
    assert options == {"alpha_l": 0.5, "steps": 2, "seed": 9, "seconds": 3, "rounds": 5, "first_round": 6}
    (claim,), options = asked("maml_bench.extremal.tightness", "tightness", "prop3", "--form", "paper")
    assert claim == claims.get("prop3", "paper") and options.pop("progress")
    assert options == {"alpha_l": None, "steps": None, "seed": 0, "seconds": 15, "rounds": 4, "first_round": 0}


@pytest.mark.parametrize(("command", "names"), [("study", ["summary"]), ("report", None)])
def test_studies(asked, monkeypatch, command, names):
    function = "maml_bench.cli.commands.conduct"
    name = names or []
    (found,), options = asked(function, command, *name)
    assert next(iter(found)) == "summary" and (names is None or list(found) == names)
    common = {"workers": Workers(1), "quick": False, "seed": 0}
    assert options == common | {"output": Path("reports")} | ({"as_json": False} if names else {})
    _, options = asked(function, command, *name, "--quick", "--seed", 4, *WORKERS)
    assert options["output"] == Path("build/quick") and options["quick"] is True
    assert (options["seed"], options["workers"]) == (4, Workers(2, True))
    assert asked(function, command, *name, "--quick", "--output", "x")[1]["output"] == Path("x")


def test_a_row_is_redone_by_its_key(asked):
    arguments, options = asked("maml_bench.cli.commands.redo", "study", "race", "--row", "abc", "--seed", 2, "--json")
    assert arguments == ("race", "abc")
    assert (options["seed"], options["quick"], options["as_json"]) == (2, False, True)


@pytest.mark.parametrize(
    ("name", "estimator"),
    [
        ("exact", ExactHessian()),
        ("first-order", FirstOrder()),
        ("ggs", GaussianSmoothing(0.25, 8, "shared")),
        ("zo", ZerothOrder(0.25, 8, False, "shared")),
        ("zo-stein", ZerothOrder(0.25, 8, True, "shared")),
        ("zo-mean", ZerothOrder(0.25, 8, False, "shared", baseline="mean")),
        ("central-difference", CentralDifference(0.25, "shared")),
    ],
)
def test_estimators_by_name(name, estimator):
    assert made.estimator_from(name, 0.25, 8, "shared") == estimator
    assert set(made.HESSIANS) == {
        "exact", "first-order", "ggs", "zo", "zo-stein", "zo-mean", "central-difference"
    }  # fmt: skip


def test_methods_and_optimizers_by_name():
    assert {name: made.ALGORITHMS[name]() for name in made.ALGORITHMS} == {
        "maml": MAML(),
        "reptile": Reptile(),
        "imaml": ImplicitMAML(),
    }
    assert (made.OPTIMIZERS["sgd"](), made.OPTIMIZERS["adam"]()) == (SGD(), Adam())


def test_the_ends_of_the_radii_are_admitted():
    for nu in made.NU:
        assert made.estimator_from("ggs", nu, 1, "shared").nu == nu and 0 < nu**2 < math.inf
    for nu in (made.NU[0] / 10, made.NU[1] * 10):
        with pytest.raises(ValueError, match="must be between 1e-150 and 1e\\+150, so that its square is a number"):
            made.estimator_from("ggs", nu, 1, "shared")


def test_what_does_not_fit_into_memory_is_refused_before_it_is_made():
    options = {"problem_seed": 0, "noise": "none", "sigma_g": 1.0, "amplitude": 1.0, "kappa": 1.0}
    assert made.tasks_from("kink", 30_000, 1, **options).dim == 30_000  # no matrix
    with pytest.raises(ValueError, match="dim = 300000, tasks = 10, family quadratic"):
        made.tasks_from("quadratic", 300_000, 10, **options)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("holds", 0), ("not refuted", 0), ("violated", 1), ("inconclusive", 3), ("not applicable", 4)],
)
def test_every_outcome_has_its_exit_code(bench, monkeypatch, outcome, code):
    verdict = Verdict("prop3", "sharp", Outcome(outcome), reason="because")
    monkeypatch.setattr("maml_bench.verdict.check", lambda *_, **__: verdict)
    monkeypatch.setattr("maml_bench.counterexample.write", lambda *_: "there.py")
    done = bench("check", "prop3")
    assert (done.returncode, done.stdout) == (code, f"prop3 (sharp): {outcome}\n  because\n")
    told = "counterexample, to be replayed: python there.py\n" if outcome == "violated" else ""
    assert done.stderr == told


@pytest.mark.parametrize(
    ("function", "line", "found", "code"),
    [
        ("maml_bench.auditing.audit", ("audit",), SimpleNamespace(passed=False, as_dict=dict), 1),
        ("maml_bench.auditing.audit", ("audit",), SimpleNamespace(passed=True, as_dict=dict), 0),
        (
            "maml_bench.extremal.tightness",
            ("tightness", "prop3"),
            SimpleNamespace(verdict=SimpleNamespace(outcome="violated"), as_dict=dict),
            1,
        ),
        (
            "maml_bench.extremal.tightness",
            ("tightness", "prop3"),
            SimpleNamespace(verdict=SimpleNamespace(outcome="holds"), as_dict=dict),
            0,
        ),
    ],
)
def test_a_violation_is_told_by_exit_code_1(bench, monkeypatch, function, line, found, code):
    monkeypatch.setattr(function, lambda *_, **__: found)
    assert bench(*line, "--json").returncode == code


def test_what_a_search_found_is_wrapped_at_80_columns(bench, monkeypatch):
    class Found:
        setting, verdict = None, SimpleNamespace(outcome="holds")

        def __str__(self):
            return "a " * 39 + "bb\n" + "c " * 40 + "d"

    monkeypatch.setattr("maml_bench.extremal.tightness", lambda *_, **__: Found())
    monkeypatch.setattr("maml_bench.extremal.source", lambda setting: f"code of {setting}")
    assert bench("tightness", "prop3").stdout.splitlines() == ["a " * 39 + "bb", "c " * 39 + "c", "  d"]
    assert bench("tightness", "prop3", "--code").stdout.splitlines()[3:] == ["code of None"]
