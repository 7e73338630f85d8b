"""A bound is a formula with its hypotheses; a statement is what is bounded, with the forms of its bound."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from html import escape

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from analytic.functions import NUMERIC_FUNCTIONS, FormulaPrinter, NumericPrinter
from analytic.vocabulary import CONSTANTS, checked


class HypothesisError(ValueError):
    """A statement was asked about a case that its hypotheses exclude.

    Examples
    --------
    >>> from analytic import HypothesisError, bound
    >>> try:
    ...     bound("prop3", "sharp")(alpha=1.0, steps=5, S=1, L=1.0, rho=1.0, sigma=1.0, sigma_g=1.0, grad_norm=1.0)
    ... except HypothesisError as error:
    ...     print(str(error).split(";")[0])
    prop3 (sharp) needs q^(2N) < 2, that is alpha < (2^(1/(2N)) - 1)/L
    """


@dataclass(frozen=True)
class Definition:
    """An abbreviation used in formulas: a symbol, or a quantity of step j written as a function of j.

    Examples
    --------
    >>> from analytic import bound
    >>> bound("prop2-second", "sharp").where[0]
    Definition(head=q, value=L*alpha + 1)
    """

    head: sp.Expr
    value: sp.Expr

    @property
    def name(self):
        """What stands for the value in formulas: a symbol, or a function of j."""
        return self.head if isinstance(self.head, sp.Symbol) else self.head.func

    def unfold(self, expression: sp.Expr) -> sp.Expr:
        """The expression with the value in place of the abbreviation."""
        if isinstance(self.head, sp.Symbol):
            return expression.xreplace({self.head: self.value})
        function, index = self.head.func, self.head.args[0]
        return expression.replace(function, lambda at: self.value.xreplace({index: at}))


@dataclass(frozen=True)
class Condition:
    """A named hypothesis: a relation between constants.

    With ``optional``, constants that appear in this hypothesis alone need not be given; they are then taken to
    satisfy it.

    Examples
    --------
    >>> from analytic import bound
    >>> bound("prop3", "sharp").conditions[0].words
    'q^(2N) < 2, that is alpha < (2^(1/(2N)) - 1)/L'
    """

    words: str
    relation: sp.Basic
    optional: bool = False


def optional(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions, checked only where all their constants are given."""
    return tuple(replace(condition, optional=True) for condition in conditions)


@dataclass(frozen=True)
class Bound:
    """One form of a right-hand side.

    Parameters
    ----------
    statement, form : str
        Such as ``"prop2-second"`` and ``"sharp"``.
    formula : sympy.Expr
        The bound, in the symbols of ``analytic.vocabulary`` and the abbreviations of ``where``.
    where : tuple of Definition
        Abbreviations; a later one may use an earlier one.
    conditions : tuple of Condition
        Hypotheses beyond Assumptions 1-3.
    proof : str
        Where this form is proved.
    others : tuple of Bound
        Bounds of the same quantity that need more constants or other hypotheses. Where their constants are given and
        finite and their hypotheses hold they count too, and the smallest value is the bound's.
    stepwise : bool
        Evaluate abbreviation by abbreviation, each once, in place of one unfolded formula: much faster for formulas
        that use long abbreviations several times. The two ways differ in the last digit.

    Examples
    --------
    >>> from analytic import bound
    >>> second = bound("prop2-second", "sharp")
    >>> second.arguments
    ('steps', 'alpha', 'S', 'L', 'sigma_g')
    >>> round(second(alpha=0.1, steps=1, L=1.0, sigma_g=2.0, S=4), 12)  # alpha^2 sigma_g^2 / S
    0.01
    """

    statement: str
    form: str
    formula: sp.Expr
    where: tuple[Definition, ...] = ()
    conditions: tuple[Condition, ...] = ()
    proof: str = ""
    others: tuple["Bound", ...] = ()
    stepwise: bool = False

    def _unfold(self, expression):
        for definition in reversed(self.abbreviations):
            expression = definition.unfold(expression)
        return expression

    @cached_property
    def expression(self) -> sp.Expr:
        """The formula in base constants alone."""
        return self._unfold(self.formula)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of the constants that the formula and its conditions need."""
        needed = [self.formula, *(condition.relation for condition in self.conditions if not condition.optional)]
        # Read off definition by definition: unfolding the long expressions first takes a hundred times as long.
        free = set().union(*(part.free_symbols | _functions(part) for part in needed))
        for definition in reversed(self.where):
            if definition.name in free:
                free.remove(definition.name)
                free |= (definition.value.free_symbols | _functions(definition.value)) - set(definition.head.args)
        return _names(free)

    @cached_property
    def optional(self) -> tuple[str, ...]:
        """Names of the constants that need not be given, but change the value or the hypotheses if they are."""
        names = {name for other in self.others for name in (*other.arguments, *other.optional)}
        free = set().union(*(self._unfold(c.relation).free_symbols for c in self.conditions if c.optional))
        return tuple(n for n in CONSTANTS if n in names | set(_names(free)) and n not in self.arguments)

    @cached_property
    def _numeric(self):
        """The formula, then the two sides of every condition, as programs."""
        sides = [condition.relation.args for condition in self.conditions]
        program = self._stepwise if self.stepwise else self._at_once
        return program(self.formula), [(program(left), program(right)) for left, right in sides]

    def _at_once(self, expression):
        """A program of one step: the unfolded expression."""
        takes, function = _compiled(self._unfold(expression))
        return _names(takes), ((None, takes, function),)

    def _stepwise(self, expression):
        """A step for every abbreviation in use, the expression itself last; quantities of step j are unfolded."""
        of_steps = tuple(definition for definition in self.where if not isinstance(definition.head, sp.Symbol))
        program, free = [], set()

        def add(head, value):
            takes, function = _compiled(value, of_steps if _functions(value) else ())
            program.append((head, takes, function))
            free.update(takes)

        add(None, expression)
        for definition in reversed(self.where):
            if definition.head in free:
                free.remove(definition.head)
                add(definition.head, definition.value)
        return _names(free), tuple(reversed(program))

    def __call__(self, **constants) -> float | np.ndarray:
        """The bound at the given constants (numbers or arrays, which broadcast).

        Constants of the vocabulary that this bound does not need are accepted and ignored.

        Returns
        -------
        float or ndarray
            A float if every constant is a number.

        Raises
        ------
        ValueError
            For an unknown or missing constant, or one outside its domain.
        HypothesisError
            If a hypothesis of the statement is violated; names it and the numbers.
        OverflowError
            If the constants are so large that the value is not a number.
        """
        values = checked(constants)
        missing = [name for name in self.arguments if name not in values]
        if missing:
            needs = "; ".join(f"{name} ({CONSTANTS[name].words})" for name in missing)
            raise ValueError(f"{self.statement} ({self.form}) needs {needs}")
        result, broken, explain = self.judged(values)
        for other in self.others:
            if other.known(values):
                more, also, _ = other.judged(values)
                result, broken = np.fmin(result, more), broken & also
        if broken.any():
            raise HypothesisError(explain(broken))
        if np.isnan(result).any():
            raise OverflowError(f"{self.statement} ({self.form}) leaves the range of floating-point numbers")
        return float(result) if result.ndim == 0 else result

    def known(self, values: Mapping[str, np.ndarray]) -> bool:
        """Whether all the constants that the bound needs are given, and finite."""
        return all(name in values and np.isfinite(values[name]).all() for name in self.arguments)

    def judged(self, values: Mapping[str, np.ndarray]):
        """At checked constants, `others` apart: the value, NaN where a hypothesis is violated; where; what to say."""
        formula, sides = self._numeric
        known = [
            (condition, left, right)
            for condition, (left, right) in zip(self.conditions, sides, strict=True)
            if all(name in values for name in (*left[0], *right[0]))
        ]
        used = {*self.arguments, *(name for _, left, right in known for name in (*left[0], *right[0]))}
        values = {name: array for name, array in values.items() if name in used}
        for name, array in values.items():
            if np.isinf(array).any():
                words = f"{name} ({CONSTANTS[name].words})"
                raise HypothesisError(f"{self.statement} ({self.form}) needs a finite {words}; none is known here")
        compared = [(condition, left, right, *_evaluate([left, right], values)) for condition, left, right in known]
        failures = [~np.asarray(_COMPARE[type(c.relation)](lower, upper)) for c, _, _, lower, upper in compared]

        def explain(where):
            for (condition, left, right, lower, upper), failed in zip(compared, failures, strict=True):
                lower, upper, failed = np.broadcast_arrays(lower, upper, failed & where)[:3]
                if failed.any():
                    at = np.unravel_index(np.argmax(failed), failed.shape)
                    named = [name for name in values if name in (*left[0], *right[0])]
                    numbers = ", ".join(f"{n} = {np.broadcast_to(values[n], failed.shape)[at]:g}" for n in named)
                    return (
                        f"{self.statement} ({self.form}) needs {condition.words}; at {numbers} "
                        f"the left side is {lower[at]:g}, the right side {upper[at]:g}"
                    )

        (result,) = _evaluate([formula], values)
        broken = np.zeros(result.shape, dtype=bool)
        for failed in failures:
            broken = broken | failed
        return np.where(broken, np.nan, result), broken, explain

    @cached_property
    def abbreviations(self) -> tuple[Definition, ...]:
        """Those of ``where`` that the formula and the conditions use, directly or through others, each once."""
        kept, free = [], set()
        for part in (self.formula, *(condition.relation for condition in self.conditions)):
            free |= part.free_symbols | _functions(part)
        for definition in reversed(self.where):
            if definition.name in free:
                kept.append(definition)
                free |= definition.value.free_symbols | _functions(definition.value)
        return tuple(dict.fromkeys(reversed(kept)))

    def __repr__(self) -> str:
        return f"Bound({self.statement!r}, {self.form!r}: {self.formula})"

    def _repr_latex_(self) -> str:
        """For notebooks."""
        return f"${self.latex()}$"

    def _repr_html_(self) -> str:
        """The formula as a table, with its hypotheses and where it is proved, for notebooks."""
        rows = {"bound": f"${self.latex()}$", "needs": "; ".join(c.words for c in self.conditions), "proof": self.proof}
        return table(f"{self.statement} ({self.form})", rows)

    def latex(self) -> str:
        """The formula in LaTeX, followed by its abbreviations."""
        printer = FormulaPrinter()
        parts = [printer.doprint(self.formula)]
        parts += [f"{printer.doprint(d.head)} = {printer.doprint(d.value)}" for d in self.abbreviations]
        return r",\quad ".join(parts)

    def text(self) -> str:
        """The formula in plain text, one abbreviation a line."""
        lines = [str(self.formula)] + [f"  with {d.head} = {d.value}" for d in self.abbreviations]
        if self.others:
            lines.append(f"  or the smaller of this and its variants that use {', '.join(self.optional)}, if given")
        return "\n".join(lines)


LATEX = {"<=": r"\le", ">=": r"\ge", "=": "="}
"""A sense in LaTeX."""


def in_text(words: str) -> str:
    """Words inside a formula of LaTeX."""
    return rf"\text{{{words}}}".replace("_", r"\_").replace("%", r"\%")


def table(caption: str, rows: Mapping[str, object]) -> str:
    """Named values as a table of HTML, for notebooks; what is empty is left out."""
    shown = {name: escape(str(value), quote=False) for name, value in rows.items() if str(value)}
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in shown.items())
    return f"<table><caption>{escape(caption, quote=False)}</caption>{cells}</table>"


def _functions(expression: sp.Basic) -> set:
    return {applied.func for applied in expression.atoms(AppliedUndef)}


def _names(symbols) -> tuple[str, ...]:
    return tuple(name for name, constant in CONSTANTS.items() if constant.symbol in symbols)


@cache
def _compiled(expression: sp.Expr, of_steps: tuple[Definition, ...] = ()):
    """The symbols that an expression takes, and a function of their values; quantities of step j are unfolded first."""
    for definition in reversed(of_steps):
        expression = definition.unfold(expression)
    takes = tuple(sorted(expression.free_symbols, key=str))
    printer = NumericPrinter({"fully_qualified_modules": True, "allow_unknown_functions": True})
    return takes, sp.lambdify(takes, expression, modules=[NUMERIC_FUNCTIONS, "scipy", "numpy"], printer=printer)


def _evaluate(programs, constants: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Programs at broadcast constants; sums run over one value of N at a time.

    A program is the names of the constants it needs, and steps: a head, the symbols that it takes, a function of them;
    the last step has the head None and is the result.
    """
    arrays = dict(zip(constants, np.broadcast_arrays(*constants.values()), strict=True)) if constants else {}
    shape = next(iter(arrays.values())).shape if arrays else ()
    results = [np.empty(shape) for _ in programs]
    steps = arrays.get("steps", np.ones(shape))
    for count in np.unique(steps):
        cells = steps == count
        given = {
            CONSTANTS[name].symbol: int(count) if name == "steps" else array[cells] for name, array in arrays.items()
        }
        for (_, program), result in zip(programs, results, strict=True):
            values = dict(given)
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                for head, takes, function in program:
                    values[head] = function(*(values[symbol] for symbol in takes))
            result[cells] = values[None]
    return results


_COMPARE = {
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
}


@dataclass(frozen=True)
class Statement:
    """A numbered statement: the quantity it bounds, in words and LaTeX, in which sense, and its forms.

    Examples
    --------
    >>> from analytic import statement
    >>> statement("prop2-second").title, list(statement("prop2-second").forms)
    ('Distance of the stochastic from the exact inner path, second moment', ['paper', 'sharp'])
    """

    name: str
    title: str
    quantity: str
    quantity_latex: str
    source: str
    forms: Mapping[str, Bound]
    remarks: str = ""
    sense: str = "<="

    def __repr__(self) -> str:
        return f"Statement({self.name!r}: {self.title}; forms {', '.join(self.forms)})"

    def _repr_html_(self) -> str:
        """The forms as a table, for notebooks."""
        left = f"{self.quantity_latex} {LATEX[self.sense]}"
        rows = {form: f"${left} {bound.latex()}$" for form, bound in self.forms.items()}
        return table(f"{self.name}: {self.title}", rows)

    def _repr_latex_(self) -> str:
        """The forms, a line each, for notebooks."""
        lines = [rf"&{LATEX[self.sense]} {b.latex()} && {in_text(form)}" for form, b in self.forms.items()]
        return rf"$\begin{{aligned}}{self.quantity_latex} " + r" \\ ".join(lines) + r"\end{aligned}$"


def statement(name, title, quantity, quantity_latex, source, remarks="", sense="<=", **forms) -> Statement:
    """A statement from formulas: each form is a dictionary of the remaining fields of `Bound`."""
    bounds = {form: Bound(statement=name, form=form, **fields) for form, fields in forms.items()}
    return Statement(name, title, quantity, quantity_latex, source, bounds, remarks, sense)
