"""Convergence: Lemmas A and B, Theorems 1 and 2, Corollary 1, their finite-sum forms, and the neighbourhood that
zeroth-order Hessians reach.

A replicate of a theorem is a whole run. Its value is the mean over the first K iterates of the norm of the exact meta
gradient, so the draw of zeta is averaged out; where a ceiling of it is proved (`ceilings`), or a bound of its mean
square (`run_squares`), limits are certified. The start of the meta objective less its infimum is taken from a proved
lower bound, `maml_bench.claims.lowest`.

Lemma A speaks of one point, and its proof uses the heterogeneity there: sigma is that of the task gradients at w.
"""

import math
from typing import cast

import numpy as np

from maml_bench.algorithms.outer_loop import gradient_norms, largest_step, step_sizes
from maml_bench.claims import ceilings, run_squares
from maml_bench.claims.claim import EPS, Measurement, Sampling, claims_of, either
from maml_bench.claims.constants import constants
from maml_bench.claims.lowest import lowest_objective
from maml_bench.claims.requirements import (
    certified_noise,
    exact_hessian,
    exact_path_in_ball,
    first_reason,
    gaussian_smoothing,
    no_noise,
    single_loss,
    two_losses,
    zeroth_order,
)
from maml_bench.exact import meta_gradients
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting, looped, losses

LEAST_FLOATS = 2**15
"""Floats that a run is taken for at least, so that a block has no more runs than suit the cache."""


# --- Lemma A


def _target_gradients(setting: Setting) -> np.ndarray:
    """The gradient of each task's (target) loss at w, (tasks, d)."""
    return losses(setting)[1].grad(setting.w).reshape(-1, setting.tasks.dim)


def mean_gradient_norm(setting: Setting) -> np.ndarray:
    """||grad l(w)||, one cell."""
    return np.atleast_1d(np.linalg.norm(_target_gradients(setting).mean(0)))


def task_gradient_norm(setting: Setting) -> np.ndarray:
    """E_i ||grad l_i(w)||, one cell."""
    return np.linalg.norm(_target_gradients(setting), axis=-1).mean(keepdims=True)


def mean_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to the norm of a mean of gradients, which may cancel."""
    return np.full(value.shape, 32 * EPS * (setting.tasks.dim + 32) * task_gradient_norm(setting)[0])


def constants_at_w(setting: Setting, names) -> dict[str, object]:
    """As `constants`, with the heterogeneity at w."""
    found = constants(setting, [name for name in names if name != "sigma"])
    if "sigma" in names:
        gradients = _target_gradients(setting)
        found["sigma"] = float(np.sqrt(np.mean(np.sum((gradients - gradients.mean(0)) ** 2, axis=-1))))
    return found


def _lemma(words, losses_needed, value) -> Measurement:
    return Measurement(
        words=words,
        requires=first_reason(losses_needed, exact_path_in_ball),
        exact=value,
        error=mean_error,
        constants=constants_at_w,
    )


# --- Lemma B


def estimated_step_size(setting: Setting) -> str:
    """Requirement of statements about the step size 1/(C_beta L^_w)."""
    if setting.outer is None:
        return "an outer loop: Setting(..., outer=OuterLoop(iterations, B, C_beta=...))"
    return "" if looped(setting).C_beta is not None else "the step size 1/(C_beta L^_w), OuterLoop(..., C_beta=...)"


def outer_constants(setting: Setting, names) -> dict[str, object]:
    """As `constants`, with those of the outer loop, and what is known of constants that a bound can do without."""
    outer = looped(setting)
    known = {name: size for name in ("B_beta", "D_beta") if (size := getattr(outer, name)) is not None}
    found = constants(setting, names) | known
    if math.isfinite(setting.tasks.regularity.tau):
        found["tau"] = setting.tasks.regularity.tau
    return found


def sizes(power: int):
    """Replicates of beta^power at w: at most 1/(C_beta a)^power, since no estimate of L_w is smaller than a."""

    def of(setting: Setting) -> Capped:
        largest = largest_step(setting)
        draw = lambda rng, replicates: step_sizes(setting, rng, replicates)[:, None] ** power
        return Capped(draw, np.array([largest**power]))

    return of


def _fixed_size(power: int):
    """beta^power where the estimate is not random: Hessians that do not vary, or one task without noise."""

    def exact(setting: Setting) -> np.ndarray | None:
        regularity = setting.tasks.regularity
        alone = math.prod(setting.tasks.batch_shape) == 1 and regularity.sigma_g == 0
        if regularity.rho > 0 and not alone:
            return None
        return step_sizes(setting, np.random.default_rng(0), 1) ** power

    return exact


def _step_size(power: int) -> Measurement:
    return Measurement(
        words="E beta" if power == 1 else f"E beta^{power}",
        requires=first_reason(single_loss, estimated_step_size, exact_path_in_ball),
        exact=_fixed_size(power),
        sampled=Sampling(sizes(power), "mean", lambda setting: cast(int, looped(setting).B_beta) * setting.tasks.dim),
        constants=outer_constants,
    )


# --- The theorems


def plain_algorithm(setting: Setting) -> str:
    """Requirement of the theorems: the step of eq. 7 along the mean of eq. 8."""
    outer = looped(setting)
    if getattr(outer.method, "equation", None if outer.method else 8) != 8:
        return f"the meta gradient of eq. 8, method=None, not {outer.method!r}"
    plain = getattr(outer.optimizer, "equation", None if outer.optimizer else 7) == 7
    return "" if plain else f"plain meta steps, optimizer=None, not {outer.optimizer!r}"


def unconfined(setting: Setting) -> str:
    """Requirement of the theorems: nothing keeps a run inside a ball."""
    radius = setting.tasks.regularity.radius
    words = "constants that hold everywhere, since no run is known to stay in a ball; these hold on a ball of radius"
    return "" if radius == math.inf else f"{words} {radius:g}"


def bounded_below(setting: Setting) -> str:
    """Requirement of the theorems: Assumption 1, with a lower bound that is proved."""
    if lowest_objective(setting) > -math.inf:
        return ""
    return "a proved lower bound of the meta objective: these losses have none, or their family states no infimum"


def schedule(setting: Setting) -> str:
    """Requirement of Corollary 1."""
    inner, L = setting.inner, setting.tasks.regularity.L
    if looped(setting).C_beta != 100:
        return f"C_beta = 100, not {looped(setting).C_beta:g}"
    wanted = 1 / (8 * inner.steps * L) if L > 0 else math.inf
    if math.isclose(inner.alpha, wanted, rel_tol=1e-9):
        return ""
    return f"alpha = 1/(8 N L) = {wanted:.10g}, not {inner.alpha:.10g}"


def means_of_runs(setting: Setting) -> Draw:
    """Replicates of the mean over a run's first K iterates of ||grad calL(w_k)||."""
    return lambda rng, replicates: gradient_norms(setting, rng, replicates).mean(0)[:, None]


def start_norm(setting: Setting) -> float:
    """||grad calL(w)||."""
    return float(np.linalg.norm(meta_gradients(setting).mean(0)))


def capped_means(setting: Setting) -> Capped | None:
    """`means_of_runs` with a ceiling, where one is known."""
    found = ceilings.ceilings(setting)
    ceiling = None if found is None else ceilings.of_mean(found.norms + found.beyond(), start_norm(setting))
    return None if ceiling is None else Capped(means_of_runs(setting), ceiling)


def squared_means(setting: Setting) -> Capped | None:
    """`means_of_runs` with a bound of their mean square, where one is known."""
    square = run_squares.of_mean(setting, start_norm(setting))
    return None if square is None else Capped(means_of_runs(setting), None, square)


def run_floats(setting: Setting) -> int:
    """Floats that one run takes."""
    inner, Q = setting.inner, getattr(setting.hessian, "directions", 1)
    tasks = looped(setting).B * setting.tasks.dim * max(inner.S, inner.D, inner.T, Q)
    return max(tasks, looped(setting).iterations, LEAST_FLOATS)


def rounding(setting: Setting) -> float:
    """What rounding can add to ||grad calL||: some units in the last place of the gradients that it is a mean of, and
    of the numbers that these are made of.
    """
    gradients = np.linalg.norm(_target_gradients(setting), axis=-1).max()
    reach = setting.tasks.regularity.L * np.linalg.norm(setting.w)
    return 64 * np.finfo(float).eps * (setting.inner.steps + 1) * float(gradients + reach)


def resolution(setting: Setting) -> float:
    """What rounding can add, and runs beyond their ceilings."""
    return rounding(setting) + ceilings.beyond(setting)


def _theorem(losses_needed, *requirements, draw=None) -> Measurement:
    """E ||grad calL(w_zeta)|| for algorithms that satisfy the requirements."""
    needs = (losses_needed, estimated_step_size, plain_algorithm, *requirements, unconfined, bounded_below)
    return Measurement(
        words="E ||grad calL(w_zeta)||, zeta averaged out",
        requires=first_reason(*needs),
        sampled=Sampling(draw or means_of_runs, "mean", run_floats),
        resolution=resolution,
        constants=outer_constants,
    )


_EXACT, _ESTIMATED = either(capped_means, means_of_runs), either(squared_means, means_of_runs)

MEASUREMENTS = {
    "lemma-a": _lemma("||grad l(w)||", single_loss, mean_gradient_norm),
    "lemma-a-tasks": _lemma("E_i ||grad l_i(w)||", single_loss, task_gradient_norm),
    "finite-lemma-a": _lemma("||grad l_T(w)||", two_losses, mean_gradient_norm),
    "lemma-b-first": _step_size(1),
    "lemma-b-second": _step_size(2),
    "thm1": _theorem(single_loss, exact_hessian, draw=_EXACT),
    "cor1": _theorem(single_loss, exact_hessian, schedule, draw=_EXACT),
    "thm2": _theorem(single_loss, gaussian_smoothing, certified_noise, draw=_ESTIMATED),
    "zo-neighbourhood": _theorem(single_loss, zeroth_order(stein=False), no_noise, draw=_ESTIMATED),
    "finite-thm1": _theorem(two_losses, exact_hessian, draw=_EXACT),
    "finite-thm2": _theorem(two_losses, gaussian_smoothing, draw=_ESTIMATED),
}

CLAIMS = tuple(claim for name, measurement in MEASUREMENTS.items() for claim in claims_of(name, measurement))
