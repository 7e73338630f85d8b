"""Sine regression (Section 5.2 of arXiv 2002.07836), as specified and as released.

The released program's MAML does not differentiate through its inner steps, and its directions are drawn once; its inner
step of 0.0001 adapts little, so one ten times as large stands beside it. What was found is told in ``sine.md``;
`replay` runs one seed on given data.
"""

from maml_bench.algorithms.programs import METHODS, RELEASED_SINE
from maml_bench.algorithms.replay import sine as replay
from maml_bench.algorithms.trials import Trial, measure
from maml_bench.study import Fact, Figure, Study, between, curves, pick

__all__ = ["STUDY", "replay"]

PROTOCOLS = {"specified": (), "released": tuple(sorted(RELEASED_SINE))}
SMALL, LARGE = "0.0001", "0.001"
ALPHA = {SMALL: 1e-4, LARGE: 1e-3}
AXES = {"protocol": PROTOCOLS, "α": ALPHA, "iterations": (200,)}
QUICK = {"iterations": (2,), "budget": 2}


def trial(protocol, α, iterations):
    """25 tasks of 10 + 10 points; Adam takes steps ten times the published ones, as runs are fifteen times shorter."""
    return Trial("sine", protocol, METHODS, (1e-3,), (1e-2,), iterations, alpha=α, tasks=25)


def change(t, protocol, α, first, last):
    """How much more held-out loss ``last`` inner steps leave than ``first``, under MAML, relatively."""
    chosen = pick(t, quantity="loss after adaptation", protocol=protocol, α=α, method="maml")
    before, after = (pick(chosen, step=k)["value"].item() for k in (first, last))
    return after / before - 1


def gap(t, method, other, **where):
    """The paired difference of held-out losses, over that of the other method."""
    row = pick(t, quantity=f"held-out loss, minus that of {other}", method=method, **where).iloc[0]
    size = pick(t, quantity="held-out loss", method=other, **where)["value"].item()
    return [row[name] / size for name in ("lower", "value", "upper")]


def facts(t):
    """What the inner steps do, and which methods are one."""
    found = []
    for protocol in PROTOCOLS:
        for α, first, last, low, high in ((SMALL, 0, 3, -0.06, 0), (LARGE, 0, 2, -0.2, 0), (LARGE, 2, 10, 0, 0.3)):
            words = f"{protocol}, α = {α}: relative change of MAML's held-out loss from {first} to {last} inner steps"
            found.append(between(words, [change(t, protocol, α, first, last)], low, high))
        words = f"{protocol}, α = {SMALL}: GGS beside MAML, relative limits"
        found.append(between(words, gap(t, "ggs", "maml", protocol=protocol, α=SMALL), -0.15, 0.15))
        low, _, high = gap(t, "ggs", "maml", protocol=protocol, α=LARGE)
        words = f"{protocol}, α = {LARGE}: GGS beside MAML, relative limits"
        found.append(Fact(words, "0 lies between", f"{low:.4g} to {high:.4g}", bool(low <= 0 <= high)))
    for α in ALPHA:
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
