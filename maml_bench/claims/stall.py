"""What zeroth-order Hessians add to the meta gradient, apart from a factor: exact wherever smoothing is."""

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.claims.claim import EPS, Measurement, claims_of
from maml_bench.claims.constants import constants
from maml_bench.claims.hessian_draws import mean_hessians
from maml_bench.claims.requirements import (
    everywhere,
    first_reason,
    known_mean_hessian,
    known_smoothing,
    no_noise,
    single_loss,
    zeroth_order,
)
from maml_bench.exact import meta_gradients, smoothings
from maml_bench.setting import Setting, single, smoothed


def excesses(setting: Setting) -> np.ndarray:
    """(l_nu(w) - l(w))/nu^2 for each task, (tasks,)."""
    return np.array([smooth.excess for smooth in smoothings(single(setting), setting.w, smoothed(setting).nu) or ()])


def mean_meta_gradients(setting: Setting) -> np.ndarray:
    """The mean of G^ for each task, (tasks, d): along the exact path the factors are independent."""
    tasks, inner = single(setting), setting.inner
    path = exact_path(tasks, setting.w, inner.alpha, inner.steps)
    vector = tasks.grad(path[-1]).reshape(-1, tasks.dim)
    for point in path[-2::-1]:
        vector = vector - inner.alpha * np.matvec(mean_hessians(setting, point), vector)
    return vector


def shift(setting: Setting) -> np.ndarray:
    """||E G^ - (1 - alpha t)^N grad calL(w)||, t the mean of `excesses`: one cell."""
    factor = (1 - setting.inner.alpha * excesses(setting).mean()) ** setting.inner.steps
    found = mean_meta_gradients(setting).mean(0) - factor * meta_gradients(setting).mean(0)
    return np.linalg.norm(found[None], axis=-1)


def rounding_of_shift(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added: a difference of two meta gradients."""
    tasks, inner = single(setting), setting.inner
    L, dim = tasks.regularity.L, tasks.dim
    growth = (1 + inner.alpha * L * (1 + dim / 2)) ** (2 * inner.steps)
    size = np.linalg.norm(tasks.grad(setting.w), axis=-1).max() + L * np.linalg.norm(setting.w)
    return np.full(value.shape, 64 * EPS * (dim + 8) * inner.steps * growth * float(size))


def constants_of_the_trace(setting: Setting, names) -> dict[str, object]:
    """As `constants`, with how the excess varies over tasks."""
    own = ("trace_spread", "trace_covariance")
    found, t = constants(setting, [name for name in names if name not in own]), excesses(setting)
    gradients = single(setting).grad(setting.w).reshape(-1, setting.tasks.dim)
    covariance = np.mean((t - t.mean())[:, None] * gradients, axis=0)
    return found | {"trace_spread": float(t.std()), "trace_covariance": float(np.linalg.norm(covariance))}


SHIFT = Measurement(
    words="||E G^ - (1 - alpha t)^N grad calL(w)||, t the mean over tasks of (l_nu - l)/nu^2",
    requires=first_reason(
        single_loss, zeroth_order(stein=False), known_smoothing, known_mean_hessian, everywhere, no_noise
    ),
    exact=shift,
    error=rounding_of_shift,
    constants=constants_of_the_trace,
)

CLAIMS = claims_of("zo-shift", SHIFT)
