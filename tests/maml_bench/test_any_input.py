"""Whatever the public interface is given, it answers: a result, or one line that names the argument.

Each call is one that works, with up to three arguments replaced by something of a wrong type or shape, not finite,
huge, tiny or empty. The suite makes a few hundred; ``make robustness`` ten thousand. An audit of billions of points or
draws takes as long as that takes, up to half a minute, and is not asked for.
"""

import math
import os
import re
import time
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, assume, example, given, note, settings
from hypothesis import strategies as st
from zoo import at, run

from analytic import Regularity, bound, corollary1, finite_theorem1, finite_theorem2, statement, theorem1, theorem2
from maml_bench import InnerLoop, OuterLoop, Setting, audit, check, claim, claims, measure, problems, train
from maml_bench.algorithms import MAML, Adam, ImplicitMAML
from maml_bench.counterexample import replay
from maml_bench.extremal import instance, tightness
from maml_bench.hessians import CentralDifference, ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.montecarlo.workers import Workers
from maml_bench.power import power
from maml_bench.problems import FAMILIES, AdditiveGaussian, Quadratic, Trigonometric
from maml_bench.study import load
from maml_bench.verdict import check_all

EXAMPLES = int(os.environ.get("MAML_BENCH_EXAMPLES", "400"))
SAME = "MAML_BENCH_EXAMPLES" not in os.environ
"""Whether the examples are the same in every run: what is new is found by `make robustness`, not by chance in CI."""
SECONDS = 10

PLAIN, PAIRS = Quadratic.random(2, 2, 0), FAMILIES["logistic"].random(2, 2, 0)
TASKS = PLAIN.with_noise(AdditiveGaussian(0.5))
SETTING = run(TASKS, iterations=3, B=2)
ONES, INNER = np.ones((2, 2)), InnerLoop(0.1, 2)
EFFORT = {"seed": 0, "confidence": 0.9, "budget": 200, "seconds": 1.0, "method": "auto", "precision": 0.1, "workers": 1}
RANDOM = {"dim": 2, "tasks": 2, "rng": 0}
DATA = {"X": np.ones((2, 3, 2)), "y": np.ones((2, 3))}
PATH = {"alpha": 0.01, "steps": 3, "S": 50, "L": 1.0, "rho": 0.5, "sigma": 0.1, "sigma_g": 0.1}
LOOP = PATH | {"sigma_H": 0.1, "D": 50, "T": 50, "B": 50, "C_beta": 100, "K": 1000, "gap": 1.0}
FINITE = {name: LOOP[name] for name in ("alpha", "steps", "L", "rho", "sigma", "B", "C_beta", "K", "gap")}
FINITE |= {"b": 0.1, "b_tilde": 0.01}


def drawn(setting, rng, replicates):
    return rng.random(replicates)


CALLS = {
    "InnerLoop": (InnerLoop, {"alpha": 0.1, "steps": 2, "S": 1, "D": 1, "T": 1}),
    "OuterLoop": (OuterLoop, {"iterations": 3, "B": 2, "beta": 0.1}),
    "OuterLoop, estimated": (
        OuterLoop,
        {"iterations": 3, "B": 2, "C_beta": 9.0, "B_beta": 2, "D_beta": 2, "method": None, "optimizer": None},
    ),
    "Setting": (Setting, {"tasks": TASKS, "w": np.ones(2), "inner": INNER, "hessian": ExactHessian(), "outer": None}),
    "check": (check, {"claim": "prop2-second", "setting": SETTING, "form": None} | EFFORT),
    "check_all": (check_all, {"chosen": [claims.get("prop1")], "setting": SETTING} | EFFORT),
    "measure": (measure, {"quantity": "path-error", "setting": SETTING} | EFFORT),
    "measure, a run": (measure, {"quantity": "convergence", "setting": SETTING} | EFFORT),
    "audit": (audit, {"tasks": TASKS, "seed": 0, "error": 1e-3, "points": 8, "draws": 32, "hessian": None}),
    "audit, pairs": (
        audit,
        {"tasks": PAIRS, "seed": 0, "error": 1e-3, "points": 8, "draws": 32, "hessian": GaussianSmoothing(0.1, 2)},
    ),
    "train": (train, {"setting": SETTING, "replicates": 2, "seed": 0, "workers": 1}),
    "power": (
        power,
        {"claim": "prop2-first", "setting": SETTING, "form": None, "runs": 2, "seed": 0, "confidence": 0.9}
        | {"budget": 200},
    ),
    "tightness": (
        tightness,
        {"claim": "prop2-second", "form": None, "alpha_l": 0.1, "steps": 1, "seed": 0, "seconds": 0.2, "rounds": 1}
        | {"first_round": 0},
    ),
    "claim": (
        claim,
        {"name": "mine", "bound": "3*s_N", "draw": drawn, "estimand": "mean", "sense": "<=", "exact": None},
    ),
    "claims.get": (claims.get, {"name": "prop1", "form": "paper"}),
    "scaled": (claims.get("prop1").scaled, {"factor": 2.0}),
    "instance": (instance, {"claim": "prop1", "form": "sharp"}),
    "instance, a path": (
        instance,
        {"claim": "prop2-second", "form": "sharp", "alpha": 0.1, "steps": 2, "sigma_g": 1.0},
    ),
    "instance, an estimator": (
        instance,
        {"claim": "prop7-vector", "form": "sharp", "dim": 2, "nu": 0.1, "directions": 2},
    ),
    "Workers": (Workers, {"count": 1}),
    "replay": (replay, {"path": "absent.py"}),
    "load": (load, {"folder": "absent"}),
    "Adam": (Adam, {"first": 0.9, "second": 0.99, "epsilon": 1e-8}),
    "Quadratic": (Quadratic, {"A": np.eye(2), "b": ONES}),
    "Quadratic.random": (Quadratic.random, RANDOM | {"low": -1.0, "high": 1.0}),
    "Quadratic.concave": (Quadratic.concave, {"dim": 2, "curvature": 1.0}),
    "Trigonometric": (
        Trigonometric,
        {"A": np.eye(2), "b": ONES, "amplitude": ONES[:, :1], "frequency": ONES[:, None], "phase": ONES[:, :1]},
    ),
    "Trigonometric.random": (Trigonometric.random, RANDOM),
    "Kink": (problems.Kink, {"center": ONES, "slope": ONES, "rho": 1.0, "radius": 1.0}),
    "Kink.random": (problems.Kink.random, RANDOM | {"rho": 1.0, "radius": 1.0}),
    "Piecewise": (problems.Piecewise, {"knots": [[0.0, 1.0]], "values": [[0.0, 1.0]], "slope": [0.0], "order": 2}),
    "Piecewise.random": (problems.Piecewise.random, RANDOM | {"pieces": 3}),
    "sawtooth": (problems.Piecewise.sawtooth, {"alpha": 0.1, "steps": 2, "slope": 1.0, "width": 0.01}),
    "RankOne": (problems.RankOne, {"x": ONES, "radius": 1.0}),
    "RankOne.random": (problems.RankOne.random, RANDOM | {"radius": 1.0}),
    "SoftmaxBandit": (problems.SoftmaxBandit, {"rewards": ONES}),
    "SoftmaxBandit.random": (problems.SoftmaxBandit.random, RANDOM),
    "Logistic": (problems.Logistic, DATA | {"X_target": DATA["X"], "y_target": DATA["y"], "ridge": 0.1}),
    "LogisticLoss": (problems.LogisticLoss, DATA | {"ridge": 0.1}),
    "Logistic.random": (problems.Logistic.random, RANDOM | {"points": 3, "ridge": 0.1}),
    "FiniteSum": (problems.FiniteSum, {"support": PLAIN, "target": PLAIN, "b_i": np.ones(2)}),
    "FiniteSum.pair": (problems.FiniteSum.pair, {"support": PLAIN, "target": PLAIN}),
    "AdditiveGaussian": (AdditiveGaussian, {"sigma_g": 1.0}),
    "RandomPhase": (problems.RandomPhase, {"amplitude": 1.0, "kappa": 1.0}),
    "TwoPoint": (
        problems.TwoPoint,
        {"sigma_g": 1.0, "skew": 0.0, "tilt": 0.0, "centers": (0.0,), "direction": (1.0, 0.0)},
    ),
    "NoisyTasks": (problems.NoisyTasks, {"population": PLAIN, "noise": AdditiveGaussian(1.0)}),
    "Axisymmetric": (problems.Axisymmetric, {"dimension": 2, "degree": 3, "coefficients": [1.0, 1.0]}),
    "Hourglass": (problems.Hourglass, {"dimension": 2}),
    "RadialCubic": (problems.RadialCubic, {"dimension": 2, "rho": 1.0, "radius": 1.0}),
    "SineRegression": (problems.SineRegression, {"x": ONES, "y": ONES}),
    "SineRegression.random": (problems.SineRegression.random, {"rng": 0, "size": 2, "points": 3}),
    "ReluNetwork": (problems.ReluNetwork, {"widths": (2, 3, 1)}),
    "Navigation": (problems.Navigation, {"goals": ONES, "horizon": 3, "discount": 0.9, "clip": 0.1, "radius": 1.0}),
    "Navigation.random": (problems.Navigation.random, {"tasks": 2, "rng": 0}),
    "GaussianSmoothing": (GaussianSmoothing, {"nu": 0.1, "directions": 2, "data": "resampled"}),
    "ZerothOrder": (
        ZerothOrder,
        {"nu": 0.1, "directions": 2, "stein": False, "data": "resampled", "baseline": "point"},
    ),
    "CentralDifference": (CentralDifference, {"delta": 0.1, "data": "resampled"}),
    "Regularity": (
        Regularity,
        {"L": 1.0, "rho": 1.0, "tau": 1.0, "sigma": 1.0, "sigma_g": 1.0, "sigma_H": 1.0, "radius": 1.0},
    ),
    "bound": (bound, {"name": "prop1", "form": "paper"}),
    "bound, evaluated": (bound("prop3"), PATH | {"grad_norm": 1.0}),
    "statement": (statement, {"name": "prop1"}),
    "theorem1": (theorem1, LOOP),
    "theorem2": (theorem2, LOOP | {"dim": 4, "nu": 1e-3, "directions": 50}),
    "corollary1": (corollary1, LOOP),
    "finite_theorem1": (finite_theorem1, FINITE),
    "finite_theorem2": (finite_theorem2, FINITE | {"dim": 4, "nu": 1e-3, "directions": 50}),
}
"""A call that works, by a name: what is called, and its arguments."""

OTHER = {"Workers": ("workers",), "sawtooth": ("alpha slope",), "claims.get": ("claim",), "bound": ("statement",)}
OTHER |= {"statement": ("statement",), "measure, a run": ("convergence needs",), "Navigation": ("policy",)}
OTHER |= {"replay": ("has an empty name",)}
"""What a message may say in place of the arguments' names."""


class Odd:
    """Nothing that anybody asks for, told in two lines."""

    def __repr__(self):
        return "Odd(\n)"


NUMBERS = (-1, 0, 1, 2, 3, 0.5, -0.5, 1.5, math.nan, math.inf, -math.inf, 1e308, 1e-308, 5e-324, 1e150, 1e-150)
NUMBERS += (10**9, 10**18, 10**40, 10**400, -(10**400), 10**5000, 1j, True, np.float32(0.5), np.int64(2), np.uint8(2))
WORDS = (
    "",
    "x",
    "1",
    " 1\n",
    "é\n\n",
    "a" * 300,
    "prop1",
    "sharp",
    "=",
    "1/0",
    "nu**(",
    "search",
    b"x",
    (1, 2),
    {1: 2},
)
THINGS = (
    None,
    (),
    [],
    {1: 2},
    set(),
    object(),
    Odd(),
    Odd,
    len,
    print,
    range(3),
    Ellipsis,
    Fraction(1, 2),
    Decimal("nan"),
)
OURS = (PLAIN, TASKS, PAIRS, INNER, SETTING, MAML(), ImplicitMAML(), AdditiveGaussian(1.0), ExactHessian())
OURS += (Quadratic.random(3, 2, 0), Trigonometric.random(2, 2, 0), at(PLAIN), np.random.default_rng(0))
SHAPES = ((), (0,), (1,), (2,), (3,), (1, 2), (2, 2), (2, 0), (0, 2), (3, 2), (2, 2, 2), (50, 2))
ARRAYS = [np.full(shape, value) for shape in SHAPES for value in (1.0, 0.0, -1.0, math.nan, 1e200, 1.7e308, 5e-324)]
ARRAYS += [np.arange(1.0, 1 + math.prod(shape)).reshape(shape) for shape in SHAPES]
ARRAYS += [np.array(values) for values in (["a", "b"], [1j, 2], [None, 1], [1, 2], [True, False])] + [
    [[1.0, 2.0], [3.0]]
]
ANYTHING = st.one_of(*map(st.sampled_from, (NUMBERS, NUMBERS, WORDS, THINGS, OURS, ARRAYS, ARRAYS)))


@st.composite
def calls(draw):
    """The name of a call, and the arguments that are replaced."""
    name = draw(st.sampled_from(list(CALLS)))
    names = st.sampled_from(list(CALLS[name][1]))
    return name, draw(st.dictionaries(names, ANYTHING, min_size=1, max_size=3))


@given(call=calls())
@example(call=("instance, a path", {"alpha": 1e-320}))
@example(call=("theorem1", {"steps": 10**9}))
@example(call=("train", {"replicates": 10**9}))
@example(call=("Kink.random", {"dim": 10**18}))
@settings(
    max_examples=EXAMPLES, derandomize=SAME, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
def test_any_call_ends_in_a_result_or_in_one_line(little_memory, call):
    name, changed = call
    function, arguments = CALLS[name]
    assume(not any(isinstance(changed.get(effort), int) and changed[effort] > 10**6 for effort in ("points", "draws")))
    note(f"{name}, with other {', '.join(changed)}")
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            function(**arguments | changed)
        except (ValueError, OverflowError, TimeoutError, FileNotFoundError) as error:
            told = str(error)
        else:
            told = None
    assert time.process_time() - began < SECONDS
    if told is None or "range of floating-point numbers" in told:
        return
    assert told and "\n" not in told
    known = "|".join(map(re.escape, (*arguments, *OTHER.get(name, ()))))
    assert re.search(rf"(?<![A-Za-z_])({known})(?![A-Za-z_])", told), told
