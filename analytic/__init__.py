"""Theory of multi-step MAML as code: bounds, hypotheses and exact expectations. Knows nothing of experiments."""

from analytic import convergence, finite_sum, gaussian_smoothing, inner_path, meta_gradient, smoothness, zeroth_order
from analytic.bound import Bound, Condition, Definition, HypothesisError, Statement
from analytic.convergence import Convergence, corollary1, theorem1, theorem2
from analytic.finite_sum import finite_theorem1
from analytic.regularity import Regularity

_SECTIONS = (smoothness, inner_path, meta_gradient, zeroth_order, gaussian_smoothing, convergence, finite_sum)

STATEMENTS: dict[str, Statement] = {
    statement.name: statement for section in _SECTIONS for statement in section.STATEMENTS
}

__all__ = [
    "STATEMENTS",
    "Bound",
    "Condition",
    "Convergence",
    "Definition",
    "HypothesisError",
    "Regularity",
    "Statement",
    "bound",
    "corollary1",
    "finite_theorem1",
    "statement",
    "theorem1",
    "theorem2",
]


def statement(name: str) -> Statement:
    """The statement called ``name``.

    Raises
    ------
    ValueError
        If there is none; lists those there are.
    """
    if name not in STATEMENTS:
        raise ValueError(f"unknown statement {name!r}; known: {', '.join(STATEMENTS)}")
    return STATEMENTS[name]


def bound(name: str, form: str = "sharp") -> Bound:
    """One form of the right-hand side of a statement, such as ``bound("prop2-second", "paper")``.

    Raises
    ------
    ValueError
        If the statement or the form is unknown; lists those there are.
    """
    forms = statement(name).forms
    if form not in forms:
        raise ValueError(f"unknown form {form!r} of {name}; known: {', '.join(forms)}")
    return forms[form]
