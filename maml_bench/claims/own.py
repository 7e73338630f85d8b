"""A claim of your own: a bound in the vocabulary of the theory, and a function that draws what it bounds.

>>> from maml_bench import InnerLoop, Setting, check, claim
>>> from maml_bench.adaptation import exact_path, stochastic_path
>>> from maml_bench.problems import AdditiveGaussian, Quadratic
>>> def fourth(setting, rng, replicates):
...     start = np.broadcast_to(setting.w, (replicates, *setting.tasks.batch_shape, setting.tasks.dim))
...     path = stochastic_path(setting.tasks, start, setting.inner, rng)
...     away = path[-1] - exact_path(setting.tasks, setting.w, setting.inner.alpha, setting.inner.steps)[-1]
...     return np.sum(away**2, axis=-1) ** 2
>>> mine = claim("fourth-moment", "3*s_N**4", fourth)
>>> mine
Claim('fourth-moment', 'own': mean of fourth-moment <= 3*s(N)**4)
>>> setting = Setting(Quadratic.concave(3).with_noise(AdditiveGaussian(1.0)), np.ones(3), InnerLoop(0.1, 3))
>>> print(check(mine, setting).outcome)
holds
"""

import difflib
import math
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from tokenize import TokenError

import numpy as np
import sympy as sp
from sympy.parsing.sympy_parser import parse_expr

from analytic import abbreviations
from analytic.arguments import one_of, real, shown
from analytic.bound import Bound, Definition
from analytic.vocabulary import CONSTANTS
from maml_bench.claims.claim import TOLERANCE, Claim, Measurement, Sampling, by_cell
from maml_bench.claims.constants import constants, constants_of_each_task
from maml_bench.claims.requirements import first_reason
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting

ESTIMANDS = {"mean": 0, "norm of mean": 1, "spectral norm of mean": 2}
"""What is estimated, with the number of last axes that one replicate of one task has."""

SHAPES = {0: "(replicates,) or (replicates, tasks)", 1: "(replicates, d) or (replicates, tasks, d)"}
SHAPES[2] = "(replicates, m, d) or (replicates, tasks, m, d)"

PROBE = 16
"""Replicates that are drawn to see how much memory one takes."""

_ABBREVIATIONS: dict[str, tuple[sp.Expr, tuple[Definition, ...]]] = {
    "q": (abbreviations.q, (abbreviations.GROWTH,)),
    "c": (abbreviations.c, (abbreviations.GROWTH, abbreviations.EXCESS)),
    "s_N": (abbreviations.s(abbreviations.N), (abbreviations.GROWTH, abbreviations.PATH_ERROR)),
    "m_N": (abbreviations.m(abbreviations.N), (abbreviations.GROWTH, abbreviations.PATH_DRIFT)),
}


def claim(
    name: str,
    bound: "str | float | sp.Expr | Bound",
    draw: Callable[[Setting, np.random.Generator, int], np.ndarray] | str | Measurement,
    *,
    estimand: str = "mean",
    sense: str = "<=",
    exact: Callable[[Setting], object] | None = None,
    requires: Callable[[Setting], str] | None = None,
    envelope: Callable[[Setting], object] | None = None,
    each_task: bool = False,
    tolerance: float = TOLERANCE,
) -> Claim:
    """A claim like any other, to be checked, scaled, put into studies and told.

    Parameters
    ----------
    name : str
    bound : str, number, sympy expression or Bound
        In the names of ``analytic.vocabulary`` (``alpha``, ``L``, ``sigma_g``, ``task_grad_norm``, ...), their symbols
        (``d``, ``N``, ``Q``, ``G``) and the abbreviations ``q``, ``c``, ``s_N``, ``m_N``. Symbols of an expression are
        matched by name, whatever their assumptions.
    draw : callable
        ``draw(setting, rng, replicates)``: independent replicates. For a mean (replicates,) or (replicates, tasks),
        numbers >= 0; for norms of means with one (or two) last axes for the vector (or matrix). Or the name of a
        quantity or of a claim, or a `Measurement`: what they measure gets another bound, and ``estimand``, ``exact``
        and ``each_task`` do not apply.
    estimand : {"mean", "norm of mean", "spectral norm of mean"}
    sense : {"<=", ">=", "="}
    exact : callable, optional
        ``exact(setting)``: the exact value, one number or one for each task; None where it is not known.
    requires : callable, optional
        ``requires(setting)``: why the claim says nothing about the setting, or an empty string.
    envelope : callable, optional
        ``envelope(setting)``: what no replicate can exceed in size, by a proof of yours; one number, or one for each
        task. It makes limits certified. Every replicate is checked, and one that exceeds it is an error that shows it.
    each_task : bool
        Evaluate ``task_grad_norm`` and ``task_grad_rms`` for each task, not as means over tasks.
    tolerance : float
        Relative distance within which the two sides of an equality count as equal.

    Raises
    ------
    ValueError
        For a symbol that is not known (the nearest known one is named), or an unknown estimand or sense.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting, check, claim
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> tighter = claim("tighter", "0.9*s_N**2", "prop2-second")  # nine tenths of Proposition 2
    >>> setting = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.1, 3))
    >>> str(check(tighter, setting).outcome)
    'violated'
    """
    one_of("estimand", estimand, ESTIMANDS)
    right = stated(name, bound)
    if isinstance(draw, str | Measurement):
        measurement = _known(draw) if isinstance(draw, str) else draw
        if requires:
            measurement = replace(measurement, requires=first_reason(requires, measurement.requires))
        return Claim(name, "own", right, measurement, sense, tolerance=tolerance)
    for name_, part in (("exact", exact), ("requires", requires), ("envelope", envelope)):
        if part is not None and not callable(part):
            raise ValueError(f"{name_} = {shown(part)}: must be a function of a setting")
    if not callable(draw):
        raise ValueError(f"draw = {shown(draw)}: must be a function draw(setting, rng, replicates), or a name")
    drawn = Drawn(name, draw, ESTIMANDS[estimand], envelope, each_task)
    measurement = Measurement(
        words=f"{estimand} of {name}",
        requires=requires or (lambda setting: ""),
        exact=_listed(name, exact, each_task) if exact else lambda setting: None,
        sampled=Sampling(drawn, estimand, drawn.floats),
        constants=constants_of_each_task if each_task else constants,
    )
    return Claim(name, "own", right, measurement, sense, tolerance=tolerance)


def _known(name: str) -> Measurement:
    from maml_bench import claims  # which a claim of one's own may borrow from, but need not wait for
    from maml_bench.claims.quantities import QUANTITIES

    if name in QUANTITIES:
        return QUANTITIES[name]
    if name in claims.names():
        return claims.get(name, claims.forms(name)[0]).measurement
    raise ValueError(f"draw = {shown(name)}: must be a function, or one of {', '.join([*QUANTITIES, *claims.names()])}")


def _listed(name, exact, each_task):
    """The exact value of each cell, checked."""

    def of(setting):
        given = exact(setting)
        if given is None:
            return None
        tasks = math.prod(setting.tasks.batch_shape)
        try:
            value = real(given).reshape(-1)
        except (TypeError, ValueError, OverflowError):
            value = np.empty(0)
        if value.size not in (1, tasks) or not np.all(np.isfinite(value) & (value >= 0)):
            raise ValueError(f"claim {name!r}: exact gave {shown(given)}; it must be a number >= 0, or {tasks} of them")
        return np.broadcast_to(value, tasks) if each_task else value

    return of


@dataclass(frozen=True)
class Drawn:
    """A user's draw, whose shape is checked and whose memory is measured.

    Parameters
    ----------
    name : str
    draw : callable
        ``draw(setting, rng, replicates)``.
    core : int
        Last axes of one replicate of one task.
    envelope : callable, optional
        ``envelope(setting)``: what no replicate exceeds in size.
    each_task : bool
        There is a cell for each task, also where they share their replicates.
    """

    name: str
    draw: Callable[[Setting, np.random.Generator, int], np.ndarray]
    core: int
    envelope: Callable[[Setting], object] | None = None
    each_task: bool = False

    def __call__(self, setting: Setting) -> Draw:
        """Replicates (replicates, cells, ...), with a ceiling where an envelope is stated."""

        def draw(rng, replicates):
            return self._checked(self.draw(setting, rng, replicates), setting, replicates)

        if self.envelope is None:
            return draw
        cells = draw(np.random.default_rng(0), 1).shape[1]
        ceiling = np.asarray(self.envelope(setting), dtype=float)
        if ceiling.shape not in ((), (cells,)) or not np.all(np.isfinite(ceiling) & (ceiling >= 0)):
            raise ValueError(
                f"claim {self.name!r}: envelope gave {ceiling}; it must be a number >= 0, or {cells} of them"
            )
        return Capped(draw, np.broadcast_to(ceiling, cells))

    def _checked(self, values, setting, replicates):
        try:
            if np.iscomplexobj(values) or np.ma.is_masked(values):
                raise TypeError  # NumPy would take the real parts, and what the mask hides
            values = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            given = f"claim {self.name!r}: draw gave a {type(values).__name__}"
            given += " of complex numbers" if np.iscomplexobj(values) else ""
            raise ValueError(f"{given}; it must be an array of numbers, {SHAPES[self.core]}") from None
        tasks = setting.tasks.batch_shape
        lead = values.shape[: values.ndim - self.core]
        count = math.prod(tasks)
        shapes = (replicates,), (replicates, *tasks), (replicates, count), (replicates, 1)
        if lead not in shapes or values.size == 0:
            raise ValueError(
                f"claim {self.name!r}: draw gave an array of shape {values.shape} for {replicates} replicates of tasks "
                f"{tasks}; it must be {SHAPES[self.core]}"
            )
        if self.core == 0 and np.any(values < 0):
            raise ValueError(
                f"claim {self.name!r}: draw gave {values.min():.4g}; what a mean is taken of must be numbers >= 0 (of "
                "numbers of either sign, measure the norm of a mean of vectors of one entry)"
            )
        cells = by_cell(values if len(lead) > 1 else values[:, None], self.core)
        return np.broadcast_to(cells, (replicates, count, *cells.shape[2:])) if self.each_task else cells

    def floats(self, setting: Setting) -> int:
        """Floats that one replicate takes at most while it is drawn, measured on a few."""
        running = tracemalloc.is_tracing()
        tracemalloc.start() if not running else tracemalloc.reset_peak()
        try:
            before = tracemalloc.get_traced_memory()[0]
            self(setting)(np.random.default_rng(0), PROBE)
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            if not running:
                tracemalloc.stop()
        return max(1, peak // (8 * PROBE))


def stated(name: str, bound: "str | float | sp.Expr | Bound") -> Bound:
    """The bound that a string, a number or an expression stands for.

    Raises
    ------
    ValueError
        If it cannot be read, or a symbol is not known.
    """
    if isinstance(bound, Bound):
        return bound
    known = {constant: entry.symbol for constant, entry in CONSTANTS.items()}
    known |= {entry.symbol.name: entry.symbol for entry in CONSTANTS.values()}
    known |= {short: head for short, (head, _) in _ABBREVIATIONS.items()}
    try:
        formula = parse_expr(bound, local_dict=dict(known)) if isinstance(bound, str) else sp.sympify(bound)
    except (SyntaxError, TypeError, AttributeError, sp.SympifyError, TokenError) as error:
        raise ValueError(f"bound = {shown(bound)}: cannot be read as a formula ({error})") from None
    if not isinstance(formula, sp.Expr):
        raise ValueError(f"bound = {shown(bound)}: must be a formula, not {type(formula).__name__}")
    if formula.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
        raise ValueError(f"bound = {shown(bound)}: must be a finite number where its symbols are")
    if formula.has(sp.I):
        raise ValueError(f"bound = {shown(bound)}: must be a real number, and I is the root of -1")
    strangers = sorted(symbol.name for symbol in formula.free_symbols if symbol.name not in known)
    if strangers:
        near = difflib.get_close_matches(strangers[0], known, n=1, cutoff=0.0)[0]
        raise ValueError(f"bound: unknown symbol {strangers[0]!r}; the nearest known is {near!r}")
    formula = formula.xreplace({symbol: known[symbol.name] for symbol in formula.free_symbols})
    used = [definitions for head, definitions in _ABBREVIATIONS.values() if formula.has(head)]
    where = tuple(dict.fromkeys(definition for definitions in used for definition in definitions))
    found = Bound(name, "own", formula, where, (), "stated by its author")
    try:
        found.judged({constant: np.ones(1) for constant in found.arguments})
    except (NameError, TypeError, ValueError, NotImplementedError, ArithmeticError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"bound = {shown(bound)}: cannot be computed ({reason})") from None
    return found
