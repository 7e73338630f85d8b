"""Measuring a quantity: its value with limits, where no bound is asked for."""

import math
import time
from dataclasses import dataclass

import numpy as np

from analytic.arguments import known
from maml_bench.claims.claim import Claim, Known
from maml_bench.claims.quantities import QUANTITIES
from maml_bench.effort import Effort
from maml_bench.evidence import Evidence
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting, given
from maml_bench.verdict import left_side


@dataclass(frozen=True)
class Measured:
    """A quantity of the task where it is largest.

    Attributes
    ----------
    quantity, words : str
        Its name, and what is measured.
    value, lower, upper : float
        Limits that hold for all tasks together; of a value computed exactly they are its rounding.
    evidence : Evidence
    task : int
        Where it is largest; 0 where the tasks are one.
    replicates, seconds, seed, confidence : int, float, int, float

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting, measure
    >>> from maml_bench.problems import Quadratic
    >>> found = measure("hessian-bias", Setting(Quadratic.concave(2), np.ones(2), InnerLoop(0.1, 1)))
    >>> found.value, str(found.evidence)
    (0.0, 'exact')
    """

    quantity: str
    words: str
    value: float
    lower: float
    upper: float
    evidence: Evidence
    task: int
    replicates: int
    seconds: float
    seed: int
    confidence: float

    def __str__(self) -> str:
        lower, upper = f"{self.lower:.4g}", f"{self.upper:.4g}"
        limits = "" if lower == upper else f" in [{lower}, {upper}]"
        drawn = f", {self.replicates:,} replicates" if self.replicates else ""
        return f"{self.quantity}: {self.value:.6g}{limits} ({self.words}, task {self.task}; {self.evidence}{drawn})"

    def as_dict(self) -> dict:
        """The fields."""
        return vars(self).copy()


def measure(
    quantity: str,
    setting: Setting,
    *,
    seed: int = 0,
    confidence: float = 0.99,
    budget: int = 100_000,
    seconds: float = math.inf,
    method: str = "auto",
    precision: float = 0.01,
    workers: Workers | int = 1,
) -> Measured:
    """Measure a quantity; with any estimator that has ``operator(tasks, w, D, rng)``.

    Parameters
    ----------
    quantity : str
        ``path-error``, ``path-drift``, ``hessian-bias``, ``hessian-variance``, ``meta-gradient-bias``,
        ``meta-gradient-second-moment``, ``meta-gradient-norm`` or ``convergence``.
    seed, confidence, budget, seconds, method, precision, workers
        See `Effort`; the run ends when the limits are within ``precision`` of the value, or the budget is spent.

    Raises
    ------
    ValueError
        For an unknown quantity (the known ones are listed), or one that does not exist for the setting.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting, measure
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> setting = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.5, 1))
    >>> print(measure("path-error", setting))
    path-error: 0.25 (E ||w_N - w~_N||^2, task 0; exact)
    """
    start = time.perf_counter()
    measurement = QUANTITIES[known("quantity", quantity, QUANTITIES)]
    setting, effort = given(setting), Effort(seed, confidence, budget, seconds, precision, method, workers)
    if reason := measurement.requires(setting):
        raise ValueError(f"{quantity} needs {reason}")
    unbounded = Claim(quantity, "measured", Known("", lambda setting: np.array(np.inf)), measurement)
    limits, evidence, replicates = left_side(unbounded, setting, effort)
    task = int(np.argmax(limits.value))
    value, lower, upper = (float(side[task]) for side in (limits.value, limits.lower, limits.upper))
    done = time.perf_counter() - start
    return Measured(
        quantity,
        measurement.words,
        value,
        lower,
        upper,
        evidence,
        task,
        replicates,
        done,
        effort.seed,
        effort.confidence,
    )
