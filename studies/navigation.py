"""Does the zeroth-order Hessian of eq. 17 destabilize reinforcement learning? (Appendix A of arXiv 2002.07836)

Navigation with eq. 17 as written, episodes for every loss that it asks for; and softmax bandits, where losses are
known, so that its error and the noise of its losses can be told apart. What was found is told in ``navigation.md``.
"""

import pandas as pd

from maml_bench.algorithms.policies import PolicyTrial, measure
from maml_bench.study import Fact, Figure, Study, between, curves, pick

SMOOTHED = ("ggs-maml", "zo-maml", "es-maml")
METHODS = ("maml", "fo-maml", *SMOOTHED)
NAVIGATION, NETWORK, NOISY, EXACT = "navigation", "navigation-relu", "bandit", "bandit, exact losses"
PROBLEMS = (NAVIGATION, NETWORK, NOISY, EXACT)
SMALL, LARGE = 0.01, 0.3
AXES = {"problem": PROBLEMS, "method": METHODS, "ν": (SMALL, LARGE), "iterations": (40,)}
QUICK = {"problem": (NAVIGATION, NOISY, EXACT), "iterations": (3,), "budget": 2}
BANDIT = {"alpha": 1.0, "betas": (0.3, 1.0, 3.0)}


def trial(problem, method, ν, iterations):
    """Methods without differences once, and only with noise; the released network at its start."""
    if method not in SMOOTHED and (ν != SMALL or problem == EXACT):
        return None
    if problem == NETWORK:
        return PolicyTrial(problem, method, ν, betas=(0.1,), iterations=1)
    if problem == NAVIGATION:
        size = {} if iterations > 10 else {"tasks": 3, "episodes": 5, "horizon": 15}
        return PolicyTrial(problem, method, ν, iterations=iterations, **size)
    return PolicyTrial(NOISY, method, ν, problem == EXACT, iterations=3 * iterations, **BANDIT)


def stable(t, problem, method, ν, expected=True):
    """Whether no seed diverges and the adapted policy ends better than it starts, seed by seed."""
    change = pick(t, quantity="after, last minus first", problem=problem, method=method, ν=ν).iloc[0]
    radius = f", ν = {ν:g}" if method in SMOOTHED else ""
    words = f"{problem}, {method}{radius}: learns"
    lost, seeds = int(change["diverged"]), int(change["replicates"])
    if lost:
        return Fact(words, "yes" if expected else "no", f"{lost} of {seeds} seeds diverge", not expected)
    learns = bool(change["upper"] < 0)
    found = f"change of the loss {change['value']:.3g} [{change['lower']:.3g}, {change['upper']:.3g}]"
    return Fact(words, "yes" if expected else "no", found, learns == expected)


def size(t, problem, method, ν, iteration=1):
    """The norm of a Hessian estimate along a gradient at the start, as a multiple of that of the score function's."""
    start = pick(t, quantity="hessian", iteration=iteration)
    plain = NOISY if problem == EXACT else problem
    own = pick(start, problem=problem, method=method, ν=ν)["value"].item()
    return own / pick(start, problem=plain, method="maml")["value"].item()


def facts(t):
    """Which methods learn, and how large their Hessians are."""
    found = [stable(t, NAVIGATION, method, SMALL) for method in METHODS[:3]]
    found += [stable(t, NAVIGATION, method, SMALL, expected=False) for method in SMOOTHED[1:]]
    found += [stable(t, NAVIGATION, method, LARGE) for method in SMOOTHED]
    found += [stable(t, NOISY, method, SMALL) for method in METHODS[:3]]
    found += [stable(t, NOISY, method, SMALL, expected=False) for method in SMOOTHED[1:]]
    found += [stable(t, NOISY, method, LARGE) for method in SMOOTHED]
    found += [stable(t, EXACT, method, ν) for method in SMOOTHED for ν in (SMALL, LARGE)]
    for problem, low, high in ((NAVIGATION, 30, 1e5), (NETWORK, 30, 1e12), (NOISY, 1e3, 1e6), (EXACT, 0.3, 5)):
        if problem in set(t["problem"]):
            words = f"{problem}: norm of the zeroth-order Hessian over that of the score function's, ν = 0.01"
            found.append(between(words, [size(t, problem, "zo-maml", SMALL)], low, high))
    return found


def figure(quantity, across, by="method", **where):
    """A quantity against the iteration."""
    return Figure(quantity, x="iteration", across=across, by=by, where=where)


def sizes(t):
    """Rows of the Hessian's norm at the start, one for each problem, method and radius, for a figure against ν."""
    start = pick(t, quantity="hessian", iteration=1, method=SMOOTHED)
    return pd.DataFrame(start).assign(quantity="hessian at the start").to_dict("records")


STUDY = Study(
    "navigation",
    "Does the zeroth-order Hessian destabilize reinforcement learning?",
    curves(trial, measure, AXES, QUICK, budget=6),
    figures={
        "before": figure("before", "ν", problem=NAVIGATION),
        "navigation": figure("after", "ν", problem=NAVIGATION),
        "control": figure("gradient", "problem", problem=(NOISY, EXACT), ν=SMALL),
        "sizes": Figure("hessian at the start", x="ν", across="problem", by="method"),
    },
    facts=facts,
    derive=sizes,
)
