"""Any family, gathered by an array of indices, does in each place what the task of that index does by itself."""

import numpy as np
import pytest
import zoo

REPLICATES, B, TASKS, DIM = 3, 4, 5, 3


FAMILIES = zoo.losses(DIM, TASKS)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("of_each_slot", [True, False])
def test_values(name, of_each_slot):
    tasks, rng = FAMILIES[name], np.random.default_rng(1)
    index = rng.integers(TASKS, size=(REPLICATES, B))
    gathered = tasks[index]
    assert gathered.batch_shape == index.shape
    w, v = rng.standard_normal((2, REPLICATES, B if of_each_slot else 1, tasks.dim)) / 2
    calls = {"loss": (w,), "grad": (w,), "hvp": (w, v), "hess": (w,)}
    for call, arguments in calls.items():
        values = getattr(gathered, call)(*arguments)
        for place in np.ndindex(index.shape):
            one = tasks[int(index[place])]
            own = (np.broadcast_to(x, (REPLICATES, B, tasks.dim))[place] for x in arguments)
            np.testing.assert_allclose(values[place], getattr(one, call)(*own), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_place_has_data_of_its_own(name):
    tasks, rng = FAMILIES[name], np.random.default_rng(2)
    gathered = tasks[np.zeros((REPLICATES, B), dtype=int)]
    sample = gathered.sample(rng, np.zeros((REPLICATES, 1, tasks.dim)), 2)
    gradients = gathered.grad(np.full((REPLICATES, 1, tasks.dim), 0.3), sample)
    assert gradients.shape == (REPLICATES, B, tasks.dim)
    distinct = len(np.unique(gradients.reshape(-1, tasks.dim), axis=0))
    assert distinct == 1 if sample is None else distinct > 1
