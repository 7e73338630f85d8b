"""A problem of your own: robust regression with the log-cosh loss, ``l(w) = mean_j log cosh(x_j.w - y_j)``.

The derivatives of log cosh are at most 1, 1, 4/(3 sqrt 3) and 2 in size (orders 1 to 4). Along a unit vector v that
gives, with ``M_k = mean_j |x_j|^k x_j x_j'``: ``L = ||M_0||``, ``rho = 4/(3 sqrt 3) ||M_1||``, ``tau = 2||M_2||``;
gradients are at most ``||M_0||^(1/2)`` long, so sigma is too. Run this file to see the certificate attacked, and the
bounds of the theory checked on the problem.
"""

from dataclasses import dataclass

import numpy as np

from analytic import Regularity
from maml_bench import InnerLoop, Setting, audit, check
from maml_bench.problems import NoisyTasks, RandomPhase


@dataclass(frozen=True, eq=False)
class LogCosh:
    X: np.ndarray  # (tasks, points, d)
    y: np.ndarray  # (tasks, points)

    dim = property(lambda self: self.X.shape[-1])
    batch_shape = property(lambda self: self.X.shape[:-2])

    @property
    def regularity(self):
        size = np.linalg.norm(self.X, axis=-1, keepdims=True) ** 0.5
        M = [(np.linalg.norm(size**k * self.X, 2, (-2, -1)) ** 2 / self.y.shape[-1]).max() for k in range(3)]
        return Regularity(L=M[0], rho=4 / 27**0.5 * M[1], tau=2 * M[2], sigma=M[0] ** 0.5)

    def __getitem__(self, index):
        return LogCosh(self.X[index], self.y[index])

    def sample(self, rng, w, size): ...  # no noise of its own

    def residual(self, w):
        return np.matvec(self.X, w) - self.y

    def loss(self, w, sample=None):
        return (np.logaddexp(self.residual(w), -self.residual(w)) - np.log(2)).mean(-1)

    def grad(self, w, sample=None):
        return np.vecmat(np.tanh(self.residual(w)), self.X) / self.y.shape[-1]

    def hvp(self, w, v, sample=None):
        return np.matvec(self.hess(w), v)

    def hess(self, w, sample=None):
        weight = (1 - np.tanh(self.residual(w)) ** 2)[..., None] / self.y.shape[-1]
        return self.X.swapaxes(-1, -2) @ (weight * self.X)


def example(seed: int = 0) -> NoisyTasks:
    """Five tasks of eight points in three dimensions, with noisy samples."""
    rng = np.random.default_rng(seed)
    tasks = LogCosh(rng.standard_normal((5, 8, 3)), rng.standard_normal((5, 8)))
    return NoisyTasks(tasks, RandomPhase(amplitude=0.5, kappa=1.0))


def main():
    tasks = example()
    print(audit(tasks))
    setting = Setting(tasks, w=np.zeros(3), inner=InnerLoop(alpha=0.03, steps=4, S=2))
    for claim in ("prop2-second", "prop3", "prop4"):
        print(check(claim, setting, budget=100_000))


if __name__ == "__main__":
    main()
