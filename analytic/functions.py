"""Functions that bounds are written with: how each is typeset, and how it is computed without losing digits."""

import functools

import numpy as np
import scipy
import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.numpy import SciPyPrinter

MOST_TERMS = 10**5
"""Of a sum over steps: so many take a second or two."""


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


def terms(first: int, end: int) -> range:
    """What a sum over steps runs over, one after another.

    Raises
    ------
    ValueError
        If there are more than `MOST_TERMS`.
    """
    if end - first > MOST_TERMS:
        raise ValueError(f"steps = {end - first}: must be at most {MOST_TERMS} where a bound sums over them")
    return range(first, end)


def quotient(x, y):
    """``x/y`` with ``0/0 = 0`` and ``x/0 = inf`` for ``x > 0``; arrays broadcast."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    with np.errstate(divide="ignore", over="ignore"):
        return np.divide(x, y, out=np.zeros(x.shape), where=x != 0)


def norm_moment(k, d):
    """``E ||u||^k`` for a standard Gaussian vector of dimension d; keeps its precision for huge d."""
    return 2 ** (k / 2) * scipy.special.poch(np.asarray(d, dtype=float) / 2, k / 2)


NUMERIC_FUNCTIONS = {
    "functools": functools,  # of which sympy's Max and Min are made
    "geometric_sum": geometric_sum,
    "quotient": quotient,
    "norm_moment": norm_moment,
    "terms": terms,
}


class NumericPrinter(SciPyPrinter):
    """NumPy code for the functions of this module."""

    def _print_Sum(self, expr):
        return super()._print_Sum(expr).replace(" in range(", " in terms(")

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
