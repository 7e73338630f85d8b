r"""Proposition 2: distance of the stochastic from the exact inner path, for each task.

The mean of the error :math:`e_N = w_N - \tilde w_N` is small against its size, so what is linear in the noise is taken
out. Gaussian noise is additive: a path and that of the mirrored noise are averaged. Of other noise the linear part
itself is subtracted,

.. math:: \ell_{j+1} = (I - \alpha\nabla^2l(\tilde w_j))\,\ell_j - \alpha\xi_j , \qquad E\ell_N = 0 ,

:math:`\xi_j` the error of the gradient of step j, which has mean zero given the past whatever its law. Taylor leaves
:math:`r = e - \ell` with :math:`\|r_{j+1}\| \le q\|r_j\| + \alpha\min(\frac\rho2\|e_j\|^2, 2L\|e_j\|)`, q = 1 + αL.
"""

import copy
import math

import numpy as np

from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.claims import path_envelopes, path_squares
from maml_bench.claims.claim import EPS, Measurement, Sampling, by_cell, claims_of, either, footprint, relative_rounding
from maml_bench.claims.requirements import first_reason, noisy_path_in_ball, single_loss
from maml_bench.exact import AGREEMENT, moments
from maml_bench.montecarlo.rows import squares
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.problems.noise import Mirrored, population, states
from maml_bench.setting import Setting, single


def _errors(setting: Setting):
    """``errors(tasks, rng, replicates)``: w_N - w~_N, shape (replicates, *batch_shape, d),
    with samples from ``tasks``.
    """
    inner = setting.inner
    exact = exact_path(single(setting), setting.w, inner.alpha, inner.steps)[-1]

    def errors(tasks, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *exact.shape))
        return stochastic_path(tasks, start, inner, rng)[-1] - exact

    return errors


def distances(setting: Setting) -> Draw:
    """Replicates of ||w_N - w~_N||."""
    errors = _errors(setting)
    return lambda rng, replicates: by_cell(np.linalg.norm(errors(setting.tasks, rng, replicates), axis=-1), 0)


def squared_distances(setting: Setting) -> Draw:
    """Replicates of ||w_N - w~_N||^2."""
    errors = _errors(setting)

    def draw(rng, replicates):
        error = errors(setting.tasks, rng, replicates)
        return by_cell(squares(error), 0)

    return draw


def _deviations(setting: Setting):
    """``errors(tasks, rng, replicates)`` with the mean E w_N - w~_N: see the head of this file."""
    inner = setting.inner
    path = exact_path(single(setting), setting.w, inner.alpha, inner.steps)
    if path_envelopes.gaussian(setting):
        return _errors(setting)

    def errors(tasks, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *path.shape[1:]))
        found = stochastic_path(tasks, start, inner, rng)
        linear = np.zeros(start.shape)
        for here, after, exact in zip(found[:-1], found[1:], path[:-1], strict=True):
            linear = linear - inner.alpha * (tasks.hvp(exact, linear) - tasks.grad(here)) - (here - after)
        return found[-1] - path[-1] - linear

    return errors


def drifts(setting: Setting) -> Draw:
    """Replicates with the mean E w_N - w~_N."""
    errors, mirrored = _deviations(setting), path_envelopes.gaussian(setting)

    def draw(rng, replicates):
        twin = copy.deepcopy(rng)
        found = errors(setting.tasks, rng, replicates)
        return by_cell((found + errors(Mirrored(setting.tasks), twin, replicates)) / 2 if mirrored else found, 1)

    return draw


def capped_distances(setting: Setting) -> Capped | None:
    """`distances` with a ceiling or a bound of the mean square, where one is known."""
    errors, known = _errors(setting), path_squares.path_squares(setting)
    return path_envelopes.capped(
        setting,
        path_envelopes.first_moment(setting),
        lambda tasks, rng, replicates: np.linalg.norm(errors(tasks, rng, replicates), axis=-1),
        square=known.second[-1],
        rounding=rounding(setting),
    )


def capped_squared_distances(setting: Setting) -> Capped | None:
    """`squared_distances` with a ceiling or a bound of the mean square, where one is known."""
    errors, known = _errors(setting), path_squares.path_squares(setting)

    def measured(tasks, rng, replicates):
        error = errors(tasks, rng, replicates)
        return squares(error)

    return path_envelopes.capped(
        setting,
        path_envelopes.second_moment(setting),
        measured,
        square=known.fourth[-1],
        rounding=rounding_of_square(setting),
    )


def capped_drifts(setting: Setting) -> Capped | None:
    """`drifts` with a ceiling or a bound of the mean square, where one is known."""
    return path_envelopes.capped(
        setting,
        path_envelopes.drift(setting),
        _deviations(setting),
        square=path_squares.drift_square(setting),
        mirrored=path_envelopes.gaussian(setting),
        core=1,
        rounding=rounding_of_drift(setting),
    )


def exact_drift(setting: Setting) -> np.ndarray | None:
    """||E w_N - w~_N|| for each task; 0 after one step, as noise has mean zero, and where paths are linear in it."""
    drift = moments(setting).path_bias
    if drift is not None and (setting.inner.steps == 1 or no_bias(setting)):
        return np.zeros(len(drift))
    return None if drift is None else np.linalg.norm(drift, axis=-1)


def rounding(setting: Setting) -> float:
    """What rounding can add to ||w_N - w~_N||: a few units in the last place of the path, at every step."""
    path = exact_path(single(setting), setting.w, setting.inner.alpha, setting.inner.steps)
    return 16 * np.finfo(float).eps * len(path) * float(np.linalg.norm(path, axis=-1).max())


def spread(setting: Setting) -> float:
    """What the root of E ||w_N - w~_N||^2 does not exceed."""
    inner, regularity = setting.inner, setting.tasks.regularity
    return inner.alpha * regularity.sigma_g * inner.steps * (1 + inner.alpha * regularity.L) ** inner.steps


def rounding_of_drift(setting: Setting) -> float:
    """What rounding can add to the error of a path less what is linear in the noise: that of either, where the noise is
    at most ten times its spread.
    """
    return rounding(setting) + 160 * np.finfo(float).eps * (setting.inner.steps + 1) * spread(setting)


def rounding_of_square(setting: Setting) -> float:
    """What rounding can add to E ||w_N - w~_N||^2."""
    return rounding(setting) * (rounding(setting) + 2 * spread(setting))


def moment_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What quadrature and the rounding of weights and sums can have added to an exact moment."""
    return relative_rounding(setting, value) + (AGREEMENT + weight_error(setting)) * value


def first_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """As `moment_error`, and what the difference of two paths lost."""
    return moment_error(setting, value) + lost(setting)


def second_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """As `moment_error`, and what the difference of two paths lost."""
    return moment_error(setting, value) + of_square(value, lost(setting))


def of_square(square: np.ndarray, error: float) -> np.ndarray:
    """How far off a mean square is whose root mean square is off by an error at most."""
    return (2 * np.sqrt(square) + error) * error


def lost(setting: Setting) -> float:
    """What rounding can have added to w_N - w~_N; nothing where no paths are subtracted."""
    affine = getattr(population(setting.tasks), "affine_gradient", False)
    closed = states(setting.tasks, "isotropic") and (affine or setting.inner.steps == 1)
    return 0.0 if closed or setting.tasks.regularity.sigma_g == 0 else rounding(setting)


def drift_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to the exact drift: that of the path, and of the weights of what is averaged."""
    if no_bias(setting) or setting.inner.steps == 1:
        return np.zeros(value.shape)
    return 4 * rounding(setting) + AGREEMENT * value + weight_error(setting) * spread(setting)


def no_bias(setting: Setting) -> bool:
    """Whether the paths and the meta gradient are linear in the noise, so that biases are 0 by proof."""
    linear = getattr(population(setting.tasks), "affine_gradient", False)
    return setting.tasks.regularity.sigma_g == 0 or linear


def weight_error(setting: Setting) -> float:
    """Relative rounding of a mean over what batches can hold: weights are exponentials of log factorials."""
    S = setting.inner.S
    return 16 * EPS * setting.inner.steps * (S * math.log(S + 2) + 64)


_REQUIRES = first_reason(single_loss, noisy_path_in_ball)

MEASUREMENTS = {
    "prop2-first": Measurement(
        words="E ||w_N - w~_N||",
        requires=_REQUIRES,
        exact=lambda setting: moments(setting).path_first,
        error=first_error,
        sampled=Sampling(either(capped_distances, distances), "mean", footprint),
        resolution=rounding,
    ),
    "prop2-second": Measurement(
        words="E ||w_N - w~_N||^2",
        requires=_REQUIRES,
        exact=lambda setting: moments(setting).path_second,
        error=second_error,
        sampled=Sampling(either(capped_squared_distances, squared_distances), "mean", footprint),
        resolution=rounding_of_square,
    ),
    "prop2-mean": Measurement(
        words="||E w_N - w~_N||",
        requires=_REQUIRES,
        exact=exact_drift,
        error=drift_error,
        sampled=Sampling(either(capped_drifts, drifts), "norm of mean", footprint),
        resolution=rounding_of_drift,
    ),
}

CLAIMS = tuple(claim for name, measurement in MEASUREMENTS.items() for claim in claims_of(name, measurement))
