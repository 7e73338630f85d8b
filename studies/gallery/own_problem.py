"""A problem of your own, a robust distance: ``l_i(w) = sum_k log cosh(w_k - y_ik)``.

The derivatives of log cosh of orders 1 to 4 are at most 1, 1, 4/(3 sqrt 3) and 2 in size, and coordinates separate:
L = 1, rho = 4/(3 sqrt 3), tau = 2, and sigma^2 <= d. The noise is a cosine of random phase and direction.
"""

import numpy as np

from analytic import Regularity
from maml_bench import InnerLoop, Setting, audit, check
from maml_bench.problems import NoisyTasks, RandomPhase


class LogCosh:
    def __init__(self, y):  # (tasks, d)
        self.y, self.batch_shape, self.dim = y, y.shape[:-1], y.shape[-1]
        self.regularity = Regularity(L=1, rho=4 / 27**0.5, tau=2, sigma=self.dim**0.5)

    def __getitem__(self, index):
        return LogCosh(self.y[index])

    def sample(self, rng, w, size): ...  # no noise of its own

    def loss(self, w, sample=None):
        return np.sum(np.logaddexp(w - self.y, self.y - w) - np.log(2), axis=-1)

    def grad(self, w, sample=None):
        return np.tanh(w - self.y)

    def hvp(self, w, v, sample=None):
        return v / np.cosh(w - self.y) ** 2

    def hess(self, w, sample=None):
        return np.eye(self.dim) / np.cosh(w - self.y)[..., None] ** 2


TASKS = NoisyTasks(LogCosh(np.linspace(-1, 1, 15).reshape(5, 3)), RandomPhase(amplitude=0.5, kappa=1.0))
if __name__ == "__main__":
    print(audit(TASKS))  # attacks what the class says of itself
    print(check("prop2-second", Setting(TASKS, np.zeros(3), InnerLoop(alpha=0.05, steps=4, S=2))))
