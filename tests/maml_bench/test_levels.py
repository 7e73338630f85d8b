"""The bookkeeping of confidence: what level reaches each limit, seen by a spy, and which limit decides what."""

import inspect

import numpy as np
import pytest
import scipy
from zoo import at

from maml_bench import audit, check, claim, claims, measure
from maml_bench.claims.question import Question
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.montecarlo import betting
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.mean import Mean
from maml_bench.montecarlo.norm import Norm
from maml_bench.montecarlo.sequence import looks
from maml_bench.montecarlo.workers import Workers
from maml_bench.power import power
from maml_bench.problems import AdditiveGaussian, FiniteSum, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Study, sweep
from maml_bench.study.run import ERROR, run
from maml_bench.verdict import check_all

LIMITS = ("lower_limit", "limits_of_squares", "upper_limit_of_norm", "normal_reach", "normal_upper")
"""Whatever a limit of a sampled value comes from; each takes a level."""

NOISE = AdditiveGaussian(1.0)
ONE = at(Trigonometric.random(2, 1, 0).with_noise(NOISE), alpha=0.02)
FIVE = at(Trigonometric.random(2, 5, 0).with_noise(NOISE), alpha=0.02)
SAMPLED = {"method": "monte-carlo", "confidence": 0.9, "budget": 2000}


@pytest.fixture
def levels(monkeypatch):
    """The levels that limits were asked for, each set once, as pairs: for all cells together, and for each alone."""
    seen = set()

    def spied(function):
        signature = inspect.signature(function)

        def wrapped(*args, **kwargs):
            level = np.asarray(signature.bind(*args, **kwargs).arguments["level"])
            seen.add(tuple(level.ravel().round(12).tolist()))
            return function(*args, **kwargs)

        return wrapped

    for name in LIMITS:
        monkeypatch.setattr(betting, name, spied(getattr(betting, name)))
    return seen


def test_everything_that_takes_a_level_is_spied_on():
    takes = {
        name
        for name, function in inspect.getmembers(betting, inspect.isfunction)
        if "level" in inspect.signature(function).parameters
    }
    assert takes == set(LIMITS)


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [
        ("prop2-first", ONE, (0.1, 0.1)),
        ("prop2-second", ONE, (0.1, 0.1)),
        ("prop3", ONE, (0.1, 0.1)),
        ("prop2-first", FIVE, (0.02, 0.1)),
        ("prop2-second", FIVE, (0.02, 0.1)),
        ("prop3", FIVE, (0.1, 0.1)),  # of the mean over tasks: one number
        ("zo-vector", at(FIVE.tasks, hessian=ZerothOrder(0.1, 2, data="population")), (0.02, 0.1)),
        ("prop6", at(FIVE.tasks, hessian=GaussianSmoothing(0.1, 2)), (0.02, 0.1)),
        ("prop7-frobenius", at(FIVE.tasks, hessian=GaussianSmoothing(0.1, 2)), (0.02, 0.1)),
    ],
)
def test_tasks_share_the_level_together_and_have_it_each_alone(levels, name, setting, expected):
    found = check(name, setting, **SAMPLED)
    assert found.replicates > 0 and found.confidence == 0.9
    assert levels == {expected}


def drawn(setting, rng, replicates):
    return rng.random((replicates, *setting.tasks.batch_shape))


def test_an_equality_can_be_refuted_from_both_sides_and_halves_the_level(levels):
    for envelope in (None, lambda setting: 1.0):
        check(claim("half", "0.5", drawn, sense="=", envelope=envelope), FIVE, **SAMPLED)
    assert levels == {(0.01, 0.05)}


def test_an_equality_of_matrices_is_one_distance_and_keeps_it(levels):
    check(claims.get("prop5", "identity"), at(FIVE.tasks.population, hessian=ZerothOrder(0.3, 2)), **SAMPLED)
    assert levels == {(0.02, 0.1)}


def test_each_form_has_the_stated_level_by_itself(levels):
    check_all([claims.get("prop2-first", form) for form in ("paper", "sharp")], FIVE, **SAMPLED)
    assert levels == {(0.02, 0.1)}


@pytest.mark.parametrize("factor", [10.0, 0.01])
def test_neither_budget_nor_looks_nor_the_decision_change_the_level(levels, factor):
    for budget in (100, 20_000):
        check(claims.get("prop2-first").scaled(factor), FIVE, **SAMPLED | {"budget": budget})
    check(claims.get("prop2-first").scaled(factor), FIVE, precision=0, **SAMPLED)
    assert levels == {(0.02, 0.1)}


def test_a_study_s_row_has_the_level_that_its_report_states(levels, tmp_path):
    study = Study("levels", "?", sweep(lambda N: at(FIVE.tasks, steps=N), ("prop2-first",), {"N": (2, 3)}, budget=500))
    rows = [row for found in run(study, tmp_path) for row in found]
    assert {row["confidence"] for row in rows} == {1 - ERROR}
    assert {row["method"] for row in rows} == {"monte-carlo"}
    assert levels == {(round(ERROR / 5, 12), ERROR)}


def test_power_and_measure_have_the_level_of_a_check(levels):
    power("prop2-first", FIVE, runs=2, confidence=0.9, budget=500)
    measure("path-error", at(FIVE.tasks.population.with_noise(RandomPhase(1.0, 1.0))), confidence=0.9, budget=500)
    assert levels == {(0.02, 0.1)}


KINDS = {
    "mean": (Mean, {}, 2.0),
    "mean, no ceiling": (Mean, {}, None),
    "root of a mean": (Mean, {"root": True}, 2.0),
    "mean of signed numbers": (Mean, {}, "signed"),
    "mean of bounded square": (Mean, {}, "square"),
    "norm": (Norm, {}, 3.0),
    "norm, no ceiling": (Norm, {}, None),
    "norm of bounded square": (Norm, {}, "square"),
    "spectral norm": (Norm, {"spectral": True}, 3.0),
}
SCALES = (1.0, 2.0)


def numbers(kind, cells):
    """Replicates of the cells chosen, the same whichever others are drawn."""
    family, options, ceiling = KINDS[kind]
    core = () if family is Mean else (2, 2) if options else (2,)

    def draw(rng, count):
        drawn = rng.random((count, 2, *core)) * np.reshape(SCALES, (2, *(1,) * len(core)))
        return (drawn - 0.7 if ceiling == "signed" else drawn)[:, cells]

    return draw


def estimand(kind, level, cells):
    family, options, ceiling = KINDS[kind]
    scales = np.asarray(SCALES)[cells]
    known = {"square": 2 * scales**2} if ceiling == "square" else {}
    if isinstance(ceiling, float):
        known = {"ceiling": ceiling * scales}
    return family(level, len(cells), **known, **options)


def last(kind, level, cells):
    run = {"seed": 0, "budget": 5000, "floats": 1000, "workers": Workers(1)}
    return list(looks(numbers(kind, cells), estimand(kind, level, cells), **run))[-1].limits


@pytest.mark.parametrize("kind", KINDS)
def test_limits_of_two_cells_are_those_of_one_at_half_the_level_and_alone_at_all_of_it(kind):
    # A second derivation: each cell is measured by itself, at 5 % and at 10 %. What a run spares itself, stakes and
    # late eigenvalues, may cost it a part of the distance between the two limits, never half of it.
    both = last(kind, 0.1, [0, 1])
    for cell in (0, 1):
        shared, own = last(kind, 0.05, [cell]), last(kind, 0.1, [cell])
        for side in ("lower", "upper"):
            half, whole = getattr(shared, side)[0], getattr(own, side)[0]
            assert abs(getattr(both, side)[cell] - half) < abs(whole - half) / 2
            assert abs(getattr(both, f"{side}_alone")[cell] - whole) < abs(whole - half) / 2
    assert np.all(both.lower < both.lower_alone) and np.all(both.upper_alone < both.upper)


def limits(lower, lower_alone, upper_alone, upper):
    value = np.array([1.0, 1.0])
    sides = (np.array([1.0, side]) for side in (lower, upper, lower_alone, upper_alone))
    return Limits(value, *sides, "certified", "certified")


def test_what_is_violated_rests_on_limits_that_tasks_share_and_what_holds_on_those_of_each():
    below = Question(np.array([1.0, 0.9]), "<=", 0.0, 0.0)
    assert below.outcome(limits(0.85, 0.95, 1.05, 1.1)) == "inconclusive"  # alone, it would be refuted
    assert below.outcome(limits(0.91, 0.95, 1.05, 1.1)) == "violated"
    assert Question(np.array([1.0, 1.07]), "<=", 0.0, 0.0).outcome(limits(0.9, 0.95, 1.05, 1.1)) == "holds"
    above = Question(np.array([1.0, 1.1]), ">=", 0.0, 0.0)
    assert above.outcome(limits(0.9, 0.95, 1.05, 1.15)) == "inconclusive"
    assert above.outcome(limits(0.9, 0.95, 1.05, 1.09)) == "violated"
    assert Question(np.array([1.0, 0.93]), ">=", 0.0, 0.0).outcome(limits(0.9, 0.95, 1.05, 1.1)) == "holds"


@pytest.fixture
def tails(monkeypatch):
    """The probabilities whose quantiles were asked for, of the normal law and of Kolmogorov's."""
    seen = []
    ndtri, kolmogi = scipy.special.ndtri, scipy.special.kolmogi
    monkeypatch.setattr(scipy.special, "kolmogi", lambda p: seen.append(float(p)) or kolmogi(p))
    monkeypatch.setattr(scipy.stats.norm, "isf", lambda p: seen.append(float(p)) or -ndtri(p))
    monkeypatch.setattr(scipy.special, "ndtri", lambda p: seen.append(float(p)) or ndtri(p))
    return seen


def spent(tasks: int, dim: int, tails: list[float], climbs: int) -> float:
    """The false alarms of an audit of tasks: each quantile's probability times the tests that are held against it."""
    unbiased, sigma_g, sigma_H, mirrored, isotropic, gaussian = tails
    points = 2 * 4 * tasks * (1 + 2 * dim)  # both sides, points, tasks; a loss, the components of a gradient, a product
    attacks = 2 * climbs * (sigma_g + sigma_H)  # batches of 1 and 4
    # both sides; an odd and an even function of each component, and the moments of each pair
    return points * unbiased + attacks + 2 * 2 * dim * mirrored + dim * (dim + 1) * isotropic + gaussian


def climbs(tails: list[float], error: float) -> int:
    """The best points, and where a climb from each of them ends, that share a quarter of what samples are tested to:
    five eighths of the error, as three of what is stated have an eighth each.
    """
    return round(error * 5 / 8 / 4 / tails[1] / 2)


def test_the_tests_of_an_audit_share_its_error(tails):
    audit(Quadratic.random(3, 1, 0).with_noise(NOISE), error=0.01, points=16, draws=100)
    assert len(tails) == 6
    assert climbs(tails, 0.01) in range(2, 13)
    assert spent(1, 3, tails, climbs(tails, 0.01)) == pytest.approx(0.01)


def test_support_target_and_estimator_share_it_too(tails):
    tasks = Quadratic.random(3, 1, 0)
    noisy = tasks.with_noise(NOISE)
    audit(FiniteSum(noisy, noisy, 0.0), error=0.01, points=16, draws=100)
    halves = tails[:6], tails[6:]
    assert [round(spent(1, 3, half, climbs(half, 0.005)), 12) for half in halves] == [0.005, 0.005]
    tails.clear()
    audit(noisy, error=0.01, points=16, draws=100, hessian=GaussianSmoothing(0.1, 2))
    assert spent(1, 3, tails[:6], climbs(tails, 0.005)) == pytest.approx(0.005)
    independent, mean, along = tails[6:]
    pairs, components = 1, 3  # the replicates of one task; a vector
    assert 2 * (pairs * independent + components * (mean + along)) == pytest.approx(0.005 * 3 / 4)
