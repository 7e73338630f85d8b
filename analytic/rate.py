r"""The end of Theorem 1 in the forms that bound inner products by Young's inequality (arXiv 2002.07836).

The descent is proved in `analytic.convergence` and `analytic.finite_sum`, where the formulas
come from; here :math:`E[G^2/(\chi+G)] \le R` is turned into
:math:`E\|\nabla\mathcal{L}(w_\zeta)\| \le R/2 + (R^2/4 + \chi R)^{1/2}`, in units in which all limits are finite.
"""

from dataclasses import dataclass
from typing import Any

import sympy as sp

from analytic.abbreviations import C_L, L
from analytic.bound import Bound, Condition, Definition
from analytic.functions import Quotient
from analytic.vocabulary import symbols

B, S, K, gap, epsilon = symbols("B S K gap epsilon")
r, R, P = sp.symbols("r R P", nonnegative=True)
theta_0 = sp.Symbol("theta_0", real=True)


@dataclass(frozen=True)
class Convergence:
    """A convergence theorem at given constants: its intermediate quantities and the final bound ``value``.

    Examples
    --------
    >>> from analytic import theorem1
    >>> at = dict(alpha=0.01, steps=2, S=100, D=100, T=100, B=100, K=1000, C_beta=100, L=1.0, rho=1.0)
    >>> at |= dict(sigma=1.0, sigma_g=1.0, sigma_H=1.0, gap=1.0)
    >>> found = theorem1("sharp", **at)
    >>> round(found.theta, 3), round(found.value, 3)
    (0.167, 0.548)
    """

    chi: float
    xi: float
    phi: float
    theta: float
    R: float
    value: float


@dataclass(frozen=True)
class Rate:
    """The formulas of one form of a convergence theorem, from which everything else is derived.

    ``xi`` and ``phi`` are multiplied by L, ``start`` is chi less ``spread``, multiplied by C_L/L, and ``scale`` is
    theta C_L/theta_0: in these units all limits are finite.
    """

    start: sp.Expr
    spread: sp.Expr
    xi: sp.Expr
    phi: sp.Expr
    scale: sp.Expr
    where: tuple[Definition, ...]
    conditions: tuple[Condition, ...]

    def formulas(self) -> dict[str, sp.Expr]:
        """The fields of `Convergence`; ``P`` is chi R."""
        return {
            "chi": self.start / Quotient(C_L, L) + self.spread,
            "xi": Quotient(self.xi, L),
            "phi": Quotient(self.phi, L),
            "theta": Quotient(self.scale * theta_0, C_L),
            "R": R,
            "value": R / 2 + sp.sqrt(R**2 / 4 + P),
        }

    def bounds(self, statement: str, form: str, proof: str) -> dict[str, Bound]:
        """One bound for each field; only ``value`` carries the hypotheses."""
        slope = Quotient(C_L, L)
        where = (
            *self.where,
            Definition(r, (L * gap / K + self.xi / S + self.phi / B) / (self.scale * theta_0)),
            Definition(R, slope * r),
            Definition(P, (self.start + slope * self.spread) * r),
        )
        conditions = {"value": self.conditions}
        return {
            field: Bound(statement, form, formula, where, conditions.get(field, ()), proof)
            for field, formula in self.formulas().items()
        }

    def iterations(self, statement: str, form: str, proof: str) -> Bound:
        """Meta-iterations after which the bound is at most ``epsilon``."""
        weight = self.start + Quotient(C_L, L) * (self.spread + epsilon)
        progress, floor = self.scale * theta_0 * epsilon**2 / weight, self.xi / S + self.phi / B
        reachable = Condition("epsilon above what bias and variance leave (larger S, T, B)", progress > floor)
        conditions = (*self.conditions, reachable)
        return Bound(statement, form, L * gap / (progress - floor), self.where, conditions, proof)


def evaluate(fields: dict[str, Bound], constants) -> Convergence:
    """All fields of one form at given constants, hypotheses checked."""
    value: Any = fields["value"](**constants)
    rest: dict[str, Any] = {name: bound(**constants) for name, bound in fields.items() if name != "value"}
    return Convergence(**rest, value=value)
