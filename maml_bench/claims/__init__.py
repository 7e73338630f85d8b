"""Claims: where experiment and theory meet. One file a topic of `analytic`; ``get`` finds a claim by name and form.

Claims are made when asked for: a topic is loaded when a claim is first looked up in it, or in one that comes later.

>>> from maml_bench import claims
>>> claims.get("prop2-second", form="paper").scaled(0.5).factor
0.5
"""

import importlib
from collections.abc import Iterator, Mapping

from analytic import STATEMENTS, arguments
from analytic.arguments import shown
from maml_bench.claims.claim import Claim, Measurement

_TOPICS = (
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


def _topics() -> Iterator[tuple[Claim, ...]]:
    """The claims of one topic after another."""
    for topic in _TOPICS:
        yield importlib.import_module(f"maml_bench.claims.{topic}").CLAIMS


class _Claims(Mapping[tuple[str, str], Claim]):
    """All claims by name and form."""

    def __getitem__(self, key: tuple[str, str]) -> Claim:
        for claims in _topics():
            for claim in claims:
                if (claim.name, claim.form) == key:
                    return claim
        raise KeyError(key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((claim.name, claim.form) for claims in _topics() for claim in claims)

    def __len__(self) -> int:
        return sum(map(len, _topics()))


CLAIMS: Mapping[tuple[str, str], Claim] = _Claims()

__all__ = ["CLAIMS", "Claim", "Measurement", "chosen", "forms", "get", "names"]


def names() -> list[str]:
    """Names of all claims.

    Examples
    --------
    >>> from maml_bench import claims
    >>> claims.names()[:4]
    ['prop1', 'prop2-first', 'prop2-second', 'prop2-mean']
    """
    return list(dict.fromkeys(name for name, _ in CLAIMS))


def forms(name: str) -> list[str]:
    """Forms of the claim called ``name``.

    Raises
    ------
    ValueError
        If there is none; lists those there are.

    Examples
    --------
    >>> from maml_bench import claims
    >>> claims.forms("prop2-mean")
    ['sharp', 'refined']
    """
    if not isinstance(name, str):
        raise ValueError(f"claim = {shown(name)}: must be the name of a claim, or a Claim")
    for claims in _topics():
        if found := [claim.form for claim in claims if claim.name == name]:
            return found
    if name in STATEMENTS:
        raise ValueError(f"{name} cannot be checked: {STATEMENTS[name].remarks}")
    raise ValueError(f"unknown claim {name!r}; known: {', '.join(names())}")


def get(name: str, form: str | None = None) -> Claim:
    """The claim ``name`` with the bound in the given form, such as ``get("prop2-second", form="paper")``.

    Without a form: ``sharp``, or the first there is where a statement has none of that name.

    Raises
    ------
    ValueError
        If the claim or the form is unknown; lists those there are.

    Examples
    --------
    >>> from maml_bench import claims
    >>> claims.get("prop2-second", form="paper").form
    'paper'
    """
    known = forms(name)
    if form is None:
        form = "sharp" if "sharp" in known else known[0]
    return CLAIMS[name, arguments.known("form", form, known, f" of {name}")]


def chosen(claim: str | Claim, form: str | None = None) -> Claim:
    """The claim of a name, in the form given or that of `get`; a claim stays what it is.

    Raises
    ------
    ValueError
        As `get`, or if the form is not that of the claim given.

    Examples
    --------
    >>> from maml_bench import claims
    >>> claims.chosen("prop2-second") == claims.get("prop2-second", "sharp")
    True
    """
    if not isinstance(claim, Claim):
        return get(claim, form)
    if form is not None and not (isinstance(form, str) and form == claim.form):
        raise ValueError(f"form = {shown(form)}: the claim given is {claim.name} in the form {claim.form!r}")
    return claim
