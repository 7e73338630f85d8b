r"""Abbreviations that several statements share (theory of multi-step MAML, arXiv 2002.07836).

Each is proved where it is first needed: `analytic.inner_path` (s, m, h, kappa), `analytic.smoothness` (C_L),
`analytic.lemma_a` (Lemma A).
"""

import sympy as sp

from analytic.bound import Condition, Definition
from analytic.functions import Geometric, Least
from analytic.vocabulary import symbols

alpha, S, L, rho, sigma, sigma_g, N, G = symbols("alpha S L rho sigma sigma_g steps grad_norm")
j = sp.Symbol("j", integer=True, nonnegative=True)
q = sp.Symbol("q", positive=True)
c = sp.Symbol("c", nonnegative=True)
C_L = sp.Symbol("C_L", nonnegative=True)
gamma, Gamma = sp.symbols("gamma Gamma", nonnegative=True)
s = sp.Function("s", positive=True)
m = sp.Function("m", nonnegative=True)
h = sp.Function("h", nonnegative=True)
kappa = sp.Symbol("kappa", nonnegative=True)
omega = sp.Symbol("omega", nonnegative=True)
mu = sp.Symbol("mu", positive=True)

GROWTH = Definition(q, 1 + alpha * L)
"""q: the largest factor by which one gradient step can stretch a distance."""

EXCESS = Definition(c, q ** (2 * N) - 1)
"""c: the relative distance of the meta gradient from the gradient at the starting point."""

CURVATURE = Definition(C_L, alpha * rho * q ** (2 * N - 1) * Geometric(q, N))
"""C_L: how fast the smoothness of the meta objective grows with the task gradients; (rho/L) q^(2N-1) (q^N - 1)."""

PATH_ERROR = Definition(s(j), alpha * sigma_g / sp.sqrt(S) * sp.sqrt(Geometric(q**2, j)))
"""s_j: root mean square distance of the stochastic from the exact inner path after j steps."""

PATH_DRIFT = Definition(m(j), alpha**3 * rho * sigma_g**2 / (2 * S) * Geometric(q, j) * Geometric(q, j - 1) / (1 + q))
"""m_j: distance of the mean of the stochastic inner path from the exact one after j steps."""

HESSIAN_ERROR = Definition(h(j), Least(rho * s(j), 2 * L))
"""h_j: mean distance of the Hessian on the stochastic path from the one on the exact path, never more than 2L."""

GRADIENT_DRIFT = Definition(kappa, Least(L * s(N), L * m(N) + rho / 2 * s(N) ** 2))
"""kappa: distance of the mean gradient at the end of the stochastic path from that at the end of the exact path."""

TASK_GRADIENT_MEAN = Definition(Gamma, (G + sigma) / (1 - c))
"""Gamma: Lemma A as stated; bounds the mean over tasks of the norm of the task gradient."""

TASK_GRADIENT_RMS = Definition(gamma, sp.sqrt(((G + c * sigma) / (1 - c)) ** 2 + sigma**2))
"""gamma: Lemma A as stated; bounds the root mean square over tasks of the norm of the task gradient."""

TASK_GRADIENT = Definition(gamma, (c * G + sp.sqrt(G**2 + ((1 - c) * (1 + c)) * sigma**2)) / ((1 - c) * (1 + c)))
"""gamma: Lemma A, sharp; bounds both the mean and the root mean square."""

STEP_CONDITION = Condition("q^(2N) < 2, that is alpha < (2^(1/(2N)) - 1)/L", q ** (2 * N) < 2)
"""What Lemma A needs: the inner loop turns the gradient by less than its own length."""

TURN = Definition(omega, 2 * N * sp.asin(alpha * L))
"""omega: the largest angle by which the inner loop can turn a gradient."""

MEAN_FACTOR = Definition(mu, (1 - (alpha * L) ** 2) ** N / sp.cos(omega))
"""mu >= 1: the multiple of the gradient at w to which the meta gradient is close, within mu sin(omega) times it."""

CONE = (TURN, MEAN_FACTOR)

CONE_CONDITION = Condition(
    "alpha L < sin(pi/(4N)), that is 2N arcsin(alpha L) < pi/2", alpha * L < sp.sin(sp.pi / (4 * N))
)
"""What the cone form of Lemma A needs: the inner loop turns the gradient by less than a right angle."""


def cone_lemma(gradient):
    """Cone form of Lemma A at a norm of the meta gradient: bounds of the mean gradient, and of the task gradients."""
    root = sp.sqrt(gradient**2 + sp.cos(omega) ** 2 * sigma**2)
    turned = sp.sin(omega)
    return (gradient + turned * root) / sp.cos(omega) ** 2, (turned * gradient + root) / sp.cos(omega) ** 2


TASK_GRADIENT_CONE = Definition(gamma, cone_lemma(G / mu)[1])
"""gamma: Lemma A, cone; bounds both the mean and the root mean square."""
