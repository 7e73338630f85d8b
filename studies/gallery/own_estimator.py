"""A Hessian estimator of your own: gradient differences along random signs, in place of Gaussian directions.

With u of entries +-1 and ``D(u) = [grad l(w + nu u) - grad l(w)]/nu`` one direction has ``||D(u)|| <= L sqrt(d)`` and
``E (u.v)^2 = ||v||^2``. So its variance on a unit vector is at most ``L^2 d / Q``, where Gaussian directions have
``L^2 (d + 2)/Q``; and ``||D(u) - Hu|| <= rho nu d/2``, so its mean is as near to the Hessian H.
"""

from dataclasses import dataclass

import numpy as np

from maml_bench import InnerLoop, Setting, check, claim, measure
from maml_bench.problems import Trigonometric


@dataclass(frozen=True)
class Signs:
    nu: float
    directions: int
    columns = linear = True  # its operator serves extra leading axes, as broadcasting does

    def largest_norm(self, tasks, w):  # ||D(u)|| ||u|| <= L d, an envelope: limits are certified
        return tasks.regularity.L * tasks.dim

    def deviation(self, tasks, D):  # bias and variance: Propositions 3 and 4 have bounds for it
        return tasks.regularity.rho * self.nu * tasks.dim / 2, tasks.regularity.L**2 * tasks.dim / self.directions

    def operator(self, tasks, w, D, rng):
        shape = np.broadcast_shapes(w.shape, (*tasks.batch_shape, tasks.dim))
        u = rng.choice([-1.0, 1.0], size=(self.directions, *shape))
        left = (tasks.grad(w + self.nu * u) - tasks.grad(w)) / self.nu
        return lambda v: sum(one * np.vecdot(sign, v)[..., None] for one, sign in zip(left, u)) / self.directions


ESTIMATOR = Signs(nu=0.1, directions=8)
CLAIM = claim("signs-vector", "L**2*dim/directions", "hessian-variance")
if __name__ == "__main__":
    setting = Setting(Trigonometric.random(dim=5, tasks=2, rng=0), np.ones(5), InnerLoop(0.05, 3), ESTIMATOR)
    print(measure("hessian-bias", setting, budget=20_000), check(CLAIM, setting), sep="\n")
    print(check("prop3", setting, form="local"))
