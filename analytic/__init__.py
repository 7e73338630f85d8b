"""Theory of multi-step MAML as code: bounds, hypotheses and exact expectations. Knows nothing of experiments.

Statements are built when asked for: a section of the theory is loaded when a statement is first looked up in it.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from analytic.arguments import known
from analytic.bound import Bound, Condition, Definition, HypothesisError, Statement
from analytic.regularity import Regularity

if TYPE_CHECKING:
    from analytic.convergence import Convergence, corollary1, theorem1, theorem2
    from analytic.direct import Direct
    from analytic.finite_sum import finite_theorem1, finite_theorem2

_SECTIONS = (
    "lemma_a",
    "smoothness",
    "inner_path",
    "meta_gradient",
    "zeroth_order",
    "gaussian_smoothing",
    "stall",
    "convergence",
    "without_jensen",
    "finite_sum",
)

_HOMES = {
    "Convergence": "convergence",
    "corollary1": "convergence",
    "theorem1": "convergence",
    "theorem2": "convergence",
    "finite_theorem1": "finite_sum",
    "finite_theorem2": "finite_sum",
    "Direct": "direct",
}
"""The section of each name that loads when used."""

__all__ = [
    "STATEMENTS",
    "Bound",
    "Condition",
    "Convergence",
    "Definition",
    "Direct",
    "HypothesisError",
    "Regularity",
    "Statement",
    "bound",
    "corollary1",
    "finite_theorem1",
    "finite_theorem2",
    "statement",
    "theorem1",
    "theorem2",
]


class _Statements(Mapping[str, Statement]):
    """All statements by name, in the order of the theory."""

    def _all(self) -> Iterator[Statement]:
        for section in _SECTIONS:
            yield from importlib.import_module(f"analytic.{section}").STATEMENTS

    def __getitem__(self, name: str) -> Statement:
        for one in self._all():
            if one.name == name:
                return one
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (one.name for one in self._all())

    def __len__(self) -> int:
        return sum(1 for _ in self._all())


STATEMENTS: Mapping[str, Statement] = _Statements()


def statement(name: str) -> Statement:
    """The statement called ``name``.

    Raises
    ------
    ValueError
        If there is none; lists those there are.

    Examples
    --------
    >>> from analytic import statement
    >>> statement("prop3").source
    'Proposition 3'
    """
    return STATEMENTS[known("statement", name, STATEMENTS)]


def bound(name: str, form: str = "sharp") -> Bound:
    """One form of the right-hand side of a statement, such as ``bound("prop2-second", "paper")``.

    Raises
    ------
    ValueError
        If the statement or the form is unknown; lists those there are.

    Examples
    --------
    >>> from analytic import bound
    >>> bound("prop2-first", "paper").formula
    alpha*sigma_g*geom(q, N)/sqrt(S)
    """
    forms = statement(name).forms
    return forms[known("form", form, forms, f" of {name}")]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"analytic.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'analytic' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
