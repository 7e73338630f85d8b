"""Processor time until a claim is decided to 1 % at 1 %, beside plain sampling with Student's limits.

The reference setting of the study ``summary`` for trigonometric tasks. Plain sampling is what one would write first:
independent runs, their mean, and Student's limits at the same level, looked at whenever their number has doubled. Its
looks are not corrected for and its limits are approximate at best, so it is the cheaper test, not an equal one. Bounds
with room to spare take few replicates in either way; so both also go on until limits are within 1 % of the value, which
decides a bound that is 1 % off.
"""

import math
import time
from collections.abc import Callable

import numpy as np
import scipy
from threadpoolctl import threadpool_limits

from maml_bench import OuterLoop, check, claims
from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.algorithms.outer_loop import gradient_norms
from maml_bench.hessians import ExactHessian
from maml_bench.meta_gradient import exact_meta_gradient, stochastic_meta_gradient
from maml_bench.montecarlo.sequence import block_generator
from maml_bench.montecarlo.workers import keep_memory
from studies.summary import ESTIMATORS, FAMILIES, at

LEVEL, PRECISION, FIRST, SECONDS = 0.01, 0.01, 64, 3.0


def _path_error(s, rng, n):
    w = np.broadcast_to(s.w, (n, 1, len(s.w)))
    return stochastic_path(s.tasks, w, s.inner, rng)[-1] - exact_path(s.tasks, s.w, s.inner.alpha, s.inner.steps)[-1]


def _meta_gradient(s, rng, n):
    return stochastic_meta_gradient(s.tasks, np.broadcast_to(s.w, (n, 1, len(s.w))), s.inner, s.hessian, rng)


def _meta_gradient_error(s, rng, n):
    exact = exact_meta_gradient(s.tasks, s.w, s.inner.alpha, s.inner.steps)
    return (_meta_gradient(s, rng, n) - exact).mean(1, keepdims=True)


def _matrices(s, rng, n):
    columns = np.eye(len(s.w)).reshape(-1, 1, 1, len(s.w))
    at_w = np.broadcast_to(s.w, (n, 1, len(s.w)))
    return np.moveaxis(s.hessian.operator(s.tasks, at_w, s.inner.D, rng)(columns), 0, -1)


def _matrix_change(s, rng, n):
    """The difference of two estimates, over the root of 2: of the same variance as one."""
    return (_matrices(s, rng, n) - _matrices(s, rng, n)) / np.sqrt(2)


def _along_gradient(s, rng, n):
    gradient = s.tasks.grad(s.w)
    return np.matvec(_matrix_change(s, rng, n), gradient / np.linalg.norm(gradient, axis=-1, keepdims=True))


def _square(values, core):
    return np.sum(values**2, axis=tuple(range(-core, 0)))


PLAIN: dict[str, Callable] = {
    "prop2-first": lambda s, rng, n: np.sqrt(_square(_path_error(s, rng, n), 1)),
    "prop2-second": lambda s, rng, n: _square(_path_error(s, rng, n), 1),
    "prop2-mean": _path_error,
    "prop3": _meta_gradient_error,
    "prop4": lambda s, rng, n: _square(_meta_gradient(s, rng, n), 1).mean(1, keepdims=True),
    "prop6": lambda s, rng, n: _matrices(s, rng, n) - s.tasks.hess(s.w),
    "prop7-vector": lambda s, rng, n: _square(_along_gradient(s, rng, n), 1),
    "prop7-frobenius": lambda s, rng, n: _square(_matrix_change(s, rng, n), 2),
    "zo-vector": lambda s, rng, n: _square(_along_gradient(s, rng, n), 1),
    "zo-stein-vector": lambda s, rng, n: _square(_along_gradient(s, rng, n), 1),
    "thm1": lambda s, rng, n: gradient_norms(s, rng, n).mean(0)[:, None],
}
"""``(setting, rng, n) -> (n, cells, ...)``: replicates of numbers, or of vectors or matrices of which the mean's norm
counts.
"""


def setting(name: str):
    """The reference setting of a claim."""
    chosen = at(ESTIMATORS.get(name, ExactHessian()))(FAMILIES["trigonometric"])
    outer = OuterLoop(50, 10, C_beta=100, B_beta=4, D_beta=16)
    return chosen if name != "thm1" else type(chosen)(chosen.tasks, chosen.w, chosen.inner, chosen.hessian, outer)


def claim(name: str):
    return claims.get(name, claims.forms(name)[min(1, len(claims.forms(name)) - 1)])


def by_bench(name: str, precision: float = math.inf, seconds: float = SECONDS) -> tuple[float, bool, str]:
    """Processor time of `check` as a user calls it, whether it came to an end in time, and the evidence."""
    start = time.process_time()
    found = check(claim(name), setting(name), confidence=1 - LEVEL, precision=precision, seconds=seconds, budget=10**9)
    return time.process_time() - start, found.reason.startswith(("decided", "computed")), str(found.evidence)


def by_student(name: str, precision: float = math.inf, seconds: float = SECONDS) -> tuple[float, bool]:
    """Processor time of plain sampling, and whether it came to an end in time."""
    start, chosen, rng = time.process_time(), setting(name), block_generator(1, 0)
    bound, values, fresh = claim(name).right_side(chosen), np.empty(0), FIRST
    while True:
        drawn = PLAIN[name](chosen, rng, fresh)
        values = drawn if not len(values) else np.concatenate([values, drawn])
        fresh = len(values)
        size, reach = student(values)
        spent = time.process_time() - start
        decided = np.all(size + reach <= bound) or np.any(size - reach > bound)
        if decided and np.all(reach <= precision * size):
            return spent, True
        if spent > seconds / 2:  # the next look takes as long again
            return spent, False


def student(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of numbers (n, cells), or the norm of that of vectors or matrices, and the reach of Student's limits."""
    n, core = len(values), tuple(range(2, values.ndim))
    reach = scipy.stats.t.ppf(1 - LEVEL, n - 1) * np.sqrt(values.var(0, ddof=1).sum(tuple(c - 1 for c in core)) / n)
    mean = values.mean(0)
    size = np.linalg.norm(mean, ord=2, axis=tuple(c - 1 for c in core)) if core else mean
    return size, reach


def table(seconds: float = SECONDS) -> str:
    """The Markdown table."""
    keep_memory()
    by_bench("prop6"), by_student("prop2-second")  # what loads at the first use has loaded
    lines = [
        "| claim | evidence | decided | plain sampling | factor | to 1 % | plain sampling | factor |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in PLAIN:
        cells, evidence = "", ""
        for precision in (math.inf, PRECISION):
            ours, ended, evidence = by_bench(name, precision, seconds)
            with threadpool_limits(1):  # as `check` does
                theirs, plain_ended = by_student(name, precision, seconds)
            times = f"{'' if ended else '> '}{ours:.3f} | {'' if plain_ended else '> '}{theirs:.3f}"
            factor = f"{'' if plain_ended else '> '}{theirs / ours:.2g}" if ended else "–"
            cells += f" | {times} | {factor}"
        lines.append(f"| {name} | {evidence}{cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table())
