"""Which statements of the theory may be applied to a problem, by the constants they need."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import analytic


@dataclass(frozen=True)
class Applicability:
    """Whether one form of a statement applies, and what stands in the way if not."""

    statement: str
    form: str
    applies: bool
    reason: str = ""


def applicable(constants: Mapping[str, float], refuted: set[str]) -> tuple[Applicability, ...]:
    """Every form of every statement, judged for a problem with these certified constants.

    A form applies if every constant of the problem that its formula needs is finite and none is refuted. ``refuted``
    may also hold properties, such as ``"gradient"`` or ``"unbiased"``: derivatives that disagree and biased samplers
    rule out everything. Statements on support and target losses (``finite-...``) go with problems that certify ``b``,
    the others with the rest. Conditions on the setting (step size, number of steps, batch sizes) are tested by the
    bound itself.
    """
    broken = [f"{name} failed" for name in sorted(refuted - set(constants))]
    entries = []
    for statement in analytic.STATEMENTS.values():
        reasons = list(broken)
        if statement.name.startswith("finite-") != ("b" in constants):
            reasons.append("speaks of one loss a task" if "b" in constants else "speaks of support and target losses")
        for form, bound in statement.forms.items():
            lacking = list(reasons)
            for name in bound.arguments if not reasons else ():
                if name in refuted:
                    lacking.append(f"{name} is refuted")
                elif math.isinf(constants.get(name, 0.0)):
                    lacking.append(f"no finite {name} is known")
            entries.append(Applicability(statement.name, form, not lacking, "; ".join(lacking)))
    return tuple(entries)
