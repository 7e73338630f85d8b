import numpy as np
import pytest
from scipy import stats

from maml_bench.algorithms import replay
from maml_bench.algorithms.few_shot import DigitsTrial
from maml_bench.algorithms.programs import METHODS, RELEASED_RANK_ONE
from maml_bench.algorithms.race import STEP_SIZES
from maml_bench.algorithms.seeds import best, blocks, checkpoints, generators, row
from maml_bench.algorithms.trials import HELD_OUT, Trial, adaptation, fits, measure, pair, runs, start
from maml_bench.problems.sine import NETWORK, SineRegression

RELEASED = tuple(sorted(RELEASED_RANK_ONE))


def trial(deviations=(), **options):
    return Trial("rank-one", deviations, **{"iterations": 6, "nus": (0.05, 0.1), "tuning": 2} | options)


def one(rows, quantity, **wanted):
    (found,) = [r for r in rows if r["quantity"] == quantity and wanted.items() <= r.items()]
    return found


def test_a_row_has_students_limits():
    values = np.random.default_rng(0).standard_normal(12)
    found = row("loss", values, method="ggs")
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.99)
    assert (found["lower"], found["upper"]) == pytest.approx(tuple(interval))
    assert found["value"] == pytest.approx(values.mean())
    assert found["method"] == "ggs" and found["replicates"] == 12


def test_limits_of_rows_miss_the_mean_in_one_of_a_hundred():
    # Of 4000 rows about 40 miss; 15 and 75 are further than 4 standard deviations, whatever the seed.
    values = np.random.default_rng(1).standard_normal((4000, 6))
    found = [row("x", sample) for sample in values]
    assert 15 < sum(not r["lower"] < 0 < r["upper"] for r in found) < 75


def test_a_diverged_seed_is_counted_and_takes_the_value_with_it():
    found = row("loss", np.array([1.0, np.inf, np.nan]))
    assert found["diverged"] == 2 and "value" not in found
    assert row("loss", np.array([2.0, 2.0]))["lower"] == 2.0


def test_the_best_cell_has_the_least_mean_and_no_diverged_seed():
    scores = np.array([[[1.0, 3.0], [0.0, np.nan]], [[1.0, 2.0], [5.0, 5.0]]])
    assert best(scores) == (1, 0)
    assert best(np.full((2, 2), np.nan)) == (0,)


def test_blocks_and_checkpoints():
    assert blocks(60, 25) == [(0, 25), (1, 25), (2, 10)]
    assert checkpoints(2000)[[0, -1]].tolist() == [1, 2000]
    assert checkpoints(3).tolist() == [1, 2, 3]


@pytest.mark.parametrize("deviations", [(), RELEASED], ids=["specified", "released"])
@pytest.mark.parametrize("method", METHODS)
def test_runs_of_a_grid_are_the_replays_of_its_cells(method, deviations):
    cell, betas, nus = trial(deviations), (0.003, 0.01), (0.05, 0.1)
    losses, w = runs(cell, method, betas, nus, seed=3, block=0, seeds=2)
    data, draws = generators(3, 0, 2)
    first = start(cell, data, 2)
    pairs = [pair(cell, data, 2, 10, collapsed=False) for _ in range(6)]
    support, target = (np.stack([tasks.x for tasks in side]) for side in zip(*pairs, strict=True))
    directions = np.stack([draws.standard_normal((2, 10, 3, 10, 20)) for _ in range(6)])
    for (i, nu), (j, beta) in ((a, b) for a in enumerate(nus) for b in enumerate(betas)):
        numbers = {"protocol": set(deviations), "alpha": 0.01, "beta": beta, "nu": nu}
        arrays = {"w": first, "support": support, "target": target, "directions": directions}
        expected, end = replay.rank_one(method, **arrays, **numbers)
        np.testing.assert_allclose(losses[:, i, j], expected / 10, rtol=1e-11)
        np.testing.assert_allclose(w[i, j], end, rtol=1e-11)


def test_sine_runs_are_replays():
    cell = Trial("sine", ("fixed-directions",), iterations=2, tasks=2, directions=3, steps=2, alpha=0.01)
    losses, w = runs(cell, "ggs", (1e-3,), (0.01,), seed=0, block=4, seeds=1)
    data, draws = generators(0, 4, 2)
    first = start(cell, data, 1)
    pairs = [pair(cell, data, 1, 2, collapsed=False) for _ in range(2)]
    x, y = (np.stack([np.concatenate([getattr(t, k) for t in both], -1) for both in pairs]) for k in ("x", "y"))
    arrays = {"w": first, "x": x, "y": y, "support": 10, "directions": draws.standard_normal((1, 2, 2, 3, 1761))}
    expected, end = replay.sine("ggs", protocol=cell.deviations, **arrays, alpha=0.01, beta=1e-3, nu=0.01)
    np.testing.assert_allclose(losses[:, 0, 0], expected / 2, rtol=1e-11)
    np.testing.assert_allclose(w[0, 0], end, rtol=1e-8, atol=1e-12)


def test_steps_and_radii_are_chosen_from_even_grids():
    """Of a grid every value is as far from the next one, in its logarithm: none is missing, none is beside it."""
    grids = (Trial("sine").nus, STEP_SIZES, DigitsTrial("tuned", ()).alphas, DigitsTrial("tuned", ()).betas)
    for grid, factor in zip(grids, (10, 3.16, 3.16, 3.16), strict=True):
        assert len(grid) >= 3
        assert np.diff(np.log(grid)) == pytest.approx(np.log(factor), rel=0.06)


def test_rows_are_paired_and_do_not_depend_on_workers():
    cell = trial(methods=("maml", "first-order"))
    rows = measure(cell, seed=1, budget=5, workers=1, block=2)
    assert rows == measure(cell, seed=1, budget=5, workers=2, block=2)
    ends = {}
    for method in cell.methods:
        parts = [runs(cell, method, (0.003,), (0.05,), 1, *part) for part in blocks(5, 2)]
        ends[method] = np.concatenate([losses[-1, 0, 0] for losses, _ in parts])
        w = np.concatenate([w[0, 0] for _, w in parts])
        assert one(rows, "held-out loss", method=method)["value"] == pytest.approx(adaptation(cell, w, 1, 3)[3].mean())
        assert one(rows, "loss", method=method, iteration=6)["value"] == pytest.approx(ends[method].mean())
    gap = one(rows, "final loss, minus that of maml")
    interval = stats.ttest_rel(ends["first-order"], ends["maml"]).confidence_interval(0.99)
    assert (gap["lower"], gap["upper"]) == pytest.approx(tuple(interval))


def test_step_size_and_radius_are_chosen_on_other_seeds():
    cell = trial(("aliased-difference",), betas=(1e-3, 3e-3), nus=(1e-6, 0.1), methods=("ggs",))
    rows = measure(cell, seed=0, budget=2)
    assert one(rows, "final loss")["nu"] == 0.1  # the aliased difference divides by nu what does not vanish with it
    assert measure(trial(methods=("ggs",)), seed=0, budget=2)[0]["beta"] == 0.003


def test_all_seeds_may_diverge():
    rows = measure(trial(methods=("maml", "ggs"), betas=(1e6,)), seed=0, budget=3)
    assert one(rows, "final loss", method="ggs")["diverged"] == 3
    assert one(rows, "held-out loss, minus that of maml")["diverged"] == 3


def test_adaptation_and_fits_by_hand():
    rng = np.random.default_rng(0)
    cell = Trial("sine", alpha=0.01)
    w = NETWORK.initial(rng, (2,))
    support, target = pair(cell, generators(5, HELD_OUT, 1)[0], 1, 4, collapsed=False)
    found = adaptation(cell, w, 5, 2, tasks=4)
    x = np.linspace(-5, 5, 10)
    curve = SineRegression(x, 3 * np.sin(x - 1))
    inputs = np.array([0.5, 2.0])
    for k in range(2):
        losses = []
        for i in range(4):
            point = w[k]
            for _ in range(2):
                point = point - 0.01 * support[0, i].grad(point)
            losses.append(target[0, i].loss(point))
        assert found[2, k] == pytest.approx(np.mean(losses))
        point = w[k]
        for _ in range(3):
            point = point - 0.01 * curve.grad(point)
        expected = NETWORK.value(point, inputs[:, None])[:, 0]
        np.testing.assert_allclose(fits(cell, w, inputs)[:, k], expected, rtol=1e-9)
    # From a run: a curve for every method, and ten inner steps.
    rows = measure(Trial("sine", methods=("first-order",), iterations=1, tasks=2, tuning=1), seed=0, budget=1)
    assert [r["step"] for r in rows if r["quantity"] == "loss after adaptation"] == list(range(11))
    assert len([r for r in rows if r["quantity"] == "fit"]) == 41
