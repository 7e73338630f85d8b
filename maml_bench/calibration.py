"""Are limits right as often as they say? Claims of known truth are sampled, and limits that exclude it counted."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from maml_bench import claims
from maml_bench.claims.claim import Claim
from maml_bench.digest import code_digest
from maml_bench.effort import Effort
from maml_bench.power import rate
from maml_bench.setting import Setting
from maml_bench.verdict import sampling

TINY = 1e-9
"""Relative distance from the truth that counts as rounding."""


def known(names: Sequence[str], draw: Callable, rng: np.random.Generator) -> tuple[Claim, Setting, np.ndarray]:
    """One of the claims with a setting that it applies to, and the exact left side of every cell."""
    while True:
        case, name = draw(rng), str(rng.choice(names))
        claim = claims.get(name, claims.forms(name)[-1])
        if not claim.measurement.requires(case):
            truth = claim.measurement.exact(case)
            if truth is not None and np.all(np.isfinite(truth)):
                return claim, case, truth


def wrong(claim: Claim, case: Setting, truth: np.ndarray, effort: Effort) -> dict[tuple[str, str], bool]:
    """Whether the limits at the end of a budget exclude the truth, by the verdict that would be wrong and evidence.

    ``holds`` is about the worst cell, alone at the full level; ``violated`` about all cells together.
    """
    for look in sampling(claim, case, effort):
        limits = look.limits
    slack = TINY * np.abs(truth) + claim.measurement.resolution(case) + claim.measurement.error(case, truth)
    worst, below = np.argmax(truth), np.broadcast_to(truth - slack, truth.shape)
    return {
        ("violated", limits.lower_kind): bool(np.any(limits.lower > truth + slack)),
        ("holds", limits.upper_kind): bool(limits.upper_alone[worst] < below[worst]),
    }


def errors(names: Sequence[str], draw: Callable[[np.random.Generator], Setting], budgets: Sequence[int]) -> Callable:
    """What a study measures at each level: how often limits were wrong, with 95 % intervals, for each kind and side.

    Instances are drawn by a seed that is the digest of the code, so no code can have been written with them in view.
    The study's ``budget`` counts them; each is sampled for as many replicates as one of ``budgets`` says.
    """

    def measure(level: float, *, seed: int, budget: int, workers) -> Iterator[dict]:
        rng = np.random.default_rng([int(code_digest()[:8], 16), seed])
        counted: dict[tuple[str, str], list[bool]] = {}
        for _ in range(budget):
            claim, case, truth = known(names, draw, rng)
            effort = Effort(int(rng.integers(2**31)), 1 - level, int(rng.choice(budgets)), workers=workers)
            for kind, excluded in wrong(claim, case, truth, effort).items():
                counted.setdefault(kind, []).append(excluded)
        for (outcome, evidence), found in counted.items():
            share = rate(sum(found), len(found))
            about = {"quantity": f"wrongly {outcome}", "evidence": evidence, "level": level, "bound": level}
            yield about | vars(share) | {"runs": len(found), "wrong": sum(found)}

    return measure
