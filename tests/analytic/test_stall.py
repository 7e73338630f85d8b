"""What zeroth-order Hessians add to the meta gradient, on tasks of cosines whose smoothing is exact."""

import numpy as np
import pytest

from analytic import bound


class Cosines:
    """Random problems of three tasks w.Aw/2 - b.w + sum_k a_k cos(v_k.w + phi_k) in the plane; smoothing is exact."""

    def __init__(self, count, seed, steps, fraction, nu):
        rng = np.random.default_rng(seed)
        basis = rng.normal(size=(count, 1, 2, 2)) * 10 ** rng.uniform(-1, 0, (count, 1, 1, 1))
        self.A = basis + np.swapaxes(basis, -1, -2)
        self.b, self.phase = rng.normal(size=(count, 3, 2)), rng.uniform(0, 2 * np.pi, (count, 3, 2))
        self.a = rng.normal(size=(count, 3, 2)) * 10 ** rng.uniform(-2, 0, (count, 1, 1))
        self.v = rng.normal(size=(count, 3, 2, 2)) * 10 ** rng.uniform(-0.5, 0.3, (count, 1, 1, 1))
        self.w, self.steps, self.nu = rng.normal(size=(count, 2)), steps, nu
        size = np.linalg.norm(self.v, axis=-1)
        largest = lambda power: (np.abs(self.a) * size**power).sum(-1).max(1)
        self.L, self.rho = np.linalg.norm(self.A[:, 0], 2, axis=(1, 2)) + largest(2), largest(3)
        self.alpha = fraction * rng.uniform(0.1, 1, count) / (steps * self.L)

    def _angle(self, w):
        return np.vecdot(self.v, w[:, :, None]) + self.phase

    def grad(self, w):
        waves = np.einsum("nik,nikd->nid", self.a * np.sin(self._angle(w)), self.v)
        return np.matvec(self.A, w) - self.b - waves

    def hess(self, w, damped=1.0):
        return self.A - np.einsum("nik,nikd,nike->nide", self.a * damped * np.cos(self._angle(w)), self.v, self.v)

    def excess(self, w):
        """(l_nu - l)/nu^2"""
        waves = self.a * np.cos(self._angle(w)) * np.expm1(-((self.nu * np.linalg.norm(self.v, axis=-1)) ** 2) / 2)
        return np.trace(self.A, axis1=-2, axis2=-1) / 2 + waves.sum(-1) / self.nu**2

    def measured(self):
        """The shift, the meta gradient, its mean under the estimator, the factor; and the constants."""
        start = np.repeat(self.w[:, None], 3, 1)
        step = self.alpha[:, None, None]
        damped = np.exp(-((self.nu * np.linalg.norm(self.v, axis=-1)) ** 2) / 2)
        path = [start]
        for _ in range(self.steps):
            path.append(path[-1] - step * self.grad(path[-1]))
        exact = estimated = self.grad(path[-1])
        for point in path[-2::-1]:
            exact = exact - step * np.matvec(self.hess(point), exact)
            shift = self.excess(point)[..., None] * estimated
            estimated = estimated - step * (np.matvec(self.hess(point, damped), estimated) + shift)
        t, gradient = self.excess(start), self.grad(start)
        mean = t.mean(1, keepdims=True)
        kappa = (1 - self.alpha * mean[:, 0]) ** self.steps
        shift = np.linalg.norm(estimated.mean(1) - kappa[:, None] * exact.mean(1), axis=1)
        norms = np.linalg.norm(gradient, axis=-1)
        constants = {
            "alpha": self.alpha, "steps": self.steps, "L": self.L, "rho": self.rho, "nu": self.nu, "dim": 2,
            "trace_spread": t.std(1), "task_grad_norm": norms.mean(1), "task_grad_rms": np.sqrt((norms**2).mean(1)),
            "trace_covariance": np.linalg.norm(((t - mean)[..., None] * gradient).mean(1), axis=1),
        }  # fmt: skip
        return shift, exact.mean(1), estimated.mean(1), kappa, constants


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize(("fraction", "nu"), [(1.0, 0.5), (0.1, 3.0), (0.01, 1e-3), (2.0, 0.05)])
def test_no_problem_exceeds_the_shift(steps, fraction, nu):
    shift, _, _, _, constants = Cosines(4000, steps, steps, fraction, nu).measured()
    limit = bound("zo-shift", "local")(**constants)
    assert np.all(shift <= limit * (1 + 1e-9))
    if steps == 1:
        assert (shift / limit).max() > 0.3


@pytest.mark.parametrize("steps", [1, 4])
def test_the_covariance_of_trace_and_gradient_is_attained_as_the_step_vanishes(steps):
    shift, _, _, _, constants = Cosines(500, 8, steps, 1e-6, 1e-6).measured()
    limit = bound("zo-shift", "local")(**constants)
    usual = constants["trace_covariance"] > 0.1 * constants["trace_spread"] * constants["task_grad_rms"]
    assert usual.sum() > 200
    first = constants["alpha"] * steps * constants["trace_covariance"]
    assert shift[usual] == pytest.approx(first[usual], rel=1e-2)
    assert np.all(shift[usual] > 0.95 * limit[usual])


def test_the_bound_by_hand():
    p = {
        "alpha": 0.1,
        "steps": 2,
        "L": 1.0,
        "rho": 0.7,
        "nu": 0.3,
        "dim": 4,
        "task_grad_norm": 2.0,
        "task_grad_rms": 3.0,
    }
    p |= {"trace_spread": 0.5, "trace_covariance": 0.4}
    q, q_c = 1.1, 1.1 * 1.2
    M, Y = q_c * q**2, 0.1 * (0 + 1)
    h = min(2.0, 0.7 * 0.3 * 1.8799712059732503)  # E||u|| = sqrt(2) Gamma(5/2)/Gamma(2)
    expected = 0.2 * (0.4 + 0.5 * (M - 1) * 3) + 0.1 * M * 1.4 * Y * 9 + 0.2 * M * (h + 0.2) * 2
    assert bound("zo-shift", "local")(**p) == pytest.approx(expected, rel=1e-12)


def test_a_run_stalls_at_the_covariance_over_the_factor():
    # convex tasks of one random draw: gradient descent on the mean of the estimator ends where that vanishes
    problem = Cosines(40, 3, 3, 0.05, 1e-2)
    problem.A, problem.a = np.broadcast_to(np.eye(2), problem.A.shape), 0.1 * problem.a
    size = np.linalg.norm(problem.v, axis=-1)
    largest = lambda power: (np.abs(problem.a) * size**power).sum(-1).max(1)
    problem.L, problem.rho = 1 + largest(2), largest(3)
    for _ in range(400):
        _, exact, estimated, kappa, constants = problem.measured()
        problem.w = problem.w - estimated / (2 * problem.L[:, None])
    settled = np.linalg.norm(estimated, axis=1) < 1e-12
    assert settled.sum() > 20
    stall = np.linalg.norm(exact, axis=1)
    assert np.all(stall[settled] <= (bound("zo-shift", "local")(**constants) / kappa)[settled])
    first = constants["alpha"] * 3 * constants["trace_covariance"]
    assert np.median((stall / first)[settled]) == pytest.approx(1, abs=0.1)
