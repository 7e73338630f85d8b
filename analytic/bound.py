"""A bound is a formula with its hypotheses; a statement is what is bounded, with the forms of its bound."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from analytic.functions import NUMERIC_FUNCTIONS, FormulaPrinter, NumericPrinter
from analytic.vocabulary import CONSTANTS, checked


class HypothesisError(ValueError):
    """A statement was asked about a case that its hypotheses exclude."""


@dataclass(frozen=True)
class Definition:
    """An abbreviation used in formulas: a symbol, or a quantity of step j written as a function of j."""

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
    """

    words: str
    relation: sp.Basic
    optional: bool = False


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
    """

    statement: str
    form: str
    formula: sp.Expr
    where: tuple[Definition, ...] = ()
    conditions: tuple[Condition, ...] = ()
    proof: str = ""

    def _unfold(self, expression):
        for definition in reversed(self.where):
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
    def _numeric(self):
        """The formula, then the two sides of every condition, each compiled with the names it needs."""
        sides = [self._unfold(condition.relation).args for condition in self.conditions]
        return _compiled(self.expression), [(_compiled(left), _compiled(right)) for left, right in sides]

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
        for condition, left, right in known:
            lower, upper = _evaluate([left, right], values)
            broken = ~np.asarray(_COMPARE[type(condition.relation)](lower, upper))
            if broken.any():
                at = np.unravel_index(np.argmax(broken), broken.shape)
                given = {n: float(a[at]) for n, a in zip(values, np.broadcast_arrays(*values.values()), strict=True)}
                numbers = ", ".join(f"{n} = {v:g}" for n, v in given.items() if n in (*left[0], *right[0]))
                raise HypothesisError(
                    f"{self.statement} ({self.form}) needs {condition.words}; at {numbers} "
                    f"the left side is {lower[at]:g}, the right side {upper[at]:g}"
                )
        (result,) = _evaluate([formula], values)
        if np.isnan(result).any():
            raise OverflowError(f"{self.statement} ({self.form}) leaves the range of floating-point numbers")
        return float(result) if result.ndim == 0 else result

    def latex(self) -> str:
        """The formula in LaTeX, followed by its abbreviations."""
        printer = FormulaPrinter()
        parts = [printer.doprint(self.formula)]
        parts += [f"{printer.doprint(d.head)} = {printer.doprint(d.value)}" for d in self.where]
        return r",\quad ".join(parts)

    def text(self) -> str:
        """The formula in plain text, one abbreviation a line."""
        lines = [str(self.formula)] + [f"  with {d.head} = {d.value}" for d in self.where]
        return "\n".join(lines)


def _functions(expression: sp.Basic) -> set:
    return {applied.func for applied in expression.atoms(AppliedUndef)}


def _names(symbols) -> tuple[str, ...]:
    return tuple(name for name, constant in CONSTANTS.items() if constant.symbol in symbols)


def _compiled(expression: sp.Expr):
    names = _names(expression.free_symbols)
    printer = NumericPrinter({"fully_qualified_modules": True, "allow_unknown_functions": True})
    symbols = [CONSTANTS[name].symbol for name in names]
    return names, sp.lambdify(symbols, expression, modules=[NUMERIC_FUNCTIONS, "scipy", "numpy"], printer=printer)


def _evaluate(compiled, constants: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Compiled expressions at broadcast constants; sums run over one value of N at a time."""
    arrays = dict(zip(constants, np.broadcast_arrays(*constants.values()), strict=True)) if constants else {}
    shape = next(iter(arrays.values())).shape if arrays else ()
    results = [np.empty(shape) for _ in compiled]
    steps = arrays.get("steps", np.ones(shape))
    for count in np.unique(steps):
        cells = steps == count
        values = {name: int(count) if name == "steps" else array[cells] for name, array in arrays.items()}
        for (names, function), result in zip(compiled, results, strict=True):
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                result[cells] = function(*(values[name] for name in names))
    return results


_COMPARE = {
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
}


@dataclass(frozen=True)
class Statement:
    """A numbered statement: the quantity it bounds, in words and LaTeX, in which sense, and its forms."""

    name: str
    title: str
    quantity: str
    quantity_latex: str
    source: str
    forms: Mapping[str, Bound]
    remarks: str = ""
    sense: str = "<="


def statement(name, title, quantity, quantity_latex, source, remarks="", sense="<=", **forms) -> Statement:
    """A statement from formulas: each form is a dictionary of the remaining fields of `Bound`."""
    bounds = {form: Bound(statement=name, form=form, **fields) for form, fields in forms.items()}
    return Statement(name, title, quantity, quantity_latex, source, bounds, remarks, sense)
