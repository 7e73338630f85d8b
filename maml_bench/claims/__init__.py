"""Claims: where experiment and theory meet. One file a topic of `analytic`; ``get`` finds a claim by name and form."""

from analytic import STATEMENTS
from maml_bench.claims import (
    convergence,
    finite_sum,
    gaussian_smoothing,
    inner_path,
    meta_gradient,
    smoothness,
    stall,
    without_jensen,
    zeroth_order,
)
from maml_bench.claims.claim import Claim, Measurement

_TOPICS = (
    smoothness,
    inner_path,
    meta_gradient,
    zeroth_order,
    gaussian_smoothing,
    stall,
    convergence,
    without_jensen,
    finite_sum,
)

CLAIMS: dict[tuple[str, str], Claim] = {(claim.name, claim.form): claim for topic in _TOPICS for claim in topic.CLAIMS}

MODULES: dict[str, str] = {claim.name: topic.__name__ for topic in _TOPICS for claim in topic.CLAIMS}
"""The module that makes a claim: part of what its verdicts depend on."""

__all__ = ["CLAIMS", "MODULES", "Claim", "Measurement", "chosen", "forms", "get", "names"]


def names() -> list[str]:
    """Names of all claims."""
    return list(dict.fromkeys(name for name, _ in CLAIMS))


def forms(name: str) -> list[str]:
    """Forms of the claim called ``name``.

    Raises
    ------
    ValueError
        If there is none; lists those there are.
    """
    found = [form for known, form in CLAIMS if known == name]
    if not found and name in STATEMENTS:
        raise ValueError(f"{name} cannot be checked: {STATEMENTS[name].remarks}")
    if not found:
        raise ValueError(f"unknown claim {name!r}; known: {', '.join(names())}")
    return found


def get(name: str, form: str | None = None) -> Claim:
    """The claim ``name`` with the bound in the given form, such as ``get("prop2-second", form="paper")``.

    Without a form: ``sharp``, or the first there is where a statement has none of that name.

    Raises
    ------
    ValueError
        If the claim or the form is unknown; lists those there are.
    """
    known = forms(name)
    if form is None:
        form = "sharp" if "sharp" in known else known[0]
    if form not in known:
        raise ValueError(f"unknown form {form!r} of {name}; known: {', '.join(known)}")
    return CLAIMS[name, form]


def chosen(claim: str | Claim, form: str | None = None) -> Claim:
    """The claim of a name, in the form given or that of `get`; a claim stays what it is.

    Raises
    ------
    ValueError
        As `get`, or if the form is not that of the claim given.
    """
    if isinstance(claim, str):
        return get(claim, form)
    if form not in (None, claim.form):
        raise ValueError(f"form = {form!r}: the claim given is {claim.name} in the form {claim.form!r}")
    return claim
