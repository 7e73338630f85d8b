"""A value for each cell with a lower and an upper limit, and the evidence for either.

A limit is *certified* if it is valid at its level whatever the law (`maml_bench.montecarlo.betting`), else
*asymptotic*: valid for many replicates with a finite variance.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

CERTIFIED, ASYMPTOTIC, EXACT, SEARCH = "certified", "asymptotic", "exact", "search"


@dataclass(frozen=True)
class Limits:
    """A value for each cell, with a lower and an upper limit; arrays ``(cells,)``.

    Attributes
    ----------
    value, lower, upper : array (cells,)
        The limits of one side hold for all cells together.
    lower_alone, upper_alone : array (cells,)
        Each holds for its cell alone, at the full level: they serve where every cell has to pass its test.
    lower_kind, upper_kind : str
        ``certified`` or ``asymptotic``; of a value that was not sampled ``exact`` or ``search``.
    ceiling : array (cells,), optional
        What the value cannot exceed by proof, without rounding.
    near : Limits, optional
        Asymptotic ones beside certified ones that may be much wider.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    lower_alone: np.ndarray
    upper_alone: np.ndarray
    lower_kind: str
    upper_kind: str
    ceiling: np.ndarray | None = None
    near: "Limits | None" = None

    @property
    def sampled(self) -> bool:
        return self.lower_kind in (CERTIFIED, ASYMPTOTIC)

    @classmethod
    def around(cls, value: np.ndarray, error: np.ndarray, kind: str) -> "Limits":
        """Of a value that was computed, or found by a search, with a bound on its error."""
        lower, upper = value - error, value + error
        return cls(value, lower, upper, lower, upper, kind, kind)

    @property
    def kinds(self) -> tuple[str, str]:
        return self.lower_kind, self.upper_kind

    def within(self, earlier: "Limits | None") -> "Limits":
        """These limits and earlier ones of the same run: all of a kind are valid together, so the tightest are. Earlier
        ones that are not certified and exclude the value of now were drawn too early.
        """
        if earlier is None or earlier.kinds != self.kinds:
            return self

        def kept(name, kind, tightest, excludes):
            own, other = getattr(self, name), getattr(earlier, name)
            return np.where((kind != CERTIFIED) & excludes(other, self.value), own, tightest(own, other))

        return replace(
            self,
            near=self.near and self.near.within(earlier.near),
            **{name: kept(name, self.lower_kind, np.maximum, np.greater) for name in ("lower", "lower_alone")},
            **{name: kept(name, self.upper_kind, np.minimum, np.less) for name in ("upper", "upper_alone")},
        )

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Limits":
        """The limits of an increasing function of the value."""
        names = ("value", "lower", "upper", "lower_alone", "upper_alone")
        changed: dict[str, Any] = {name: function(getattr(self, name)) for name in names}
        return replace(self, ceiling=None if self.ceiling is None else function(self.ceiling), **changed)
