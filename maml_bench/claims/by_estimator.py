"""Bounds that depend on the Hessian estimator: Propositions 3 and 4, with the two numbers of each kind of estimator.

An estimator states its ``kind`` (`maml_bench.hessians`); `analytic.factors` has what a kind does to one factor of the
meta gradient, and under which conditions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from analytic import finite_sum, meta_gradient
from analytic.bound import Bound, HypothesisError
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.claims.requirements import certified_noise, everywhere, first_reason, no_noise
from maml_bench.hessians import OfKnownKind
from maml_bench.setting import Setting

_FORMS: dict[str, Callable[[str], Mapping[str, Bound]]] = {
    "prop3": meta_gradient.bias_with,
    "prop4": meta_gradient.second_moment_with,
    "finite-prop4": finite_sum.second_moment_with,
}
"""The forms of a statement for a kind of estimator."""

_NEEDS: dict[str, Callable[[Setting], str]] = {
    "sampled": lambda setting: "",
    "first-order": lambda setting: "",
    "gaussian-smoothing": first_reason(everywhere, certified_noise),
    "zeroth-order": first_reason(everywhere, no_noise),
    "zeroth-order-stein": first_reason(everywhere, no_noise),
}
"""What the bound of a kind asks of the setting, by kind."""


def known_kind(setting: Setting) -> str:
    """Requirement of bounds that depend on the estimator: one of a kind that has a bound, under its conditions."""
    kind = getattr(setting.hessian, "kind", "")
    if kind in _NEEDS:
        return _NEEDS[kind](setting)
    name = type(setting.hessian).__name__
    return f"a Hessian estimator that states its kind, one of {', '.join(_NEEDS)}; {name} states none of them"


@dataclass(frozen=True)
class ByEstimator:
    """A form of a bound for the estimator of the setting.

    Parameters
    ----------
    statement, form : str
    constants : callable
        What the bound is evaluated at, as in `Measurement`.
    """

    statement: str
    form: str
    constants: Callable[[Setting, tuple[str, ...]], dict]

    arguments = ("setting",)

    @property
    def plain(self) -> Bound:
        """The form for Hessians of batches, which is the statement as it stands."""
        return _FORMS[self.statement]("sampled")[self.form]

    @property
    def expression(self):
        return self.plain.expression

    @property
    def conditions(self):
        return self.plain.conditions

    @property
    def formula(self):
        return self.plain.formula

    def latex(self) -> str:
        return self.plain.latex()

    def __call__(self, setting: Setting) -> float | np.ndarray:
        kind = cast(OfKnownKind, setting.hessian).kind
        forms = _FORMS[self.statement](kind)
        if self.form not in forms:
            raise HypothesisError(f"no form {self.form!r} is known for {kind} Hessians; known: {', '.join(forms)}")
        bound = forms[self.form]
        return bound(**self.constants(setting, bound.arguments))


def claims_by_estimator(name: str, measured: Callable[[str], Measurement]) -> tuple[Claim, ...]:
    """A claim for each form of the statement called ``name``, whose bound is that of the setting's estimator."""
    forms = _FORMS[name]("sampled")
    return tuple(Claim(name, form, ByEstimator(name, form, measured(form).constants), measured(form)) for form in forms)
