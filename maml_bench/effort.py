"""How hard a claim is tried: everything that a verdict depends on besides the claim and the setting."""

import math
from dataclasses import dataclass
from typing import Any

from analytic import arguments
from maml_bench.montecarlo.workers import as_workers

METHODS = ("auto", "exact", "search", "monte-carlo")


def _workers(name: str, value: Any) -> Any:
    return as_workers(value)


@dataclass(frozen=True)
class Effort:
    """How a quantity is measured.

    Parameters
    ----------
    seed : int
        Of the replicates.
    confidence : float
        An outcome ``holds`` or ``violated`` is wrong with probability at most ``1 - confidence``,
        as far as batch means are normal.
    budget : int
        Most replicates to draw.
    seconds : float
        A look that would not end within this time is not begun.
    precision : float
        Once decided, draw on until the limits are within this fraction of the value, or out of budget; 0 draws all of
        the budget. Where a bound of the mean square gives certified limits, which suffice for decisions but stay
        wide, asymptotic ones tell how close the value is.
    method : str
        ``exact`` asks for the exact value, ``search`` (for suprema) for the largest value found, ``monte-carlo`` for
        sampling; ``auto`` for the first of them that exists.
    workers : Workers or int
        Threads. The result does not depend on it.

    Raises
    ------
    ValueError
        For an argument outside its range.
    """

    seed: int = 0
    confidence: float = 0.99
    budget: int = 1_000_000
    seconds: float = math.inf
    precision: float = math.inf
    method: str = "auto"
    workers: Any = 1  # a number until it is settled, then Workers

    def __post_init__(self):
        arguments.one_of("method", self.method, METHODS)
        arguments.settle(
            self,
            seed=lambda name, value: arguments.seed(value),
            confidence=arguments.probability,
            budget=arguments.natural,
            seconds=arguments.duration,
            precision=arguments.limit,
            workers=_workers,
        )
