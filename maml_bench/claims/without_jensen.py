"""Theorem 1 without Jensen's inequality: mean squares and a tail of ||grad calL(w_zeta)||, a run a replicate.

What a claim is about beside the setting: the level at which a gradient is cut is twice that of the start, and the tail
has the probability `FAILURE`. Both are means of numbers below a ceiling, so that their limits are certified.

The weighted mean square is a ratio of expectations, ``E[G^2/L_w] <= x^2 E[1/L_w]`` with x^2 the bound. Times the least
value a of L_w this says ``E[(a/L_w) G^2 + (1 - a/L_w) x^2] <= x^2``, the mean of numbers >= 0, and that is measured.
"""

import numpy as np

from analytic import statement
from maml_bench.algorithms.outer_loop import along, gradient_norms, smoothness
from maml_bench.claims import ceilings, convergence
from maml_bench.claims.claim import Claim, Known, Measurement, Sampling, either
from maml_bench.claims.constants import constants as plain_constants
from maml_bench.claims.requirements import first_reason
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting

FAILURE = 0.1
"""Probability with which the tail's bound may be exceeded."""


def level(setting: Setting) -> float:
    """The level at which gradients are cut: twice the norm of the meta gradient at w."""
    return 2 * convergence.start_norm(setting)


def moving(setting: Setting) -> str:
    """Requirement of the cut mean square: the start is not stationary."""
    return "" if level(setting) > 0 else "a start that is not stationary: its gradient sets the level of the cut"


def constants(setting: Setting, names) -> dict[str, object]:
    """As `convergence.outer_constants`, with the level and the probability."""
    own = {"cap": lambda: level(setting), "failure": lambda: FAILURE}
    found = convergence.outer_constants(setting, [name for name in names if name not in own])
    return found | {name: own[name]() for name in names if name in own}


def _bound(name: str, setting: Setting) -> float:
    bound = statement(name).forms["direct"]
    return float(bound(**constants(setting, bound.arguments)))


def cut_squares(setting: Setting) -> Capped:
    """Replicates of the mean over a run's first K iterates of min(||grad calL||, M)^2."""
    cut = level(setting)

    def draw(rng, replicates):
        return (np.minimum(gradient_norms(setting, rng, replicates), cut) ** 2).mean(0)[:, None]

    return Capped(draw, np.array([cut**2]))


def exceedances(setting: Setting) -> Capped:
    """Replicates of the share of a run's first K iterates at which ||grad calL|| exceeds the bound."""
    bound = _bound("thm1-tail", setting)

    def draw(rng, replicates):
        norms = gradient_norms(setting, rng, replicates)
        return np.where(np.isnan(norms), np.nan, norms > bound).mean(0)[:, None]

    return Capped(draw, np.ones(1))


def weighted_squares(setting: Setting) -> Draw:
    """Replicates of the mean over a run of (a/L_w) G^2 + (1 - a/L_w) x^2."""
    square = _bound("thm1-square", setting)
    least, slope = smoothness(setting)

    def draw(rng, replicates):
        run = along(setting, rng, replicates)
        weight = least / (least + slope * run.task_gradient_norm)
        return (weight * run.gradient_norm**2 + (1 - weight) * square).mean(0)[:, None]

    return draw


def capped_weighted_squares(setting: Setting) -> Capped | None:
    """`weighted_squares` with a ceiling, where one is known: means of G^2 and x^2 with weights."""
    found = ceilings.ceilings(setting)
    if found is None:
        return None
    bound = _bound("thm1-square", setting)
    squares = np.maximum(found.norms**2, bound) + found.beyond(2)
    ceiling = ceilings.of_mean(squares, max(convergence.start_norm(setting) ** 2, bound))
    return None if ceiling is None else Capped(weighted_squares(setting), ceiling)


def _of_square(size: float, setting: Setting) -> float:
    """What rounding can add to the square of a gradient's norm of that size."""
    return 2 * size * convergence.rounding(setting)


def _weighted_resolution(setting: Setting) -> float:
    """That of the weighted mean square, and what runs beyond their ceilings add to it."""
    size = _bound("thm1-square", setting) ** 0.5
    return _of_square(size, setting) + ceilings.beyond(setting, 2)


def _measurement(words: str, draw, *requirements, resolution, constants=constants) -> Measurement:
    return Measurement(
        words=words,
        requires=first_reason(convergence.MEASUREMENTS["thm1"].requires, *requirements),
        sampled=Sampling(draw, "mean", convergence.run_floats),
        resolution=resolution,
        constants=constants,
    )


def _failure(setting: Setting) -> np.ndarray:
    """The right side of the tail, once its bound is known to apply."""
    _bound("thm1-tail", setting)
    return np.array([FAILURE])


CLAIMS = (
    Claim(
        "thm1-square",
        "direct",
        statement("thm1-square").forms["direct"],
        _measurement(
            "E[(a/L_w) ||grad calL||^2 + (1 - a/L_w) x^2] at w_zeta, x^2 the bound",
            either(capped_weighted_squares, weighted_squares),
            resolution=_weighted_resolution,
        ),
    ),
    Claim(
        "thm1-capped",
        "direct",
        statement("thm1-capped").forms["direct"],
        _measurement(
            "E min(||grad calL(w_zeta)||, M)^2, M twice the start's gradient",
            cut_squares,
            moving,
            resolution=lambda setting: _of_square(level(setting), setting),
        ),
    ),
    Claim(
        "thm1-tail",
        "direct",
        Known(f"p_f = {FAILURE:g}", _failure),
        _measurement(
            "P(||grad calL(w_zeta)|| > the bound)",
            exceedances,
            resolution=lambda setting: 0.0,  # a share of iterates
            constants=plain_constants,
        ),
    ),
)
