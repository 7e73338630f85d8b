"""A sampling model of your own: gradient noise of fixed length, uniform on a sphere of radius sigma_g.

Its mean square is ``sigma_g^2`` at every point and the Hessian is exact, as Assumption 3 asks. Of a fixed length, one
step of it makes the first moment of Proposition 2 meet its sharp bound.
"""

from dataclasses import dataclass

import numpy as np

from maml_bench import InnerLoop, Setting, audit, check
from maml_bench.problems import NoisyTasks, Quadratic
from maml_bench.problems.noise import LinearTerm


@dataclass(frozen=True)
class Sphere:
    sigma_g: float
    sigma_H = 0.0

    @property
    def largest_noise(self):
        return self.sigma_g  # so that statements on a ball know how far a path can stray

    def draw(self, rng, shape, dim, size):
        """The mean of ``size`` samples for each of ``shape`` points; its mirror image has the opposite sign."""
        slope = rng.standard_normal((*shape, size, dim))
        slope *= self.sigma_g / np.linalg.norm(slope, axis=-1, keepdims=True)
        return LinearTerm(slope.mean(-2))


TASKS = NoisyTasks(Quadratic.concave(dim=3), Sphere(0.5))
if __name__ == "__main__":
    print(audit(TASKS))
    setting = Setting(TASKS, np.ones(3), InnerLoop(alpha=0.1, steps=3, S=4))
    print(check("prop2-first", setting, form="paper"))
