import numpy as np
import pytest

from maml_bench.algorithms.policies import PolicyTrial, measure, run
from maml_bench.algorithms.seeds import generators
from maml_bench.hessians import ExactHessian, GaussianSmoothing, ZerothOrder

SMALL = {"iterations": 4, "tasks": 3, "episodes": 4, "horizon": 6, "directions": 3, "betas": (0.3,)}


def one(rows, quantity, **wanted):
    (found,) = [r for r in rows if r["quantity"] == quantity and wanted.items() <= r.items()]
    return found


def test_methods_have_the_estimators_of_their_names():
    def hessian(method, **options):
        return PolicyTrial("bandit", method, **options).hessian

    assert hessian("maml") == ExactHessian()
    assert hessian("ggs-maml", nu=0.3) == GaussianSmoothing(0.3, 10, "resampled")
    assert hessian("zo-maml", nu=0.3, exact=True) == ZerothOrder(0.3, 10, data="population")
    assert hessian("es-maml") == ZerothOrder(1e-2, 10, baseline="mean")


def test_records_of_the_control_are_exact():
    # At w = 0 the policy is uniform: the loss is minus the mean reward, whatever is drawn afterwards.
    trial = PolicyTrial("bandit", "maml", **SMALL)
    records = run(trial, (0.3,), seed=2, block=0, seeds=5)
    (data, _) = generators(2, 0, 2)
    trial.start(data, 5)
    tasks = trial.draw(data, (5,))
    np.testing.assert_allclose(records["before"][0, 0], -tasks.rewards.mean((-2, -1)), rtol=1e-12)
    centred = tasks.rewards - tasks.rewards.mean(-1, keepdims=True)
    # The gradient there is -(r - mean r)/5 and the Hessian is known, so one adapted step is, too.
    adapted = 0.1 * centred / 5
    policy = np.exp(adapted) / np.exp(adapted).sum(-1, keepdims=True)
    np.testing.assert_allclose(records["after"][0, 0], -(policy * tasks.rewards).sum(-1).mean(-1), rtol=1e-12)


@pytest.mark.parametrize("method", ["maml", "fo-maml", "ggs-maml", "zo-maml", "es-maml"])
@pytest.mark.parametrize("problem", ["bandit", "navigation"])
def test_every_method_runs_and_rows_do_not_depend_on_workers(problem, method):
    trial = PolicyTrial(problem, method, nu=0.3, **SMALL)
    rows = measure(trial, seed=0, budget=3, workers=1, block=2)
    assert rows == measure(trial, seed=0, budget=3, workers=2, block=2)
    assert [r["iteration"] for r in rows if r["quantity"] == "after" and "iteration" in r] == [1, 2, 3, 4]
    last = one(rows, "hessian, last")
    assert last["value"] == 0 if method == "fo-maml" else last["value"] > 0
    assert last["value"] == one(rows, "hessian", iteration=4)["value"]


def test_noise_of_losses_and_not_eq_17_makes_the_large_hessian_of_the_control():
    # Twenty replicates of one meta-iteration: the ratio is of the order of 1e3, far from 20.
    norms = {}
    for exact in (True, False):
        trial = PolicyTrial("bandit", "zo-maml", exact=exact, **SMALL | {"iterations": 1, "directions": 10})
        norms[exact] = one(measure(trial, seed=1, budget=20), "hessian, last")["value"]
    assert norms[True] < 1
    assert norms[False] > 20


def test_a_run_that_leaves_the_numbers_is_counted():
    trial = PolicyTrial("navigation", "maml", **SMALL | {"betas": (1e9,)})
    rows = measure(trial, seed=0, budget=2)
    assert one(rows, "after", iteration=1)["diverged"] == 0
    assert one(rows, "after, last")["diverged"] == 2 and "value" not in one(rows, "after, last")


def test_the_meta_step_size_is_the_best_on_other_seeds():
    trial = PolicyTrial("navigation", "fo-maml", **SMALL | {"betas": (1e9, 0.1)})
    assert measure(trial, seed=0, budget=2)[0]["beta"] == 0.1


def test_the_released_network_is_measured_where_it_starts():
    trial = PolicyTrial("navigation-relu", "ggs-maml", nu=0.3, **SMALL | {"iterations": 1, "horizon": 2})
    assert one(measure(trial, seed=0, budget=2), "hessian", iteration=1)["value"] > 0


@pytest.mark.by_chance(1e-6)
def test_a_policy_is_adapted_downhill():
    # 30 seeds; the change of the loss is about ten standard errors from 0, whatever the seed.
    trial = PolicyTrial("navigation", "fo-maml", iterations=1, tasks=4, episodes=20, horizon=30, alpha=1.0)
    records = run(trial, (0.1,), seed=0, block=0, seeds=30)
    change = records["after"][0, 0] - records["before"][0, 0]
    assert change.mean() < -5 * change.std() / np.sqrt(30)
