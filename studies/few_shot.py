"""Few-shot classification of handwritten digits: what do the theorems' step sizes cost?

The algorithms of the finite-sum case (Appendices D and E of arXiv 2002.07836) on pairs of digits, judged on pairs that
were held out, by the step sizes of Corollary 1 and by tuned ones. What was found is told in ``few_shot.md``.
"""

from maml_bench.algorithms.few_shot import DigitsTrial, measure
from maml_bench.study import Figure, Study, answered, between, curves, pick

METHODS = ("maml", "fo-maml", "hf-maml", "ggs-maml", "zo-maml", "es-maml", "reptile")
AXES = {"rule": ("theorem", "tuned"), "iterations": (100,)}
QUICK = {"iterations": (4,), "budget": 2}
SAME = 0.007


def trial(rule, iterations):
    """All methods under one rule for the step sizes."""
    return DigitsTrial(rule, METHODS, iterations=iterations)


def value(t, quantity, rule, method):
    """The mean over splits."""
    return pick(t, quantity=quantity, rule=rule, method=method)["value"].item()


def apart(t, rule, method, words, expected):
    """Whether a method's loss after adaptation differs from MAML's on the same splits."""
    row = pick(t, quantity="loss after adaptation, minus that of maml", rule=rule, method=method).iloc[0]
    low, high = row["lower"], row["upper"]
    answer = "higher" if low > SAME else "lower" if high < -SAME else "equal" if -SAME < low <= high < SAME else None
    found = f"{answer or 'undecided'}: {row['value']:.2g} [{low:.2g}, {high:.2g}]"
    return answered(words, answer, expected, found)


def facts(t):
    """What step sizes and methods change, and how far the certified constants are from what is met on the way."""
    loss = "loss after adaptation"
    found = [
        between(
            "theorem, maml: loss after adaptation (a blind guess has 0.693)",
            [value(t, loss, "theorem", "maml")],
            0.6,
            0.693,
        ),
        between("tuned, maml: the same", [value(t, loss, "tuned", "maml")], 0.4, 0.62),
        between(
            "tuned, maml: what learning adds to the accuracy of an adaptation from 0",
            [
                value(t, "accuracy after adaptation", "tuned", "maml")
                - value(t, "accuracy from 0 after adaptation", "tuned", "maml")
            ],
            -0.02,
            0.02,
        ),
    ]
    for method in METHODS[1:]:
        words = f"tuned, {method} beside maml: loss after adaptation (equal: within 0.007)"
        found.append(apart(t, "tuned", method, words, "higher" if method == "zo-maml" else "equal"))
    for name, low in (("L", 0.95), ("b_i", 0.2), ("sigma", 0.3)):
        values = [value(t, f"{name}, measured over certified", "theorem", method) for method in METHODS]
        found.append(between(f"theorem: measured over certified {name}, all methods", values, low, 1 + 1e-9))
    return found


STUDY = Study(
    "few-shot",
    "Few-shot digits: what do the theorems' step sizes cost?",
    curves(trial, measure, AXES, QUICK, budget=10),
    figures={
        name: Figure(name, x="step", across="rule", by="method", label=f"held-out {name}", linear=True)
        for name in ("loss", "accuracy")
    },
    facts=facts,
)
