"""Cases: the points of a sweep, each with the claims to check there, or with the curves to measure."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maml_bench import claims
from maml_bench.claims import Claim

Measure = Callable[..., Iterable[dict]]
"""``measure(point, *, seed, budget, workers) -> rows``: each a dictionary with ``quantity``, ``value``, and any of
``lower``, ``upper``, ``evidence``, ``replicates`` and parameters of its own, such as ``iteration``.
"""


Axis = Sequence | Mapping | str | float
"""Values of a parameter; a number or a word is the only one. Of a mapping the keys are shown, the values handed on."""


@dataclass(frozen=True)
class Case:
    """One point of a sweep.

    Parameters
    ----------
    parameters : dict
        What is swept, by name, as the study writes it: numbers and strings.
    point : Setting
        What the claims are checked for. Of `curves` anything that `maml_bench.digest.content_digest` takes.
    claims : tuple of Claim
    measure : callable or None
        In place of claims: see `Measure`.
    budget, precision
        As in `maml_bench.check`.
    """

    parameters: dict
    point: Any
    claims: tuple[Claim, ...] = ()
    measure: Measure | None = None
    budget: int = 200_000
    precision: float = 0.05


@dataclass(frozen=True)
class Sweep:
    """Every combination of some values, and what is asked at each: see `sweep` and `curves`."""

    point: Callable[..., Any]
    axes: Mapping[str, Axis]
    quick: Mapping[str, object] = field(default_factory=dict)
    claims: tuple[str | Claim, ...] = ()
    forms: tuple[str, ...] = ()
    measure: Measure | None = None
    budget: int = 200_000
    precision: float = 0.05

    def cases(self, quick: bool = False) -> list[Case]:
        """The cases, in the order of the axes, the last one fastest."""
        chosen: dict[str, Any] = dict(self.quick) if quick else {}
        effort: dict[str, Any] = {name: chosen.pop(name, getattr(self, name)) for name in ("budget", "precision")}
        unknown = sorted(set(chosen) - set(self.axes))
        if unknown:
            raise ValueError(f"quick = {unknown[0]!r}: must be an axis of the sweep, budget or precision")
        asked = tuple(claim for name in self.claims for claim in self._claims(name))
        out = []
        for labels in itertools.product(*(_labels(chosen.get(name, values)) for name, values in self.axes.items())):
            parameters = dict(zip(self.axes, labels, strict=True))
            point = self.point(**{name: self._value(name, label) for name, label in parameters.items()})
            if point is not None:
                out.append(Case(parameters, point, asked, self.measure, **effort))
        return out

    def _claims(self, claim: str | Claim) -> list[Claim]:
        if isinstance(claim, Claim):
            return [claim]
        known = claims.forms(claim)
        return [claims.get(claim, form) for form in known if not self.forms or form in self.forms]

    def _value(self, name: str, label):
        values = self.axes[name]
        return values[label] if isinstance(values, Mapping) else label


def _labels(values: Any) -> Iterable:
    return (values,) if isinstance(values, str | int | float) else values


def one_at_a_time(base: Mapping[str, Any], values: Mapping[str, Sequence]) -> dict[str, dict]:
    """Axes in which one parameter moves and the others are as in ``base``, by its name; ``sweep`` says which it is.

    Examples
    --------
    >>> from maml_bench.study import one_at_a_time
    >>> one_at_a_time({"N": 1, "S": 4}, {"N": (1, 2)})
    {'N': {'sweep': 'N', 'N': (1, 2), 'S': 4}}
    """
    return {name: {"sweep": name, **base, name: along} for name, along in values.items()}


def sweep(
    setting: Callable[..., Any],
    claims: Sequence[str | Claim],
    axes: Mapping[str, Axis],
    quick: Mapping[str, object] | None = None,
    *,
    forms: Sequence[str] = (),
    budget: int = 200_000,
    precision: float = 0.05,
) -> Sweep:
    """Claims to check at every combination of the axes' values.

    Parameters
    ----------
    setting : callable
        Takes a value of each axis by its name and gives a `maml_bench.Setting`, or None to leave the point out.
    claims : sequence of str or Claim
        A name stands for all forms of a claim, or for those in ``forms``.
    axes : dict
        Values by name. A value is shown as it is; of a dictionary the keys are shown, and its values handed on. A
        number or a word alone is the only value.
    quick : dict
        What a quick run has instead: fewer values of an axis, or another ``budget`` or ``precision``.
    budget, precision
        As in `maml_bench.check`.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting
    >>> from maml_bench.problems import Quadratic
    >>> from maml_bench.study import sweep
    >>> setting = lambda N: Setting(Quadratic.concave(2), np.ones(2), InnerLoop(0.1, N))
    >>> sweep(setting, ("prop2-second",), {"N": (1, 2, 4)}, quick={"N": (1,)}).quick
    {'N': (1,)}
    """
    return Sweep(setting, axes, quick or {}, tuple(claims), tuple(forms), None, budget, precision)


def curves(
    point: Callable[..., Any],
    measure: Measure,
    axes: Mapping[str, Axis],
    quick: Mapping[str, object] | None = None,
    *,
    budget: int = 0,
) -> Sweep:
    """Curves to measure at every combination of the axes' values: rows that are no verdicts.

    ``measure(point, seed=..., budget=..., workers=...)`` gives the rows of a case, see `Measure`. The other arguments
    are as in `sweep`; what ``budget`` counts is for ``measure`` to say.

    Examples
    --------
    >>> from maml_bench.study import Study, curves
    >>> cases = curves(lambda N: N, lambda N: [{"value": float(N)}], {"N": (1, 2)})
    >>> Study("doubles", "What is N?", cases).name
    'doubles'
    """
    return Sweep(point, axes, quick or {}, measure=measure, budget=budget)
