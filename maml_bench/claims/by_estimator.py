"""Bounds that depend on the Hessian estimator: Propositions 3 and 4, with the two numbers of each kind of estimator.

An estimator states its ``kind``, or the two numbers themselves by ``deviation`` (`maml_bench.capabilities`);
`analytic.factors` has what they do to one factor of the meta gradient, and under which conditions. The left sides are
measured with any estimator; a bound is another matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analytic import finite_sum, meta_gradient
from analytic.bound import Bound, HypothesisError
from maml_bench.capabilities import kind, stated
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.claims.requirements import certified_noise, everywhere, first_reason, no_noise, of_kind
from maml_bench.setting import Setting

_FORMS: dict[str, Callable[[str], Mapping[str, Bound]]] = {
    "prop3": meta_gradient.bias_with,
    "prop4": meta_gradient.second_moment_with,
    "finite-prop4": finite_sum.second_moment_with,
}
"""The forms of a statement for a kind of estimator."""

_NEEDS: dict[str, Callable[[Setting], str]] = {
    "sampled": of_kind("sampled"),
    "first-order": of_kind("first-order"),
    "gaussian-smoothing": first_reason(of_kind("gaussian-smoothing"), everywhere, certified_noise),
    "zeroth-order": first_reason(of_kind("zeroth-order"), everywhere, no_noise),
    "zeroth-order-stein": first_reason(of_kind("zeroth-order-stein"), everywhere, no_noise),
}
"""What the bound of a kind asks of the setting, by kind."""


def no_theory(setting: Setting) -> str:
    """Requirement of a bound: an estimator that states its two numbers, or a kind that has them, where those hold."""
    hessian = setting.hessian
    if states_deviation(hessian):
        return ""
    if kind(hessian) in _NEEDS:
        return _NEEDS[kind(hessian)](setting)
    given = f"kind = {kind(hessian)!r}" if kind(hessian) else "neither"
    return (
        f"a Hessian estimator that states its kind, one of {', '.join(_NEEDS)}, or deviation(tasks, D) -> (bias, "
        f"variance), by which there is a bound for it; {type(hessian).__name__} states {given}"
    )


def states_deviation(hessian) -> bool:
    """Whether an estimator states its two numbers."""
    return stated(hessian, "deviation") is not None


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
        if reason := no_theory(setting):
            raise HypothesisError(f"{self.statement} needs {reason}")
        found = "stated" if states_deviation(setting.hessian) else kind(setting.hessian)
        forms = _FORMS[self.statement](found)
        if self.form not in forms:
            raise HypothesisError(f"no form {self.form!r} is known for {found} Hessians; known: {', '.join(forms)}")
        bound = forms[self.form]
        return bound(**self.constants(setting, bound.arguments))


def claims_by_estimator(name: str, measured: Callable[[str], Measurement]) -> tuple[Claim, ...]:
    """A claim for each form of the statement called ``name``, whose bound is that of the setting's estimator."""
    forms = _FORMS[name]("sampled")
    return tuple(Claim(name, form, ByEstimator(name, form, measured(form).constants), measured(form)) for form in forms)
