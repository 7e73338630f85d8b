"""Sine regression (Section 5.2 of arXiv 2002.07836), as specified and as released.

The released program's MAML does not differentiate through its inner steps, and its directions are drawn once; its inner
step of 0.0001 adapts little, so one ten times as large stands beside it. What was found is told in ``sine.md``;
`replay` runs one seed on given data.
"""

from maml_bench.algorithms.programs import METHODS, RELEASED_SINE
from maml_bench.algorithms.replay import sine as replay
from maml_bench.algorithms.trials import Trial, measure
from maml_bench.study import Figure, Study, between, curves, pick

__all__ = ["STUDY", "replay"]

PROTOCOLS = {"specified": (), "released": tuple(sorted(RELEASED_SINE))}
SMALL, LARGE = "0.0001", "0.001"
ALPHA = {SMALL: 1e-4, LARGE: 1e-3}
AXES = {"protocol": PROTOCOLS, "α": ALPHA, "iterations": (200,)}
QUICK = {"iterations": (2,), "budget": 2}


def trial(protocol, α, iterations):
    """25 tasks of 10 + 10 points; Adam takes steps ten times the published ones, as runs are fifteen times shorter."""
    return Trial("sine", protocol, METHODS, (1e-3,), (1e-2,), iterations, alpha=α, tasks=25)


def share(t, protocol, α, steps):
    """What ``steps`` inner steps take away of the held-out loss, under MAML, relatively."""
    chosen = pick(t, quantity="loss after adaptation", protocol=protocol, α=α, method="maml")
    before, after = (pick(chosen, step=k)["value"].item() for k in (0, steps))
    return 1 - after / before


def gap(t, method, other, **where):
    """The paired difference of held-out losses, over that of the other method."""
    row = pick(t, quantity=f"held-out loss, minus that of {other}", method=method, **where).iloc[0]
    size = pick(t, quantity="held-out loss", method=other, **where)["value"].item()
    return [row[name] / size for name in ("lower", "value", "upper")]


def facts(t):
    """What the inner steps do, and which methods are one."""
    found = []
    for α, low, high in ((SMALL, 0, 0.06), (LARGE, 0.03, 0.3)):
        words = f"specified, α = {α}: share of MAML's held-out loss that three inner steps take away"
        found.append(between(words, [share(t, "specified", α, 3)], low, high))
    for α in ALPHA:
        for protocol in PROTOCOLS:
            words = f"{protocol}, α = {α}: GGS beside MAML, relative limits"
            found.append(between(words, gap(t, "ggs", "maml", protocol=protocol, α=α), -0.15, 0.15))
        words = f"released, α = {α}: first order beside MAML, relative limits"
        found.append(between(words, gap(t, "first-order", "maml", protocol="released", α=α), 0, 0))
    return found


FIT = {"protocol": "specified"}
STUDY = Study(
    "sine",
    "Sine regression: what is left to compare?",
    curves(trial, measure, AXES, QUICK, budget=6),
    figures={
        "specified": Figure("loss", x="iteration", across="α", by="method", where={"protocol": "specified"}),
        "released": Figure("loss", x="iteration", across="α", by="method", where={"protocol": "released"}),
        "adaptation": Figure("loss after adaptation", x="step", across="α", by="method", where=FIT, linear=True),
        "fit": Figure("fit", x="x", across="α", by="method", where=FIT, linear=True, label="fitted curve"),
    },
    facts=facts,
)
