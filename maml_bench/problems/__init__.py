"""Problem families with certified constants, and sampling models."""

from typing import Any

from maml_bench.problems.axisymmetric import Axisymmetric
from maml_bench.problems.digits import digits
from maml_bench.problems.finite_sum import FiniteSum, TaskPairs
from maml_bench.problems.hourglass import Hourglass
from maml_bench.problems.kink import Kink
from maml_bench.problems.logistic import Logistic, LogisticLoss
from maml_bench.problems.navigation import Navigation
from maml_bench.problems.network import ReluNetwork
from maml_bench.problems.noise import AdditiveGaussian, NoisyTasks, RandomPhase, TwoPoint
from maml_bench.problems.piecewise import Piecewise
from maml_bench.problems.protocol import Sample, Tasks, outside
from maml_bench.problems.quadratic import Quadratic
from maml_bench.problems.radial import RadialCubic
from maml_bench.problems.rank_one import RankOne
from maml_bench.problems.sine import SineRegression
from maml_bench.problems.softmax_bandit import SoftmaxBandit
from maml_bench.problems.trigonometric import Trigonometric

FAMILIES: dict[str, Any] = {
    "quadratic": Quadratic,
    "trigonometric": Trigonometric,
    "kink": Kink,
    "piecewise": Piecewise,
    "rank-one": RankOne,
    "softmax-bandit": SoftmaxBandit,
    "logistic": Logistic,
}
"""Every family has ``random(dim, tasks, rng)``. It yields `Tasks`; for logistic, `TaskPairs`."""

__all__ = [
    "FAMILIES",
    "AdditiveGaussian",
    "Axisymmetric",
    "FiniteSum",
    "Hourglass",
    "Kink",
    "Logistic",
    "LogisticLoss",
    "Navigation",
    "NoisyTasks",
    "Piecewise",
    "Quadratic",
    "RadialCubic",
    "RandomPhase",
    "RankOne",
    "ReluNetwork",
    "Sample",
    "SineRegression",
    "SoftmaxBandit",
    "TaskPairs",
    "Tasks",
    "Trigonometric",
    "TwoPoint",
    "digits",
    "outside",
]
