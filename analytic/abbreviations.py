"""Abbreviations that several statements share (theory of multi-step MAML, arXiv 2002.07836)."""

import sympy as sp

from analytic.bound import Definition
from analytic.symbols import Geometric, symbols

alpha, S, L, rho, sigma_g = symbols("alpha S L rho sigma_g")
j = sp.Symbol("j", integer=True, nonnegative=True)
q = sp.Symbol("q", positive=True)
s = sp.Function("s", positive=True)
m = sp.Function("m", nonnegative=True)

GROWTH = Definition(q, 1 + alpha * L)
"""q: the largest factor by which one gradient step can stretch a distance."""

PATH_ERROR = Definition(s(j), alpha * sigma_g / sp.sqrt(S) * sp.sqrt(Geometric(q**2, j)))
"""s_j: root mean square distance of the stochastic from the exact inner path after j steps."""

PATH_DRIFT = Definition(m(j), alpha**3 * rho * sigma_g**2 / (2 * S) * Geometric(q, j) * Geometric(q, j - 1) / (1 + q))
"""m_j: distance of the mean of the stochastic inner path from the exact one after j steps."""
