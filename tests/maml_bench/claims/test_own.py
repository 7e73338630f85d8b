"""Claims of a user's own: the bound as text, the draw's shapes, and verdicts where the truth is known."""

import tracemalloc

import numpy as np
import pytest
import sympy as sp
from zoo import at

from analytic import bound
from maml_bench import InnerLoop, OuterLoop, Setting, check, claim
from maml_bench.claims.own import stated
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.problems import AdditiveGaussian, Quadratic

TASKS = Quadratic(np.eye(2), np.array([[0.0, 0.0], [1.0, 0.0]])).with_noise(AdditiveGaussian(2.0))
SETTING = at(TASKS, 1.0, 0.1, 3, S=5)


def squares(setting, rng, replicates):
    """Mean square 9, one number a replicate."""
    return rng.normal(0, 3, replicates) ** 2


def test_a_bound_is_read_from_text_numbers_symbols_and_bounds():
    values = {"alpha": 0.1, "steps": 3, "L": 1.0, "sigma_g": 2.0, "S": 5, "dim": 2, "rho": 0.5}
    s = bound("prop2-second")(**values) ** 0.5
    assert stated("x", "3*s_N**4")(**values) == pytest.approx(3 * s**4)
    assert stated("x", "m_N")(**values) == pytest.approx(bound("prop2-mean")(**values))
    assert stated("x", "q**(2*N) - 1 - c")(**values) == pytest.approx(0, abs=1e-15)
    assert stated("x", "alpha*steps*d/dim")(**values) == pytest.approx(0.3)
    assert stated("x", 2)() == 2
    anybody = sp.Symbol("sigma_g") ** 2 / sp.Symbol("S", real=True)
    assert stated("x", anybody)(**values) == pytest.approx(0.8)
    assert stated("x", bound("prop1")) is bound("prop1")


def test_a_bound_may_take_the_larger_of_two_and_what_an_outer_loop_has():
    assert stated("x", "Max(L, 3) + min(alpha, S)")(L=1.0, alpha=0.5, S=2) == 3.5
    quadratic, outer = Quadratic(np.eye(2), np.zeros((1, 2))), OuterLoop(5, 3, C_beta=2.0)
    case = Setting(quadratic, np.array([3.0, 4.0]), InnerLoop(0.5, 1), outer=outer)
    # calL(w) = |w|^2/8, its minimum 0: with the outer loop K B C_beta Delta = 5 * 3 * 2 * 25/8
    exact = lambda setting: 5 * 3 * 2 * 25 / 8
    assert check(claim("x", "K*B*C_beta*Delta", squares, exact=exact), case).ratio == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", ["nu", "Q", "delta", "K", "C_beta", "b", "hessian_bias", "epsilon"])
def test_a_constant_that_the_setting_does_not_have_is_named(name):
    found = check(claim("x", name, squares), SETTING)
    assert found.outcome == "not applicable"
    assert found.reason.startswith("the bound needs ") and "which this setting does not have" in found.reason


@pytest.mark.parametrize("formula", ["s(N)", "wonder(L)", "Product(alpha, (k, 1, N))", "Integral(x, (x, 0, L))"])
def test_what_cannot_be_computed_is_refused_before_anything_is_drawn(formula):
    with pytest.raises(ValueError, match="cannot be computed"):
        stated("x", formula)


def test_what_is_not_a_bound_is_said_with_the_nearest_known_symbol():
    with pytest.raises(ValueError, match="unknown symbol 'task_grad_nrm'; the nearest known is 'task_grad_norm'"):
        stated("x", "task_grad_nrm**2")
    with pytest.raises(ValueError, match=r"cannot be read as a formula"):
        stated("x", "3*")
    with pytest.raises(ValueError, match="must be a formula"):
        stated("x", "L < 2")
    with pytest.raises(ValueError, match="must be a real number, and I is the root of -1"):
        stated("x", "I*L")


@pytest.mark.by_chance(1e-2)
@pytest.mark.parametrize(("factor", "outcome"), [(1.1, "holds"), (0.9, "violated")])
def test_a_mean_one_number_a_replicate(factor, outcome):
    # Wrong with probability at most 1 %.
    mine = claim("mine", "9", squares)
    assert check(mine.scaled(factor), SETTING).outcome == outcome
    assert check(claim("mine", "9", squares, sense=">=").scaled(1 / factor), SETTING).outcome == outcome


def test_a_norm_of_a_mean_with_and_without_tasks():
    centre = np.array([[3.0, 4.0], [0.0, 1.0]])
    tasks = claim("v", "5", lambda s, rng, n: centre + rng.normal(size=(n, 2, 2)), estimand="norm of mean")
    assert check(tasks.scaled(1.1), SETTING).outcome == "holds"
    assert check(tasks.scaled(0.9), SETTING).outcome == "violated"
    assert check(tasks.scaled(0.9), SETTING).cell == 0
    alone = claim("v", "5", lambda s, rng, n: centre[0] + rng.normal(size=(n, 2)), estimand="norm of mean")
    assert check(alone.scaled(0.9), SETTING).outcome == "violated"


def test_a_spectral_norm():
    mine = claim(
        "M", "2", lambda s, rng, n: np.diag([2.0, 1.0]) + rng.normal(size=(n, 2, 2)), estimand="spectral norm of mean"
    )
    assert check(mine.scaled(1.1), SETTING).outcome == "holds"
    assert check(mine.scaled(0.9), SETTING).outcome == "violated"


def test_an_exact_value_is_used_and_a_hypothesis_is_asked():
    mine = claim("mine", "9", squares, exact=lambda setting: 9.0)
    assert (check(mine, SETTING).outcome, check(mine, SETTING).method) == ("holds", "exact")
    mine = claim("mine", "9", squares, requires=lambda setting: "steps = 1" if setting.inner.steps > 1 else "")
    found = check(mine, SETTING)
    assert (found.outcome, found.reason) == ("not applicable", "mine needs steps = 1")


def test_the_constants_are_those_of_the_setting_or_of_each_task():
    # Gradients at w: (1, 1) and (0, 1), of norms sqrt 2 and 1.
    draw = lambda setting, rng, n: np.ones((n, 2))
    exact = lambda setting: [np.sqrt(2), 1.0]
    assert check(claim("g", "task_grad_norm", draw, exact=exact), SETTING).outcome == "violated"
    assert check(claim("g", "task_grad_norm", draw, exact=exact, each_task=True), SETTING).ratio == pytest.approx(1)


@pytest.mark.parametrize("number", [[1.0, 2.0, 3.0], [], -1.0, np.nan, 1j, "one"])
@pytest.mark.parametrize("each_task", [False, True])
def test_an_exact_value_that_is_none_is_named(number, each_task):
    mine = claim("mine", "9", squares, exact=lambda setting: number, each_task=each_task)
    with pytest.raises(ValueError, match="claim 'mine': exact gave .*; it must be a number >= 0, or 2 of them"):
        check(mine, SETTING)


@pytest.mark.by_chance(1e-2)
@pytest.mark.parametrize("exact", [None, lambda setting: 1.2])
def test_one_number_for_all_tasks_is_set_against_the_bound_of_each(exact):
    # Mean 1.2, bounds sqrt 2 and 1: wrong with probability at most 1 %.
    draw = lambda setting, rng, n: rng.uniform(0, 2.4, n)
    mine = claim("g", "task_grad_norm", draw, exact=exact, each_task=True, envelope=lambda setting: 2.4)
    found = check(mine, SETTING)
    assert (found.outcome, found.cell) == ("violated", 1)
    assert check(mine.scaled(1.3), SETTING).outcome == "holds"


@pytest.mark.parametrize(
    "values",
    [np.ones((64, 2)) + 1j, np.ma.masked_equal(np.tile([1.0, 2.0], (64, 1)), 2.0)],
    ids=["complex", "masked"],
)
def test_replicates_lose_nothing_silently(values):
    with pytest.raises(ValueError, match="claim 'mine': draw gave a .*; it must be an array of numbers"):
        check(claim("mine", "9", lambda setting, rng, n: values[:n]), SETTING)


@pytest.mark.parametrize(
    ("draw", "estimand"),
    [
        (lambda setting, rng, n: np.ones(n + 1), "mean"),
        (lambda setting, rng, n: np.ones((n, 3)), "mean"),
        (lambda setting, rng, n: 1.0, "mean"),
        (lambda setting, rng, n: np.ones(n), "norm of mean"),
        (lambda setting, rng, n: np.ones((n, 2, 0)), "norm of mean"),
    ],
)
def test_a_draw_of_the_wrong_shape_says_what_would_be_right(draw, estimand):
    with pytest.raises(ValueError, match=r"claim 'mine': draw gave an array of shape .*; it must be \(replicates"):
        check(claim("mine", "9", draw, estimand=estimand), SETTING)
    assert not tracemalloc.is_tracing()


@pytest.mark.by_chance(1e-2)
def test_an_envelope_makes_the_limits_certified_and_is_checked():
    # Uniform on [0, 2], of mean 1: wrong with probability at most 1 %.
    draw = lambda setting, rng, n: rng.uniform(0, 2, n)
    mine = claim("u", "1", draw, envelope=lambda setting: 2.0)
    for factor, outcome in ((1.1, "holds"), (0.9, "violated")):
        found = check(mine.scaled(factor), SETTING)
        assert (found.outcome, found.evidence) == (outcome, "certified")
    assert check(claim("u", "1.1", draw), SETTING).evidence == "asymptotic"
    with pytest.raises(EnvelopeExceeded, match="exceeds its ceiling 1.5"):
        check(claim("u", "1", draw, envelope=lambda setting: 1.5), SETTING)
    with pytest.raises(ValueError, match="envelope gave nan; it must be a number >= 0"):
        check(claim("u", "1", draw, envelope=lambda setting: np.nan), SETTING)


def test_memory_is_measured():
    def heavy(setting, rng, replicates):
        return rng.normal(size=(replicates, 10_000)).mean(1) ** 2

    floats = claim("mine", "9", heavy).measurement.sampled.footprint(SETTING)
    assert 10_000 <= floats <= 30_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimand": "median"}, "estimand = 'median': must be one of mean, norm of mean"),
        ({"sense": "<"}, "sense = '<': must be one of"),
        ({"draw": 3}, "draw = 3: must be a function"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        claim("mine", "9", **({"draw": squares} | arguments))


@pytest.mark.parametrize("bound", ["1/0", "oo", "log(0)*L", float("nan")])
def test_a_bound_that_is_infinite_whatever_the_setting_is_refused(bound):
    with pytest.raises(ValueError, match="must be a finite number"):
        claim("u", bound, lambda setting, rng, replicates: rng.random(replicates))


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_a_replicate_that_is_no_number_ends_the_run(number):
    with pytest.raises(OverflowError, match="replicates overflow or are undefined"):
        check(claim("u", "1", lambda setting, rng, replicates: np.full(replicates, number)), SETTING)
