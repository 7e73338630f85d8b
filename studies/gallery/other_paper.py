"""Another paper's lemmas as claims: one-step MAML of Fallah, Mokhtari and Ozdaglar (arXiv 1908.10400), Section 4.

For ``alpha <= 1/L`` and one inner step, as reconstructed: the meta objective is smooth at w with the constant
``4L + 2 rho alpha E_i ||grad l_i(w)||``, and an inner batch of S samples biases the meta gradient by at most
``2 alpha L sigma_g / sqrt(S)``. Both follow from Propositions 1 and 3 at N = 1 with ``1 + alpha L <= 2``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting, check, claim
from maml_bench.problems import RandomPhase, Trigonometric


def one_short_step(setting):
    """The lemmas' hypothesis, as a reason where it fails."""
    short = setting.inner.steps == 1 and setting.inner.alpha * setting.tasks.regularity.L <= 1
    return "" if short else "one inner step with alpha <= 1/L"


SMOOTHNESS = claim("fallah-smoothness", "4*L + 2*rho*alpha*task_grad_norm", "prop1", requires=one_short_step)
BIAS = claim("fallah-bias", "2*alpha*L*sigma_g/sqrt(S)", "meta-gradient-bias", requires=one_short_step)
TASKS = Trigonometric.random(dim=4, tasks=5, rng=0).with_noise(RandomPhase(amplitude=0.5, kappa=1.0))
SETTING = Setting(TASKS, np.ones(4), InnerLoop(alpha=0.5 / TASKS.regularity.L, steps=1, S=4))
if __name__ == "__main__":
    print(check(SMOOTHNESS, SETTING))
    print(check(BIAS, SETTING))
