"""The vocabulary of the theory: every constant a bound may depend on, with its symbol, meaning and domain.

A constant has one name everywhere: the keyword of a bound, the attribute of a certificate and the column of a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.special import poch
from sympy.printing.latex import LatexPrinter
from sympy.printing.numpy import SciPyPrinter


@dataclass(frozen=True)
class Constant:
    """One constant: its symbol, what it means, and whether it counts something or may be zero."""

    symbol: sp.Symbol
    words: str
    counts: bool = False
    positive: bool = False

    @property
    def allowed(self) -> str:
        if self.counts:
            return "an integer >= 1"
        return "a number > 0" if self.positive else "a number >= 0"


def _real(latex: str, words: str, positive: bool = False) -> Constant:
    return Constant(sp.Symbol(latex, positive=True), words, positive=positive)


def _count(latex: str, words: str) -> Constant:
    return Constant(sp.Symbol(latex, integer=True, positive=True), words, counts=True)


CONSTANTS: dict[str, Constant] = {
    "dim": _count("d", "dimension of the parameter"),
    "steps": _count("N", "inner-loop gradient steps"),
    "alpha": _real("alpha", "inner step size", positive=True),
    "S": _count("S", "samples per inner gradient"),
    "D": _count("D", "samples per inner Hessian"),
    "T": _count("T", "samples of the final gradient"),
    "B": _count("B", "tasks per meta-iteration"),
    "B_beta": _count("B'", "tasks spent on estimating the meta step size"),
    "D_beta": _count("D_L", "samples per gradient in the estimate of the meta step size"),
    "C_beta": _real("C_beta", "divisor in the meta step size", positive=True),
    "K": _count("K", "meta-iterations"),
    "directions": _count("Q", "Gaussian directions per Hessian estimate"),
    "nu": _real("nu", "smoothing radius", positive=True),
    "delta": _real("delta", "difference step of the Hessian-vector product", positive=True),
    "L": _real("L", "Lipschitz constant of the gradient"),
    "rho": _real("rho", "Lipschitz constant of the Hessian"),
    "tau": _real("tau", "Lipschitz constant of the third derivative"),
    "sigma": _real("sigma", "task heterogeneity of the gradient"),
    "sigma_g": _real("sigma_g", "standard deviation of a one-sample gradient"),
    "sigma_H": _real("sigma_H", "standard deviation of a one-sample Hessian"),
    "grad_norm": _real("G", "norm of the meta gradient"),
    "task_grad_norm": _real("g_1", "mean over tasks of the norm of the task gradient at w"),
    "task_grad_rms": _real("g_2", "root mean square over tasks of the norm of the task gradient at w"),
    "epsilon": _real("epsilon", "target for the norm of the meta gradient", positive=True),
    "gap": _real("Delta", "meta objective at the start less its infimum"),
    "b": _real("b", "mean over tasks of the support-target gradient distance b_i"),
    "b_tilde": _real("b_2", "mean square over tasks of b_i"),
}


def symbols(names: str) -> tuple[sp.Symbol, ...]:
    """The symbols of space-separated constant names."""
    return tuple(CONSTANTS[name].symbol for name in names.split())


class Geometric(sp.Function):
    """The geometric sum ``1 + x + ... + x^(n-1)``, which stays finite and exact as x tends to 1."""

    nargs = 2

    @classmethod
    def eval(cls, x, n):
        if n == 0:
            return sp.S.Zero
        if n == 1:
            return sp.S.One
        if x == 1:
            return n
        return None

    def closed(self):
        x, n = self.args
        return (x**n - 1) / (x - 1)

    def _latex(self, printer, exp=None):
        text = printer._print(self.closed())
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer):
        x, n = self.args
        return f"geom({printer._print(x)}, {printer._print(n)})"


class Quotient(sp.Function):
    """``x/y`` with ``0/0 = 0``: for quantities whose numerator vanishes first, as that of rho/L does."""

    nargs = 2

    @classmethod
    def eval(cls, x, y):
        if x.is_zero:
            return sp.S.Zero
        return x / y if y.is_number and not y.is_zero else None

    def closed(self):
        x, y = self.args
        return x / y

    def _latex(self, printer, exp=None):
        x, y = self.args
        text = rf"\frac{{{printer._print(x)}}}{{{printer._print(y)}}}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer):
        x, y = self.args
        return f"(({printer._print(x)})/({printer._print(y)}))"


class Least(sp.Function):
    """The smaller of two; unlike ``sympy.Min`` it does not try to tell symbolically which one that is."""

    nargs = 2

    @classmethod
    def eval(cls, x, y):
        return sp.Min(x, y) if x.is_number and y.is_number else None

    def _latex(self, printer, exp=None):
        text = rf"\min\left({', '.join(map(printer._print, self.args))}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _sympystr(self, printer):
        return f"min({', '.join(map(printer._print, self.args))})"


class NormMoment(sp.Function):
    """``E ||u||^k`` for a standard Gaussian vector u of dimension d; ``NormMoment(k, d)``, k a whole number."""

    nargs = 2

    @classmethod
    def eval(cls, k, d):
        if k.is_Integer and k % 2 == 0:
            return sp.prod([d + 2 * i for i in range(int(k) // 2)])
        return 2 ** (k / 2) * sp.gamma((d + k) / 2) / sp.gamma(d / 2) if d.is_number else None

    def closed(self):
        k, d = self.args
        return 2 ** (k / 2) * sp.gamma((d + k) / 2) / sp.gamma(d / 2)

    def _latex(self, printer, exp=None):
        k, d = self.args
        above, below = printer._print(d + k), printer._print(d)
        text = rf"\frac{{2^{{{k}/2}} \Gamma(\frac{{{above}}}{{2}})}}{{\Gamma(\frac{{{below}}}{{2}})}}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer):
        return f"E||u||^{self.args[0]}"


def geometric_sum(x, n):
    """``1 + x + ... + x^(n-1)`` for ``x >= 1``, arrays broadcast; accurate as x tends to 1."""
    growth = np.asarray(x, dtype=float) - 1
    safe = np.where(growth == 0, 1.0, growth)
    return np.where(growth == 0, n * np.ones_like(growth), np.expm1(n * np.log1p(safe)) / safe)


def quotient(x, y):
    """``x/y`` with ``0/0 = 0`` and ``x/0 = inf`` for ``x > 0``; arrays broadcast."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    with np.errstate(divide="ignore", over="ignore"):
        return np.divide(x, y, out=np.zeros(x.shape), where=x != 0)


def norm_moment(k, d):
    """``E ||u||^k`` for a standard Gaussian vector of dimension d; keeps its precision for huge d."""
    return 2 ** (k / 2) * poch(np.asarray(d, dtype=float) / 2, k / 2)


NUMERIC_FUNCTIONS = {"geometric_sum": geometric_sum, "quotient": quotient, "norm_moment": norm_moment}


class NumericPrinter(SciPyPrinter):
    """NumPy code for the functions of this module."""

    def _print_Least(self, expr):
        return f"numpy.minimum({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    def _print_Geometric(self, expr):
        return f"geometric_sum({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    def _print_Quotient(self, expr):
        return f"quotient({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    def _print_NormMoment(self, expr):
        return f"norm_moment({self._print(expr.args[0])}, {self._print(expr.args[1])})"


class FormulaPrinter(LatexPrinter):
    """LaTeX in which a quantity of step j carries it as a subscript: s_{j}, not s(j)."""

    def _print_AppliedUndef(self, expr, exp=None):
        text = f"{expr.func.__name__}_{{{', '.join(map(self._print, expr.args))}}}"
        return text if exp is None else f"{text}^{{{exp}}}"

    def _print_Function(self, expr, exp=None):
        if isinstance(expr, sp.core.function.AppliedUndef):
            return self._print_AppliedUndef(expr, exp)
        return super()._print_Function(expr, exp)


def checked(values: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Constants as float arrays, each inside its domain (``inf`` passes: it means "not known to be finite").

    Raises
    ------
    ValueError
        Naming the constant, what was given and what is allowed.
    """
    out = {}
    for name, value in values.items():
        if name not in CONSTANTS:
            raise ValueError(f"unknown constant {name!r}; known: {', '.join(CONSTANTS)}")
        constant = CONSTANTS[name]
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"{name} = {value!r}: must be {constant.allowed}") from None
        wrong = np.isnan(array) | (array < 0)
        if constant.counts:
            wrong |= (array < 1) | ~np.isfinite(array) | (array != np.round(array))
        if constant.positive:
            wrong |= array == 0
        if wrong.any():
            raise ValueError(f"{name} = {array[wrong].flat[0]:g}: must be {constant.allowed}")
        out[name] = array
    _reject_contradictions(out)
    return out


def _reject_contradictions(given: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError where two constants cannot both describe one problem."""
    slack = 1 + 1e-9  # rounding of measured means must not count as a contradiction

    def somewhere(first, second, contradicts):
        return first in given and second in given and np.any(contradicts(given[first], given[second]))

    if somewhere("L", "rho", lambda L, rho: (L == 0) & (rho > 0)):
        raise ValueError("rho > 0 contradicts L = 0: a constant gradient has Hessian 0, so rho must be 0")
    if somewhere("rho", "tau", lambda rho, tau: (rho == 0) & (tau > 0) & np.isfinite(tau)):
        raise ValueError("tau > 0 contradicts rho = 0: a constant Hessian has third derivative 0, so tau must be 0")
    if somewhere("task_grad_norm", "task_grad_rms", lambda mean, rms: mean > rms * slack):
        raise ValueError("task_grad_norm > task_grad_rms: a mean cannot exceed the root mean square")
    if somewhere("b", "b_tilde", lambda b, b_tilde: b**2 > b_tilde * slack):
        raise ValueError("b^2 > b_tilde: a squared mean cannot exceed the mean square")
