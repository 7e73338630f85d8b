"""A study of your own: how does Proposition 2 fare as the number of inner steps grows?

Run it with ``maml-bench study own_study.py --quick``. It writes findings, figures and a report; a file of Markdown
beside this one, ``own_study.md``, would tell them in your words.
"""

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, attained, pick, sweep

PROBLEMS = {
    "concave quadratic": Quadratic.concave(dim=4).with_noise(AdditiveGaussian(sigma_g=1.0)),
    "waves": Trigonometric.random(dim=4, tasks=4, rng=0).with_noise(RandomPhase(amplitude=1.0, kappa=1.0)),
}


def setting(problem, N):
    """The setting of one case: what is swept comes by name."""
    return Setting(problem, np.ones(problem.dim), InnerLoop(alpha=0.05 / problem.regularity.L, steps=N))


STUDY = Study(
    "own-study",
    "How does Proposition 2 fare as the number of inner steps grows?",
    sweep(setting, ("prop2-second",), {"problem": PROBLEMS, "N": (1, 2, 5, 10, 20)}, quick={"N": (1, 5)}),
    figures={"steps": Figure("prop2-second", x="N", forms=("paper", "sharp"), across="problem")},
    facts=lambda table: [attained("attained", pick(table, problem="concave quadratic", form="sharp"))],
)
