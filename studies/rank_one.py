"""Rank-one matrix factorization (Figure 1 of arXiv 2002.07836), as specified and as released.

All methods over the same seeds and tasks: under the specification, under each deviation of the released program by
itself, and under all of them. What was found is told in ``rank_one.md``; `replay` runs one seed on given data.
"""

from maml_bench.algorithms.programs import METHODS, RELEASED_RANK_ONE
from maml_bench.algorithms.replay import rank_one as replay
from maml_bench.algorithms.trials import Trial, measure
from maml_bench.study import Fact, Figure, Study, answered, curves, pick

__all__ = ["STUDY", "replay"]

MAML, FIRST, GGS, ZEROTH = METHODS
RELEASED = tuple(sorted(RELEASED_RANK_ONE))
PROTOCOLS = {"specified": (), **{name: (name,) for name in RELEASED}, "released": RELEASED}
TOUCHED = {"one-step-maml": (MAML, FIRST), "aliased-difference": (MAML, GGS), "fixed-directions": (MAML, GGS, ZEROTH)}
STEPS = {"published": (3e-3,), "tuned": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)}
NEAR = 0.003
AXES = {"protocol": PROTOCOLS, "step": STEPS, "iterations": (2000,)}
QUICK = {"protocol": ("specified", "released"), "iterations": (30,), "budget": 3}

PUBLISHED = {
    "GGS does as well as MAML": (GGS, MAML, "equal"),
    "GGS does better than first-order MAML": (GGS, FIRST, "below"),
    "zeroth order is slower than MAML": (ZEROTH, MAML, "above"),
}
"""The conclusions of Figure 1: a method, another, and where the loss of the one ends beside that of the other."""
ENDS = {
    "specified": {(GGS, MAML): "equal", (GGS, FIRST): "above", (FIRST, MAML): "below", (ZEROTH, MAML): "above"},
    "collapsed-loss": {(GGS, MAML): "equal", (FIRST, MAML): "below", (ZEROTH, MAML): "above"},
    "one-step-maml": {(FIRST, MAML): "above"},
    "doubled-step": {(GGS, MAML): "above", (FIRST, MAML): "below", (ZEROTH, MAML): "above"},
    "aliased-difference": {(GGS, MAML): "diverges"},
    "fixed-directions": {(GGS, MAML): "equal", (ZEROTH, MAML): "above"},
    "released": {(GGS, MAML): "above", (GGS, FIRST): "above", (FIRST, MAML): "above", (ZEROTH, MAML): "above"},
}
"""What is found with the published step size, under each protocol."""


def trial(protocol, step, iterations):
    """Every deviation with the published meta step size; specified and released with a tuned one, too."""
    if len(step) > 1 and protocol not in ((), RELEASED):
        return None
    methods = TOUCHED.get(protocol[0], METHODS) if len(protocol) == 1 else METHODS
    return Trial("rank-one", protocol, methods, step, iterations=iterations, tuning=max(1, iterations // 200))


def ends(t, method, other, quantity="final loss", **where):
    """Where one method's loss ends beside another's: the answer, None if undecided, and relative paired limits.

    A mean over seeds of which some diverge does not exist, and that is the answer then.
    """
    gap = pick(t, quantity=f"{quantity}, minus that of {other}", method=method, **where).iloc[0]
    if gap["diverged"]:
        return "diverges", f"{int(gap['diverged'])} of {int(gap['replicates'])} seeds diverge"
    size = pick(t, quantity=quantity, method=other, **where)["value"].item()
    low, mid, high = (gap[name] / size for name in ("lower", "value", "upper"))
    answer = "above" if low > NEAR else "below" if high < -NEAR else "equal" if -NEAR < low <= high < NEAR else None
    return answer, f"{answer or 'undecided'}: {100 * mid:+.2f} % [{100 * low:+.2f}, {100 * high:+.2f}]"


def facts(t):
    """The conclusions of Figure 1, and then every pair of methods, under each protocol."""
    found = []
    for protocol in ("specified", "released"):
        for step in STEPS:
            for words, (method, other, claimed) in PUBLISHED.items():
                answer, limits = ends(t, method, other, protocol=protocol, step=step)
                if step == "published":
                    expected = "reproduced" if ENDS[protocol][method, other] == claimed else "not reproduced"
                else:
                    expected = "reproduced" if claimed == "equal" and protocol == "specified" else "not reproduced"
                agrees = None if answer is None else (answer == claimed) == (expected == "reproduced")
                found.append(Fact(f"{words} ({protocol}, {step} step)", expected, limits, agrees))
    for protocol in dict.fromkeys(t["protocol"]):
        for (method, other), expected in ENDS[protocol].items():
            answer, limits = ends(t, method, other, protocol=protocol, step="published")
            words = f"{protocol}: final loss of {method} beside {other}"
            found.append(answered(words, answer, expected, limits))
    return found


STUDY = Study(
    "rank-one",
    "Rank-one factorization: which conclusions of Figure 1 survive?",
    curves(trial, measure, AXES, QUICK, budget=100),
    figures={
        name: Figure("loss", x="iteration", across="protocol", by="method", where={"step": name}) for name in STEPS
    },
    facts=facts,
)
