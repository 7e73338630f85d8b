"""A quadratic whose Hessian estimators have moments known by hand, and draws of an estimator."""

import numpy as np

from maml_bench.problems import AdditiveGaussian, Quadratic

SEED = 20260
A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.4]])
V = np.array([0.3, -1.0, 0.7])
T1, T2 = np.trace(A), np.trace(A @ A)


def quadratic(sigma_g=0.0):
    tasks = Quadratic(A, np.array([0.2, -0.1, 0.5]))
    return tasks.with_noise(AdditiveGaussian(sigma_g)) if sigma_g else tasks


def draws(estimator, tasks, v=V, replicates=20_000, D=1, w=V):
    """Independent values of the estimated Hessian times v at w, shape (replicates, d)."""
    points = np.broadcast_to(w, (replicates, len(w)))
    return estimator.operator(tasks, points, D, np.random.default_rng(SEED))(v)
