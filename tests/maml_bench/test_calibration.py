"""Limits against known truths: a truth that is moved out of reach is noticed, and the true one is not."""

import numpy as np
import pytest
from zoo import at

from maml_bench import claims
from maml_bench.calibration import errors, known, wrong
from maml_bench.effort import Effort
from maml_bench.problems import AdditiveGaussian, Quadratic

SURE = Effort(seed=0, confidence=1 - 1e-6, budget=4096)


def concave(rng):
    """Three noisy steps; the first moment of their error is attained in one dimension by no Gaussian noise."""
    tasks = Quadratic.concave(int(rng.integers(1, 3))).with_noise(AdditiveGaussian(1.0))
    return at(tasks, 1.0, 0.1, 3)


@pytest.mark.parametrize(("factor", "excluded"), [(1.0, None), (2.0, "holds"), (0.5, "violated")])
def test_limits_that_exclude_the_truth_are_counted_on_their_side(factor, excluded):
    claim, case, truth = known(["prop2-second"], concave, np.random.default_rng(0))
    assert claim is claims.get("prop2-second", claims.forms("prop2-second")[-1])
    found = wrong(claim, case, factor * truth, SURE)
    assert {kind for (kind, _), out in found.items() if out} == ({excluded} - {None})
    assert {evidence for _, evidence in found} <= {"certified", "asymptotic"}


def test_only_claims_that_apply_and_are_known_are_drawn():
    rng = np.random.default_rng(0)
    drawn = {known(["prop2-second", "prop7-vector", "thm1"], concave, rng)[0].name for _ in range(5)}
    assert drawn == {"prop2-second"}  # of the others one needs directions, one a run


def test_rows_count_instances_at_a_level():
    rows = list(errors(["prop2-second"], concave, (64,))(1e-5, seed=0, budget=3, workers=1))
    assert {row["quantity"] for row in rows} == {"wrongly violated", "wrongly holds"}
    assert sum(row["runs"] for row in rows) == 2 * 3
    assert all(row["wrong"] == 0 and row["lower"] == 0 < row["upper"] < 1 for row in rows)
    assert all(row["level"] == row["bound"] == 1e-5 for row in rows)
