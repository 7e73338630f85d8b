"""A study of six cases that takes about a second, as a file of the user's; tests kill and resume it."""

import os
import signal

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.problems import AdditiveGaussian, Quadratic
from maml_bench.study import Figure, Study, attained, curves, pick, sweep

TASKS = Quadratic.concave(dim=3).with_noise(AdditiveGaussian(1.0))


def setting(N):
    """N small steps."""
    return Setting(TASKS, np.ones(3), InnerLoop(0.1, N))


def falling(point, *, seed, budget, workers):
    """A curve, a row for each iteration; on request the second one is interrupted, as by Ctrl-C."""
    if point == 2.0 and "INTERRUPTED" in os.environ:
        os.kill(os.getpid(), signal.SIGINT)
    for iteration in range(1, budget + 1):
        yield {"quantity": "loss", "value": point / iteration, "lower": 0.0, "iteration": iteration}


STUDY = Study(
    "small",
    "What does a small study find?",
    [
        sweep(
            setting,
            ("prop2-first", "prop2-second"),
            {"N": (1, 2, 3, 4, 5, 6)},
            {"N": (1, 2, 3), "budget": 20_000},
            budget=60_000,
            precision=0.001,
        ),
        curves(lambda start: start, falling, {"start": (1.0, 2.0)}, budget=3),
    ],
    figures={"second": Figure("prop2-second", x="N"), "loss": Figure("loss", x="iteration", by="start")},
    facts=lambda t: [attained("the extremal quadratic", pick(t, claim="prop2-second", form="sharp"))],
)
