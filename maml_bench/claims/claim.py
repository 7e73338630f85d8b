"""A claim: something measured, set against one form of a bound."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from analytic import arguments
from analytic.bound import Bound, HypothesisError
from maml_bench.claims.constants import constants
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import Limits
from maml_bench.setting import Setting


@dataclass(frozen=True)
class Measurement:
    """A left-hand side: how to sample it, how to summarize the sample, and its exact value where one is known.

    A *cell* is what the bound is asserted for: each task by itself, or the task family as one.

    Parameters
    ----------
    words : str
        What is measured.
    sampler : callable or None
        ``sampler(setting)`` gives a draw: ``draw(rng, replicates) -> (replicates, cells, ...)``. None for quantities
        that are not expectations; then ``estimand`` and ``footprint`` are None, too.
    estimand : callable
        ``estimand(batches, level) -> Limits``, one of ``maml_bench.montecarlo.limits``.
    exact : callable
        ``exact(setting)`` gives the exact value for each cell, or None where none is known.
    footprint : callable
        ``footprint(setting)``: floats that one replicate occupies, for the size of a block.
    requires : callable
        ``requires(setting)``: why the quantity does not exist for the setting, or an empty string if it does.
    resolution : callable
        ``resolution(setting)``: what rounding can add to a value; a bound counts as exceeded only by more than this.
    search : callable, optional
        For suprema: ``search(setting)`` gives the largest value found for each cell, always the same for one setting.
    constants : callable
        ``constants(setting, names)``: what the bound is evaluated at, with one entry per cell where cells differ.
    """

    words: str
    sampler: Callable[[Setting], Draw] | None
    estimand: Callable[[np.ndarray, float], Limits] | None
    exact: Callable[[Setting], np.ndarray | None]
    footprint: Callable[[Setting], int] | None
    requires: Callable[[Setting], str]
    resolution: Callable[[Setting], float] = lambda setting: 0.0
    search: Callable[[Setting], np.ndarray] | None = None
    constants: Callable[[Setting, Iterable[str]], dict] = constants


@dataclass(frozen=True)
class Equality:
    """The right side of an equality, known exactly for each cell.

    Parameters
    ----------
    expression : str
        The right side in words or symbols.
    value : callable
        ``value(setting)``: the right side, > 0, for each cell.
    tolerance : float
        Relative distance within which the two sides count as equal.
    """

    expression: str
    value: Callable[[Setting], np.ndarray]
    tolerance: float
    conditions: tuple = ()


@dataclass(frozen=True)
class Claim:
    """``measured <= factor * bound``, or ``measured = factor * value`` for an `Equality`,
    under the statement's hypotheses.

    Parameters
    ----------
    name, form : str
    bound : Bound or Equality
    measurement : Measurement
    factor : float
        Multiplies the right side.
    """

    name: str
    form: str
    bound: Bound | Equality
    measurement: Measurement
    factor: float = 1.0

    def scaled(self, factor: float) -> "Claim":
        """The same claim with its right side multiplied by ``factor`` > 0."""
        return replace(self, factor=self.factor * arguments.positive("factor", factor))

    @property
    def tolerance(self) -> float | None:
        """Relative distance within which the two sides of an equality count as equal; None for a bound."""
        return self.bound.tolerance if isinstance(self.bound, Equality) else None

    def right_side(self, setting: Setting) -> np.ndarray:
        """The right side for the setting: a number, or one for each cell.

        Raises
        ------
        HypothesisError
            If the setting violates a hypothesis, or the quantity does not exist for it.
        """
        reason = self.measurement.requires(setting)
        if reason:
            raise HypothesisError(f"{self.name} needs {reason}")
        if isinstance(self.bound, Equality):
            return self.factor * self.bound.value(setting)
        return np.asarray(self.factor * self.bound(**self.measurement.constants(setting, self.bound.arguments)))


def footprint(setting: Setting) -> int:
    """Floats that one replicate of the inner loop occupies for the largest of its batches."""
    tasks = math.prod(setting.tasks.batch_shape)
    return tasks * setting.tasks.dim * max(setting.inner.S, setting.inner.D, setting.inner.T)


def by_cell(values: np.ndarray, core: int) -> np.ndarray:
    """``(replicates, *batch_shape, ...)`` with ``core`` trailing axes, as ``(replicates, cells, ...)``."""
    return values.reshape(values.shape[0], -1, *values.shape[values.ndim - core :])
