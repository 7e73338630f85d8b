"""Proposition 1: the search for a supremum against suprema that are known."""

import numpy as np
import pytest
from zoo import at

from maml_bench import check, claims
from maml_bench.claims import smoothness
from maml_bench.claims.constants import constants
from maml_bench.problems import FAMILIES, AdditiveGaussian, Kink, Quadratic, RankOne, Trigonometric
from maml_bench.problems.piecewise import Piecewise


def test_one_step_on_a_quadratic_by_hand():
    # The meta gradient is (I - A/2) grad l(w - grad l(w)/2), with the Hessian (I - A/2) A (I - A/2): diag(2, -1)
    # becomes diag(0, -2.25), diag(1, 3) becomes diag(0.25, 0.75). The mean over both tasks is diag(0.125, -0.75).
    tasks = Quadratic([np.diag([2.0, -1.0]), np.diag([1.0, 3.0])], np.zeros(2))
    setting = at(tasks, np.array([1.0, 2.0]), 0.5, 1)
    verdict = check("prop1", setting)
    assert verdict.method == "exact"
    assert verdict.value == pytest.approx(0.75)
    # L = 3 and rho = 0: the bound is (1 + 3/2)^2 3.
    assert verdict.bound == pytest.approx(18.75)


@pytest.mark.parametrize("seed", range(5))
def test_the_search_finds_the_supremum_of_a_quadratic(seed):
    tasks = Quadratic.random(6, 3, seed).with_noise(AdditiveGaussian(1.0))
    setting = at(tasks, 1.0, 0.2, 3)
    exact, found = (check("prop1", setting, method=method) for method in ("exact", "search"))
    assert (exact.method, found.method) == ("exact", "search")
    assert found.value == pytest.approx(exact.value, rel=1e-9)


@pytest.mark.parametrize(("method", "outcome"), [("exact", "holds"), ("search", "not refuted")])
def test_the_concave_quadratic_attains_the_bound(method, outcome):
    setting = at(Quadratic.concave(3, curvature=2.0), 1.0, 0.1, 4)
    for form in claims.forms("prop1"):
        assert check("prop1", setting, form=form, method=method).ratio == pytest.approx(1, abs=1e-9)
        assert check("prop1", setting, form=form, method=method).outcome == outcome
        assert check(claims.get("prop1", form).scaled(0.99), setting, method=method).outcome == "violated"


@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_a_fine_grid_finds_in_one_variable(seed):
    setting = at(Trigonometric.random(1, 3, seed), 1.0, 0.3, 4)
    grid = np.linspace(-40, 40, 100_000)[:, None]
    assert smoothness.largest_ratio(setting) >= smoothness.ratios(setting, grid).max() * (1 - 1e-6)


def test_the_local_limit_is_found_where_it_is_the_supremum():
    # A kink: 1 - alpha L > 0, so the curvature of the meta objective is largest far from the kink, where w already is.
    tasks = Kink(np.zeros((1, 1)), np.zeros((1, 1)), rho=1.0, radius=1.0)
    setting = at(tasks, 5.0, 0.1, 2)
    assert check("prop1", setting).value == pytest.approx(0.9**4)


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"logistic"}))
def test_no_family_exceeds_the_bound(name):
    tasks = FAMILIES[name].random(3, 4, 0)
    w = 0.3 * np.ones(3)
    verdict = check("prop1", at(tasks, w, 0.1, 3))
    assert verdict.outcome == ("holds" if name == "quadratic" else "not refuted")
    assert verdict.value > 0


def test_the_constant_of_the_bound_is_taken_at_w():
    tasks = Trigonometric.random(3, 4, 0)
    w = np.array([0.5, -1.0, 2.0])
    setting = at(tasks, w, 0.1, 3)
    sizes = [np.linalg.norm(tasks[i].grad(w)) for i in range(4)]
    values = constants(setting, ["task_grad_norm", "task_grad_rms"])
    assert values["task_grad_norm"] == pytest.approx(np.mean(sizes))
    assert values["task_grad_rms"] == pytest.approx(np.sqrt(np.mean(np.square(sizes))))


def test_a_certificate_on_a_ball_limits_the_search_and_the_point():
    tasks = RankOne.random(3, 2, 0, radius=1.5)
    w = np.array([1.0, 0.0, 0.0])
    setting = at(tasks, w, 0.02, 2)
    inside, beyond = smoothness.ratios(setting, np.array([[1.4, 0.0, 0.0], [1.6, 0.0, 0.0]]))
    assert inside > 0
    assert beyond == 0
    assert check("prop1", setting).outcome == "not refuted"
    far = check("prop1", at(tasks, 2 * w, 0.02, 2))
    assert far.outcome == "not applicable"
    assert "ball of radius 1.5" in far.reason
    # w is inside, and so is the first step, but the step is so long that the second one is not.
    steep = check("prop1", at(tasks, 1.4 * w, 2.0, 2))
    assert "ball of radius 1.5" in steep.reason


def test_what_cannot_be_asked():
    setting = at(Trigonometric.random(2, 2, 0), 1.0, 0.1, 2)
    with pytest.raises(ValueError, match="method = 'monte-carlo': prop1"):
        check("prop1", setting, method="monte-carlo")
    with pytest.raises(ValueError, match="method = 'exact'.*prop1"):
        check("prop1", setting, method="exact")
    with pytest.raises(ValueError, match="method = 'search': prop2-first"):
        check("prop2-first", setting, method="search")
    pairs = at(FAMILIES["logistic"].random(2, 2, 0), 1.0, 0.1, 2)
    assert "one loss each" in check("prop1", pairs).reason


def asked(setting, monkeypatch):
    """The largest ratio, and how many points were looked at for it."""
    original, counts = smoothness.changes, []
    monkeypatch.setattr(smoothness, "changes", lambda setting, u: counts.append(len(u)) or original(setting, u))
    return smoothness.largest_ratio(setting)[0], sum(counts)


def test_a_search_in_high_dimension_is_affordable(monkeypatch):
    """300 dimensions and ten tasks: what counts is the number of meta gradients, a few thousand at most."""
    found, points = asked(at(Trigonometric.random(300, 10, 0), 0.1, 0.05, 3), monkeypatch)
    assert found > 0.5369
    assert points < 3000


def test_a_search_in_low_dimension_spends_what_it_has(monkeypatch):
    """Eight thousand points, and as many again for climbing; hundreds where they are numbers of many tasks."""
    for count, least, most in ((3, 8000, 20_000), (2000, 256, 2000)):
        _, points = asked(at(Trigonometric.random(3, count, 0), 0.1, 0.05, 1), monkeypatch)
        assert least <= points <= most, points
        monkeypatch.undo()


@pytest.mark.parametrize("floats", [1, 100, 10**6])
def test_points_are_looked_at_in_blocks(floats, monkeypatch):
    """Of as many numbers as are allowed over all tasks, one point at least; the changes are those of single points."""
    setting = at(Trigonometric.random(3, 4, 0), 0.1, 0.05, 2)
    points = np.random.default_rng(0).standard_normal((50, 3))
    alone = np.concatenate([smoothness.changes(setting, point[None]) for point in points])
    original, blocks = smoothness.exact_meta_gradient, []
    monkeypatch.setattr(smoothness, "FLOATS", floats)
    monkeypatch.setattr(
        smoothness, "exact_meta_gradient", lambda tasks, w, *rest: blocks.append(len(w)) or original(tasks, w, *rest)
    )
    np.testing.assert_allclose(smoothness.changes(setting, points), alone, rtol=1e-12, atol=1e-14)
    fit = max(1, floats // (3 * 4))
    assert max(blocks) == min(fit, 50) and sum(blocks) == 50


def test_rounding_counts_the_numbers_that_a_gradient_is_made_of():
    """Far knots make large numbers in a gradient that is small itself."""
    far = Piecewise.sawtooth(0.1, 1, 1.0, 1e-3)
    moved = Piecewise(far.knots + 1e3, far.values, far.slope, far.order)
    setting = at(moved, 0.0, 0.1, 1)
    assert smoothness.rounding_of_change(setting) >= 16 * np.finfo(float).eps * moved.regularity.L * 1e3
