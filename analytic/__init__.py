"""Theory of multi-step MAML as code: bounds, hypotheses and exact expectations. Knows nothing of experiments."""

from analytic import inner_path
from analytic.bound import Bound, Condition, Definition, HypothesisError, Statement
from analytic.regularity import Regularity

STATEMENTS: dict[str, Statement] = {statement.name: statement for statement in (*inner_path.STATEMENTS,)}

__all__ = [
    "STATEMENTS",
    "Bound",
    "Condition",
    "Definition",
    "HypothesisError",
    "Regularity",
    "Statement",
    "bound",
    "statement",
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
