"""A claim: something measured, set against one form of a bound."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import numpy as np

from analytic import arguments, statement
from analytic.arguments import one_of
from analytic.bound import LATEX, HypothesisError, in_text, table
from maml_bench.claims.constants import constants
from maml_bench.montecarlo.estimands import ESTIMANDS
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting

EPS = float(np.finfo(float).eps)


def relative_rounding(setting: Setting, value: np.ndarray) -> np.ndarray:
    """Rounding of a value that is built up without cancellation: some units in the last place for each operation that
    it passed through, of which there are about N d.
    """
    return 32 * EPS * (setting.inner.steps * setting.tasks.dim + 32) * np.abs(value)


@dataclass(frozen=True)
class Sampling:
    """How a quantity is sampled.

    Parameters
    ----------
    draw : callable
        ``draw(setting)`` gives a `Draw`: ``draw(rng, replicates) -> (replicates, cells, ...)``; a `Capped` one, where
        a ceiling of the replicates is proved, makes limits certified.
    estimand : {"mean", "root of mean", "norm of mean", "spectral norm of mean"}
        What is estimated: a mean of numbers >= 0, its root, or the norm of a mean vector or matrix.
    footprint : callable
        ``footprint(setting)``: floats that one replicate occupies, for the size of a block.

    Raises
    ------
    ValueError
        For an unknown estimand.
    """

    draw: Callable[[Setting], Draw]
    estimand: str
    footprint: Callable[[Setting], int]

    def __post_init__(self):
        one_of("estimand", self.estimand, ESTIMANDS)


def either(capped: Callable[[Setting], Capped | None], plain: Callable[[Setting], Draw]) -> Callable[[Setting], Draw]:
    """Replicates with a ceiling where one is proved, else plain ones of the same mean."""

    @wraps(plain)
    def draw(setting):
        found = capped(setting)
        return plain(setting) if found is None else found

    return draw


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A left-hand side, measured in one or more of three ways: exactly, by sampling, by a search for a supremum.

    A *cell* is what the bound is asserted for: each task by itself, or the task family as one. Two measurements are
    equal if their fields are.

    Parameters
    ----------
    words : str
        What is measured.
    requires : callable
        ``requires(setting)``: why the quantity does not exist for the setting, or an empty string if it does.
    exact : callable
        ``exact(setting)`` gives the exact value for each cell, or None where none is known.
    error : callable
        ``error(setting, value)``: what rounding, and quadrature, can have added to the exact value of each cell.
    sampled : Sampling, optional
        For expectations.
    search : callable, optional
        For suprema: ``search(setting)`` gives the largest value found for each cell, always the same for one setting.
    found : callable
        ``found(setting)``: what ``search`` found, as a function of settings that computes it again; rounding is asked
        of it where that leaves a claim undecided.
    resolution : callable
        ``resolution(setting)``: what rounding can add to a sampled value; a bound counts as exceeded only by more.
    constants : callable
        ``constants(setting, names)``: what the bound is evaluated at, with one entry per cell where cells differ.
    target : callable, optional
        For equalities of matrices: ``target(setting)`` is what the mean of the draw is asserted to equal,
        (cells, ...). Measured is the norm of their difference.

    Examples
    --------
    >>> from maml_bench import claims
    >>> claims.get("prop3", "smooth").measurement.words
    '||E G^_i - grad calL_i(w)||'
    """

    words: str
    requires: Callable[[Setting], str]
    exact: Callable[[Setting], np.ndarray | None] = lambda setting: None
    error: Callable[[Setting, np.ndarray], np.ndarray] = relative_rounding
    sampled: Sampling | None = None
    search: Callable[[Setting], np.ndarray] | None = None
    found: Callable[[Setting], Callable[[Setting], np.ndarray]] | None = None
    resolution: Callable[[Setting], float] = lambda setting: 0.0
    constants: Callable[[Setting, Iterable[str]], dict] = constants
    target: Callable[[Setting], np.ndarray] | None = None


@dataclass(frozen=True)
class Known:
    """A right side computed from the setting itself, where a `Bound` is a formula in constants.

    Parameters
    ----------
    expression : str
        The right side in words or symbols.
    value : callable
        ``value(setting)``: the right side, > 0, for each cell.
    """

    expression: str
    value: Callable[[Setting], np.ndarray]
    conditions: tuple = ()

    arguments = ("setting",)

    def __call__(self, setting: Setting) -> np.ndarray:
        return self.value(setting)


SENSES = ("<=", ">=", "=")
TOLERANCE = 0.02


@dataclass(frozen=True)
class Claim:
    """``measured <= factor * bound``, or the same with another sense, under the statement's hypotheses.

    Parameters
    ----------
    name, form : str
    bound : Bound, Known or ByEstimator
        The right side.
    measurement : Measurement
    sense : {"<=", ">=", "="}
    factor : float
        Multiplies the right side.
    tolerance : float
        Relative distance within which the two sides of an equality count as equal.

    Raises
    ------
    ValueError
        For an unknown sense.

    Examples
    --------
    >>> from maml_bench import claims
    >>> claims.get("prop2-second").scaled(0.5)
    Claim('prop2-second', 'sharp': E ||w_N - w~_N||^2 <= 0.5 * s(N)**2)
    """

    name: str
    form: str
    bound: Any  # a Bound, or what is called by the names in its ``arguments``: Known, or a bound by estimator
    measurement: Measurement
    sense: str = "<="
    factor: float = 1.0
    tolerance: float = TOLERANCE

    def __post_init__(self):
        one_of("sense", self.sense, SENSES)

    def __repr__(self) -> str:
        factor = "" if self.factor == 1 else f"{self.factor:g} * "
        return f"Claim({self.name!r}, {self.form!r}: {self.measurement.words} {self.sense} {factor}{self._right})"

    def _repr_latex_(self) -> str:
        """The claim in LaTeX, for notebooks."""
        return f"${in_text(self.measurement.words)} {self._right_in_latex}$"

    def _repr_html_(self) -> str:
        """The claim as a table, for notebooks."""
        rows = {"measured": self.measurement.words, "asserted": f"${self._right_in_latex}$"}
        return table(f"{self.name} ({self.form})", rows)

    @property
    def _right_in_latex(self) -> str:
        factor = "" if self.factor == 1 else f"{self.factor:g} \\cdot "
        right = self.bound.latex() if hasattr(self.bound, "latex") else in_text(self._right)
        return f"{LATEX[self.sense]} {factor}{right}"

    @property
    def _right(self) -> str:
        return str(getattr(self.bound, "formula", self.bound.expression))

    def scaled(self, factor: float) -> "Claim":
        """The same claim with its right side multiplied by ``factor`` > 0."""
        return replace(self, factor=self.factor * arguments.positive("factor", factor))

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
        return np.asarray(self.factor * self.bound(**self.measurement.constants(setting, self.bound.arguments)))


def claims_of(name: str, measurement: Measurement | Callable[[str], Measurement]) -> tuple[Claim, ...]:
    """A claim for each form of the statement called ``name``; the measurement, or what gives that of a form."""
    chosen = statement(name)
    measured = measurement if callable(measurement) else lambda form: measurement
    return tuple(Claim(name, form, bound, measured(form), chosen.sense) for form, bound in chosen.forms.items())


def by_measurement(chosen: Iterable[Claim]) -> list[tuple[Claim, ...]]:
    """The claims, those of equal measurements together: they can be checked on the same replicates."""
    groups: dict[Measurement, list[Claim]] = {}
    for claim in chosen:
        groups.setdefault(claim.measurement, []).append(claim)
    return [tuple(group) for group in groups.values()]


def footprint(setting: Setting) -> int:
    """Floats that one replicate of the inner loop occupies for the largest of its batches: a step has four arrays at a
    time.
    """
    tasks = math.prod(setting.tasks.batch_shape)
    return 4 * tasks * setting.tasks.dim * max(setting.inner.S, setting.inner.D, setting.inner.T)


def by_cell(values: np.ndarray, core: int) -> np.ndarray:
    """``(replicates, *batch_shape, ...)`` with ``core`` trailing axes, as ``(replicates, cells, ...)``."""
    return values.reshape(values.shape[0], -1, *values.shape[values.ndim - core :])
