"""Problem families with certified constants, and sampling models."""

from maml_bench.problems.protocol import Sample, Tasks
from maml_bench.problems.quadratic import Quadratic
from maml_bench.problems.sampling import AdditiveGaussian, NoisyTasks, RandomPhase
from maml_bench.problems.trigonometric import Trigonometric

FAMILIES = {"quadratic": Quadratic, "trigonometric": Trigonometric}

__all__ = [
    "FAMILIES",
    "AdditiveGaussian",
    "NoisyTasks",
    "Quadratic",
    "RandomPhase",
    "Sample",
    "Tasks",
    "Trigonometric",
]
