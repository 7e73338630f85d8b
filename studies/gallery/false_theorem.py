"""A false theorem, refuted: "noise of mean zero leaves the mean of the inner path where the exact path is".

Tempting, and true on quadratics. But the gradient has another mean over noisy points than at their mean as soon as the
Hessian varies: here by ``rho s_j^2/2`` at step j, which adds up. The claim allows for 10^-6.
"""

from pathlib import Path

import numpy as np

from maml_bench import InnerLoop, Setting, check, claim
from maml_bench.counterexample import replay, write
from maml_bench.problems import AdditiveGaussian, Kink

CLAIM = claim("no-drift", "1e-6", "path-drift")
TASKS = Kink(center=np.zeros((1, 1)), slope=np.zeros((1, 1)), rho=1.0, radius=2.0).with_noise(AdditiveGaussian(1.0))
SETTING = Setting(TASKS, np.array([1.0]), InnerLoop(alpha=0.2, steps=3))
if __name__ == "__main__":
    verdict = check(CLAIM, SETTING)
    print(verdict)
    script = write(verdict, CLAIM, SETTING, Path("counterexamples"))  # recomputed, as arrays and a short script
    print(f"{script}:", replay(script, CLAIM))
    print(check(CLAIM, SETTING, method="monte-carlo", seed=1))  # by sampling, too
