"""What a verdict may say, and the kinds of evidence that it rests on."""

from enum import StrEnum


class Outcome(StrEnum):
    """What was found about a claim. A search for a supremum can refute a claim, never confirm it: ``not refuted``."""

    HOLDS = "holds"
    NOT_REFUTED = "not refuted"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"


class Evidence(StrEnum):
    """What a measured value rests on: a computation, or replicates with limits valid at every sample size
    (``certified``) or for many (``asymptotic``), or the largest value that a search found.
    """

    EXACT = "exact"
    CERTIFIED = "certified"
    ASYMPTOTIC = "asymptotic"
    SEARCH = "search"
