import numpy as np
import pytest

from maml_bench.algorithms.few_shot import DigitsTrial, constants, judged, measure, setting, split
from maml_bench.algorithms.outer_loop import train

SMALL = {"iterations": 5, "dim": 4, "tasks": 3, "alphas": (1.0,), "betas": (0.1, 1e9)}


def one(rows, quantity, **wanted):
    (found,) = [r for r in rows if r["quantity"] == quantity and wanted.items() <= r.items()]
    return found


def test_no_pair_of_digits_is_learned_from_and_judged_on():
    trial = DigitsTrial("theorem", ("maml",), **SMALL)
    parts = split(trial, 0)
    assert [len(part.b_i) for part in parts] == [25, 10, 10]
    # Tasks with the same pair of digits share their class means; every task has another.
    means = np.concatenate([part.target.signed.mean(-2) for part in parts])
    assert len(np.unique(means.round(12), axis=0)) == 45


def test_judged_by_hand():
    tasks = split(DigitsTrial("theorem", ("maml",), **SMALL), 1)[2]
    w = np.random.default_rng(0).standard_normal(4)
    found = judged(tasks, w, 0.5, 2)
    for steps in range(3):
        right, loss = [], []
        for i in range(10):
            point = w
            for _ in range(steps):
                margin = tasks.support.y[i] * (tasks.support.X[i] @ point)
                point = point - 0.5 * (0.1 * point - (tasks.support.signed[i] / (1 + np.exp(margin))[:, None]).mean(0))
            margin = tasks.target.y[i] * (tasks.target.X[i] @ point)
            right += list(margin > 0)
            loss.append(np.log1p(np.exp(-margin)).mean() + 0.05 * point @ point)
        assert (found[0][steps], found[1][steps]) == pytest.approx((np.mean(right), np.mean(loss)))


def test_step_sizes_of_the_theorem():
    trial = DigitsTrial("theorem", ("maml",), **SMALL)
    tasks = split(trial, 0)[0]
    chosen = setting(trial, tasks, "maml", None)
    assert chosen.inner.alpha * 8 * 3 * tasks.regularity.L == pytest.approx(1)
    assert chosen.outer.C_beta == 100
    tuned = setting(trial, tasks, "ggs-maml", (2.0, 0.3))
    assert (tuned.inner.alpha * tasks.regularity.L, tuned.outer.beta) == pytest.approx((2.0, 0.3))


def test_certified_constants_bound_what_is_measured_on_a_path():
    trial = DigitsTrial("theorem", ("maml",), **SMALL)
    tasks = split(trial, 0)[0]
    for w in (np.zeros(4), 3 * np.random.default_rng(0).standard_normal(4)):
        ratios = constants(tasks, w, 0.5, 3)
        assert all(0 < ratio <= 1 + 1e-9 for ratio in ratios.values())
    assert constants(tasks, np.zeros(4), 0.5, 3)["L"] == pytest.approx(1)  # attained at 0


def test_measured_constants_by_hand():
    """Two tasks in the plane: curvature along the path, the two losses' distance there, and the spread at w alone."""
    tasks, w, alpha = split(DigitsTrial("theorem", ("maml",), **SMALL), 2)[0][:2], np.array([0.5, -1.0, 2.0, 0.1]), 0.7
    largest, apart, slopes = [], [], []
    for i in range(2):
        sides = [(loss.signed[i], 0.1) for loss in (tasks.support, tasks.target)]

        def grad(side, point):
            signed, ridge = side
            return ridge * point - (signed / (1 + np.exp(signed @ point))[:, None]).mean(0)

        point = w
        slopes.append(grad(sides[1], w))
        for _ in range(3):
            odds = sides[0][0] @ point
            weights = 1 / (1 + np.exp(odds)) / (1 + np.exp(-odds))
            hess = 0.1 * np.eye(4) + (sides[0][0].T * weights) @ sides[0][0] / len(weights)
            largest.append(np.linalg.eigvalsh(hess).max())
            apart.append(np.linalg.norm(grad(sides[0], point) - grad(sides[1], point)) / tasks.b_i[i])
            point = point - alpha * grad(sides[0], point)
    found = constants(tasks, w, alpha, 2)
    spread = np.linalg.norm(slopes[0] - slopes[1]) / 2
    expected = {"L": max(largest) / tasks.regularity.L, "b_i": max(apart), "sigma": spread / tasks.regularity.sigma}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("rule", ["theorem", "tuned"])
def test_rows_are_of_runs_on_splits_that_did_not_choose_the_step(rule):
    trial = DigitsTrial(rule, ("maml", "fo-maml"), **SMALL)
    rows = measure(trial, seed=3, budget=2)
    assert rows == measure(trial, seed=3, budget=2, workers=2)
    accuracies = []
    for seed in (4, 5):
        learn, _, held = split(trial, seed)
        chosen = setting(trial, learn, "maml", (1.0, 0.1) if rule == "tuned" else None)
        accuracies.append(judged(held, train(chosen, 1, seed).w[0], chosen.inner.alpha, 3)[0][3])
    found = one(rows, "accuracy after adaptation", method="maml")
    assert found["value"] == pytest.approx(np.mean(accuracies))
    assert found.get("beta") == (0.1 if rule == "tuned" else None)  # a step size of 1e9 is not the best
    assert one(rows, "accuracy", method="maml", step=3)["value"] == found["value"]
    assert "value" in one(rows, "loss after adaptation, minus that of maml")


def test_a_run_that_diverges_is_counted():
    trial = DigitsTrial("tuned", ("maml",), **SMALL | {"betas": (1e300,), "iterations": 30})
    rows = measure(trial, seed=0, budget=2)
    assert one(rows, "accuracy after adaptation")["diverged"] == 2
