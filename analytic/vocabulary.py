"""The vocabulary of the theory: every constant a bound may depend on, with its symbol, meaning and domain.

A constant has one name everywhere: the keyword of a bound, the attribute of a certificate and the column of a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp

from analytic.arguments import common_shape, known, real, shown


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


MOST_STEPS = 2**53
"""Up to there every integer is a float."""

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
    "hessian_bias": _real("b_H", "how far the mean of the Hessian estimator may be from the Hessian, at any point"),
    "hessian_variance": _real("V_H", "variance of the Hessian estimator on a unit vector, at any point"),
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
    "trace_spread": _real("sigma_t", "standard deviation over tasks of (l_nu - l)/nu^2 at w, nearly half the trace"),
    "trace_covariance": _real("c_t", "norm of the covariance over tasks of (l_nu - l)/nu^2 and the gradient at w"),
    "cap": _real("M", "level at which the norm of the meta gradient is cut", positive=True),
    "failure": _real("p_f", "probability with which a bound may fail", positive=True),
    "gap": _real("Delta", "meta objective at the start less its infimum"),
    "b": _real("b", "mean over tasks of the support-target gradient distance b_i"),
    "b_tilde": _real("b_2", "mean square over tasks of b_i"),
}


def symbols(names: str) -> tuple[sp.Symbol, ...]:
    """The symbols of space-separated constant names."""
    return tuple(CONSTANTS[name].symbol for name in names.split())


def checked(values: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Constants as float arrays, each inside its domain (``inf`` passes: it means "not known to be finite").

    Raises
    ------
    ValueError
        Naming the constant, what was given and what is allowed.
    """
    out = {}
    for name, value in values.items():
        constant = CONSTANTS[known("constant", name, CONSTANTS)]
        try:
            array = real(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} = {shown(value)}: must be {constant.allowed}") from None
        wrong = np.isnan(array) | (array < 0)
        if constant.counts:
            wrong |= (array < 1) | ~np.isfinite(array) | (array != np.round(array))
        if constant.positive:
            wrong |= array == 0
        if wrong.any():
            raise ValueError(f"{name} = {array[wrong].flat[0]:g}: must be {constant.allowed}")
        if name == "steps" and (array > MOST_STEPS).any():
            raise ValueError(f"steps = {array.max():g}: must be at most 2^53")
        out[name] = array
    common_shape("constants", **{name: array.shape for name, array in out.items()})
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
    if somewhere("b", "b_tilde", lambda b, b_tilde: b > np.sqrt(b_tilde) * slack):
        raise ValueError("b^2 > b_tilde: a squared mean cannot exceed the mean square")
