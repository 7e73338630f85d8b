"""Logistic losses far out, where exponentials overflow."""

import numpy as np
import pytest
import scipy

from maml_bench.problems import LogisticLoss
from maml_bench.problems.logistic import falling


def test_the_logistic_function_is_scipys_to_rounding():
    margin = np.concatenate([np.linspace(-1e4, 700, 9999), [-np.inf, 0.0]])
    np.testing.assert_allclose(falling(margin.copy()), scipy.special.expit(-margin), rtol=1e-15, atol=0)
    assert (falling(np.array([700.5, 1e4, np.inf])) < 1e-303).all()
    assert np.isnan(falling(np.array([np.nan]))).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("margin", [-1e4, -800.0, -30.0, 0.0, 30.0, 800.0, 1e4])
def test_derivatives_at_any_margin(margin):
    tasks, w = LogisticLoss(np.array([[[2.0]]]), np.array([[-1.0]])), np.array([-margin / 2])
    p, q = scipy.special.expit(margin), scipy.special.expit(-margin)
    np.testing.assert_allclose(tasks.grad(w), [[2 * q]], rtol=1e-15, atol=1e-303)
    np.testing.assert_allclose(tasks.hvp(w, np.array([3.0])), [[12 * p * q]], rtol=1e-15, atol=1e-303)
    np.testing.assert_allclose(tasks.hess(w), [[[4 * p * q]]], rtol=1e-15, atol=1e-303)
