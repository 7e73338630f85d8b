"""A bound is a formula with its hypotheses; a statement is what is bounded, with the forms of its bound."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from analytic.symbols import CONSTANTS, NAME_OF, FormulaPrinter, NumericPrinter, checked, geometric_sum


class HypothesisError(ValueError):
    """A statement was asked about a case that its hypotheses exclude."""


@dataclass(frozen=True)
class Definition:
    """An abbreviation used in formulas: a symbol, or a quantity of step j written as a function of j."""

    head: sp.Expr
    value: sp.Expr

    def unfold(self, expression: sp.Expr) -> sp.Expr:
        if isinstance(self.head, sp.Symbol):
            return expression.xreplace({self.head: self.value})
        function, index = self.head.func, self.head.args[0]
        return expression.replace(function, lambda at: self.value.xreplace({index: at}))


@dataclass(frozen=True)
class Condition:
    """A named hypothesis: a relation between constants."""

    words: str
    relation: sp.Basic


@dataclass(frozen=True)
class Bound:
    """One form of a right-hand side.

    Parameters
    ----------
    statement, form : str
        Such as ``"prop2-second"`` and ``"sharp"``.
    formula : sympy.Expr
        The bound, in the symbols of ``analytic.symbols`` and the abbreviations of ``where``.
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
        free = set(self.expression.free_symbols)
        for condition in self.conditions:
            free |= self._unfold(condition.relation).free_symbols
        return tuple(name for name, constant in CONSTANTS.items() if constant.symbol in free)

    @cached_property
    def _numeric(self):
        targets = [self.expression]
        for condition in self.conditions:
            relation = self._unfold(condition.relation)
            targets += [relation.lhs, relation.rhs]
        symbols = [CONSTANTS[name].symbol for name in self.arguments]
        printer = NumericPrinter({"fully_qualified_modules": True, "allow_unknown_functions": True})
        modules = [{"geometric_sum": geometric_sum}, "scipy", "numpy"]
        return [sp.lambdify(symbols, target, modules=modules, printer=printer) for target in targets]

    def _evaluate(self, constants: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Formula and both sides of every condition, broadcast; sums run over one value of N at a time."""
        arrays = dict(zip(constants, np.broadcast_arrays(*constants.values()), strict=True)) if constants else {}
        shape = next(iter(arrays.values())).shape if arrays else ()
        results = [np.empty(shape) for _ in self._numeric]
        steps = arrays.get("steps", np.ones(shape))
        for count in np.unique(steps):
            cells = steps == count
            values = [int(count) if name == "steps" else arrays[name][cells] for name in self.arguments]
            for function, result in zip(self._numeric, results, strict=True):
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                    result[cells] = function(*values)
        return results

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
        """
        values = checked(constants)
        missing = [name for name in self.arguments if name not in values]
        if missing:
            needs = "; ".join(f"{name} ({CONSTANTS[name].words})" for name in missing)
            raise ValueError(f"{self.statement} ({self.form}) needs {needs}")
        values = {name: values[name] for name in self.arguments}
        for name, array in values.items():
            if np.isinf(array).any():
                raise HypothesisError(
                    f"{self.statement} ({self.form}) needs a finite {name} ({CONSTANTS[name].words}); none is known here"
                )
        result, *sides = self._evaluate(values)
        for condition, left, right in zip(self.conditions, sides[::2], sides[1::2], strict=True):
            broken = ~np.asarray(_COMPARE[type(condition.relation)](left, right))
            if broken.any():
                at = np.unravel_index(np.argmax(broken), broken.shape)
                given = {n: float(a[at]) for n, a in zip(values, np.broadcast_arrays(*values.values()), strict=True)}
                used = [NAME_OF[s] for s in self._unfold(condition.relation).free_symbols]
                numbers = ", ".join(f"{name} = {given[name]:g}" for name in given if name in used)
                raise HypothesisError(
                    f"{self.statement} ({self.form}) needs {condition.words}; at {numbers} "
                    f"the left side is {left[at]:g}, the right side {right[at]:g}"
                )
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


_COMPARE = {
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
}


@dataclass(frozen=True)
class Statement:
    """A numbered statement: the quantity it bounds, in words and LaTeX, and the forms of its bound."""

    name: str
    title: str
    quantity: str
    quantity_latex: str
    source: str
    forms: Mapping[str, Bound]
    remarks: str = ""


def statement(name, title, quantity, quantity_latex, source, remarks="", **forms) -> Statement:
    """A statement from formulas: each form is a dictionary of the remaining fields of `Bound`."""
    bounds = {form: Bound(statement=name, form=form, **fields) for form, fields in forms.items()}
    return Statement(name, title, quantity, quantity_latex, source, bounds, remarks)
