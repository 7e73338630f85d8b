r"""Propositions 3 and 4: bias and second moment of the stochastic meta gradient.

The bias is for the family and (form ``smooth``) for each task. It is small against the noise, so the sampler removes
all noise whose mean is known, in four steps. None changes the mean.

1. Hessian batches and the final gradient are fresh and enter linearly: given the inner path, the mean over them puts
   population Hessians and gradients in their place. So the estimand is :math:`E F(\xi)` less F(0), with
   :math:`F(\xi)` the product along the path whose gradient noise is :math:`\xi = (\xi_0, \dots, \xi_{N-1})`.
2. A path and the path of the mirrored noise are averaged: what is odd in the noise cancels.
3. Each :math:`\xi_j` has mean zero given the past. So has any linear function of :math:`\xi`;
   F's derivative at 0 is a control variate.
4. Isotropic sampling models give :math:`\xi_j` the covariance
   :math:`(\sigma_g^2/(dS)) I` at whatever point. So a quadratic function :math:`\xi^TQ\xi/2` has the mean
   :math:`(\sigma_g^2/(dS))\,\mathrm{tr}\,Q/2`. With F's second derivative as Q this mean is the bias to first order
   in 1/S, and sampling is left with the rest.

The derivatives are central differences over the size of the noise; they need not be accurate, as any linear or
quadratic function will do. The factor of the control variate, one a task, is fitted to a pilot sample, so that
it does no harm where the noise is too large for an expansion; the pilot has a stream of its own and is
independent of the replicates.

Both propositions have bounds for other estimators, too (`by_estimator`). With those the bias is sampled from whole
estimates, in mirrored pairs.

The second moment is for the family. All noise is sampled, in mirrored pairs, which removes from the sample what is odd
in the noise: the terms of first order.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np

from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.capabilities import kind
from maml_bench.claims import inner_path, path_envelopes, path_squares
from maml_bench.claims.by_estimator import claims_by_estimator
from maml_bench.claims.claim import EPS, Measurement, Sampling, either, footprint
from maml_bench.claims.constants import constants_of_each_task
from maml_bench.claims.hessian_draws import gradient_scale, loss_scale
from maml_bench.claims.requirements import first_reason, noisy_path_in_ball, sampled, single_loss
from maml_bench.exact import AGREEMENT, meta_gradients, moments
from maml_bench.meta_gradient import exact_meta_gradient_along, stochastic_meta_gradient
from maml_bench.montecarlo.sequence import BLOCK_FLOATS, Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.problems.noise import Mirrored, states
from maml_bench.setting import Setting, single

ROUNDING = 1e-12
"""Relative size below which a control variate is what rounding leaves of one."""

PILOT = 256
"""Pairs of paths, at most, to which the factors of the control variates are fitted."""


LARGEST_EXPANSION = 2**21
"""Most numbers in the derivatives, of first or second order, of all tasks; those with more are not used."""


@dataclass(frozen=True)
class Expansion:
    """The mean of the meta gradient given its path, to first and second order in the noise of the path.

    The noise has M = N d numbers; tasks are on one axis.

    Attributes
    ----------
    linear : array (tasks, M, d)
    quadratic : array (tasks, M, M, d) or None
        Half the second derivative. None where the covariance of the noise is not known, or for want of memory.
    mean : array (tasks, d)
        Mean of the quadratic part.
    """

    linear: np.ndarray
    quadratic: np.ndarray | None
    mean: np.ndarray

    def centered(self, noise: np.ndarray) -> np.ndarray:
        """The expansion at ``noise`` (replicates, tasks, M), less its mean: (replicates, tasks, d), of mean zero."""
        noise = noise.swapaxes(0, 1)
        result = noise @ self.linear
        if self.quadratic is not None:
            count, size, _, dim = self.quadratic.shape
            pushed = (noise @ self.quadratic.reshape(count, size, size * dim)).reshape(count, -1, size, dim)
            result += np.vecmat(noise, pushed)
        return result.swapaxes(0, 1) - self.mean


def expand(setting: Setting) -> Expansion | None:
    """The expansion by central differences; None without noise, or for want of memory."""
    tasks, inner = single(setting), setting.inner
    count, size, dim = math.prod(tasks.batch_shape), inner.steps * tasks.dim, tasks.dim
    variance = tasks.regularity.sigma_g**2 / (dim * inner.S)
    step, order = math.sqrt(variance), _order(setting)
    if step == 0 or order == 0:
        return None

    def values(noise):
        """That mean for rows of noise (m, M), the same for all tasks: (m, tasks, d)."""
        rows = noise.reshape(len(noise), inner.steps, *(1,) * len(tasks.batch_shape), dim)
        path = [np.broadcast_to(setting.w, (len(noise), *tasks.batch_shape, dim))]
        for number in range(inner.steps):
            path.append(path[-1] - inner.alpha * (tasks.grad(path[-1]) + rows[:, number]))
        return exact_meta_gradient_along(tasks, np.stack(path), inner.alpha).reshape(len(noise), count, dim)

    axes = step * np.eye(size)
    ahead, behind = values(axes), values(-axes)
    linear = np.moveaxis((ahead - behind) / (2 * step), 0, 1)
    if order == 1:
        return Expansion(linear, None, np.zeros((count, dim)))
    twice = 2 * values(np.zeros((1, size)))
    bend = ahead + behind - twice
    quadratic = np.empty((count, size, size, dim))
    for row in range(size):
        both = values(axes[row] + axes) + values(-axes[row] - axes) - twice
        quadratic[:, row] = np.moveaxis(both - bend - bend[row], 0, 1) / (4 * step**2)
    return Expansion(linear, quadratic, variance * np.einsum("taad->td", quadratic))


def _order(setting):
    """Order of the expansion: 2 where memory allows and the covariance of the noise is known."""
    tasks, size = setting.tasks, setting.inner.steps * setting.tasks.dim
    first = math.prod(tasks.batch_shape) * size * tasks.dim
    known = states(tasks, "isotropic")
    return int(first <= LARGEST_EXPANSION) + int(known and first * size <= LARGEST_EXPANSION)


def _one(setting: Setting):
    """``one(source, rng, replicates)``: G^_i - grad calL_i(w) and its control variate along a path with samples from
    ``source``, stacked; each has the shape (replicates, tasks, d).
    """
    inner, tasks = setting.inner, single(setting)
    expansion, exact = expand(setting), meta_gradients(setting)
    leading = (1,) * len(tasks.batch_shape)

    def one(source, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *leading, tasks.dim))
        path = stochastic_path(source, start, inner, rng)
        noise = (path[:-1] - path[1:]) / inner.alpha - tasks.grad(path[:-1])
        rows = np.moveaxis(noise.reshape(inner.steps, replicates, -1, tasks.dim), 0, 2)
        error = exact_meta_gradient_along(tasks, path, inner.alpha).reshape(replicates, -1, tasks.dim) - exact
        rows = rows.reshape(*rows.shape[:2], -1)
        return np.stack([error, expansion.centered(rows) if expansion else np.zeros_like(error)])

    return one, expansion


def _factor(setting: Setting, pairs, one) -> np.ndarray:
    """The factor of the control variate of each task, (tasks, 1), fitted to a pilot sample of its own.

    It is 0 where pairs leave of the control variate what rounding leaves of one path's: where gradients are linear.
    """
    size = min(PILOT, max(16, 2 * BLOCK_FLOATS // bias_floats(setting)))
    pilot = pairs(np.random.default_rng(PILOT), size)
    whole = np.sum(one(setting.tasks, np.random.default_rng(PILOT), size)[1] ** 2, axis=(0, 2))
    error, control = pilot - pilot.mean(1, keepdims=True)
    square, product = np.sum(control**2, axis=(0, 2)), np.sum(error * control, axis=(0, 2))
    left = square > ROUNDING**2 * whole
    return np.divide(product, square, out=np.zeros_like(square), where=left)[:, None]


def _biases(setting: Setting):
    """Errors of pairs less their control variate, ``(rng, replicates) -> (replicates, tasks, d)``; the same along one
    path, and the factor and the expansion of the control variate.
    """
    one, expansion = _one(setting)

    def pairs(rng, replicates):
        twin = copy.deepcopy(rng)
        return (one(setting.tasks, rng, replicates) + one(Mirrored(setting.tasks), twin, replicates)) / 2

    factor = _factor(setting, pairs, one)

    def less(found):
        error, control = found
        return error - factor * control

    return lambda *args: less(pairs(*args)), lambda *args: less(one(*args)), factor, expansion


def of_batches(value):
    """A function of settings that speaks of the Hessians of batches: None for another estimator."""
    return lambda setting: value(setting) if sampled(setting) else None


def errors(setting: Setting) -> Draw:
    """Replicates of G^_i - grad calL_i(w), (replicates, tasks, d), with any estimator; pairs of mirrored data."""
    tasks, exact = setting.tasks, meta_gradients(setting)
    mirrored, leading = Mirrored(tasks), (1,) * len(tasks.batch_shape)

    def one(source, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *leading, tasks.dim))
        gradient = stochastic_meta_gradient(source, start, setting.inner, setting.hessian, rng)
        return gradient.reshape(replicates, -1, tasks.dim) - exact

    def draw(rng, replicates):
        twin = copy.deepcopy(rng)
        return (one(tasks, rng, replicates) + one(mirrored, twin, replicates)) / 2

    return draw


def biases(setting: Setting) -> Draw:
    """Replicates of G^_i - grad calL_i(w), (replicates, tasks, d). With the Hessians of batches noise of known mean is
    removed: see the head of this file.
    """
    return _biases(setting)[0] if sampled(setting) else errors(setting)


def capped_biases(setting: Setting, family: bool = False) -> Capped | None:
    """`biases`, or the mean over tasks, with a ceiling or a bound of the mean square, where one is known."""
    inner, tasks = setting.inner, setting.tasks
    tilted, still = path_envelopes.gaussian(setting), np.zeros((inner.steps, inner.steps))
    known = tilted or math.isfinite(path_squares.bias_square(setting, still, still[0], 0.0))
    if not (sampled(setting) and known):
        return None
    _, one, factor, expansion = _biases(setting)
    control, linear, constant = still, still[0], 0.0
    if expansion is not None:
        slopes = expansion.linear.reshape(-1, inner.steps, tasks.dim * tasks.dim)
        linear = (np.abs(factor) * np.linalg.norm(slopes, axis=-1)).max(0)
    if expansion is not None and expansion.quadratic is not None:
        blocks = expansion.quadratic.reshape(-1, inner.steps, tasks.dim, inner.steps, tasks.dim, tasks.dim)
        sizes = np.abs(factor)[..., None] * np.sqrt(np.einsum("taibjd->tab", blocks**2))
        control, constant = sizes.max(0), float(np.max(np.abs(factor[:, 0]) * np.linalg.norm(expansion.mean, axis=-1)))
    envelope = path_envelopes.bias(setting, control, constant)
    square = path_squares.bias_square(setting, control, linear, constant)

    def measured(source, rng, replicates):
        return one(source, rng, replicates).reshape(replicates, *tasks.batch_shape, tasks.dim)

    return path_envelopes.capped(
        setting,
        envelope,
        measured,
        square=square,
        mirrored=True,
        family=family,
        core=1,
        rounding=rounding_of_bias(setting),
    )


def capped_family_bias(setting: Setting) -> Capped | None:
    """`family_bias` with a ceiling, where one is known."""
    return capped_biases(setting, family=True)


def family_bias(setting: Setting) -> Draw:
    """Replicates of the mean over tasks of `biases`, (replicates, 1, d)."""
    draw = biases(setting)
    return lambda rng, replicates: draw(rng, replicates).mean(1, keepdims=True)


def exact_bias(setting: Setting) -> np.ndarray | None:
    """||E G^_i - grad calL_i(w)|| for each task."""
    found = of_batches(moments)(setting)
    return None if found is None or found.bias is None else np.linalg.norm(found.bias, axis=-1)


def exact_family_bias(setting: Setting) -> np.ndarray | None:
    """||E_i E G^_i - grad calL(w)||, one cell."""
    found = of_batches(moments)(setting)
    return None if found is None or found.bias is None else np.linalg.norm(found.bias.mean(0, keepdims=True), axis=-1)


def bias_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to an exact bias: that of what is subtracted, and of the weights of the mean."""
    if inner_path.no_bias(setting):
        return np.zeros(value.shape)
    scale = rounding(setting) / EPS
    return 4 * rounding(setting) + AGREEMENT * value + inner_path.weight_error(setting) * scale / 16


def rounding(setting: Setting) -> float:
    """What rounding can add to a norm of the bias: a few units in the last place of what is
    multiplied up and subtracted.
    """
    inner, tasks = setting.inner, single(setting)
    path = exact_path(tasks, setting.w, inner.alpha, inner.steps)
    growth = (1 + inner.alpha * tasks.regularity.L) ** inner.steps
    size = np.linalg.norm(meta_gradients(setting), axis=-1).max() + growth * tasks.regularity.L * np.abs(path).max()
    return 16 * np.finfo(float).eps * len(path) * float(size) + _of_differences(setting) * growth**2 * float(size)


def rounding_of_bias(setting: Setting) -> float:
    """What rounding can add to a sampled norm of the bias: that of noise too, which replicates take away again, where
    it is at most ten times its spread.
    """
    inner, regularity = setting.inner, setting.tasks.regularity
    growth = (1 + inner.alpha * regularity.L) ** inner.steps
    noise = growth * (regularity.sigma_g + regularity.L * inner_path.spread(setting))
    return rounding(setting) + 160 * np.finfo(float).eps * (inner.steps + 1) * noise


def _of_differences(setting):
    """What rounding can add to the N Hessians, in units of the vectors they are applied to: differences lose digits."""
    hessian, dim = setting.hessian, setting.tasks.dim
    lost = 0.0
    if kind(hessian) == "gaussian-smoothing":
        lost = gradient_scale(setting) * math.sqrt(dim) / hessian.nu
    elif kind(hessian).startswith("zeroth-order"):
        lost = loss_scale(setting) * (dim + 2) / hessian.nu**2
    return 4 * np.finfo(float).eps * setting.inner.steps * setting.inner.alpha * lost


def bias_floats(setting: Setting) -> int:
    numbers = math.prod(setting.tasks.batch_shape) * setting.inner.steps * setting.tasks.dim
    return max(gradient_floats(setting), numbers * (setting.tasks.dim if _order(setting) == 2 else 1))


_REQUIRES = first_reason(single_loss, noisy_path_in_ball)


FAMILY = Measurement(
    words="||E_i E G^_i - grad calL(w)||",
    requires=_REQUIRES,
    exact=exact_family_bias,
    error=bias_error,
    sampled=Sampling(either(capped_family_bias, family_bias), "norm of mean", bias_floats),
    resolution=rounding_of_bias,
)


EACH_TASK = Measurement(
    words="||E G^_i - grad calL_i(w)||",
    requires=_REQUIRES,
    exact=exact_bias,
    error=bias_error,
    sampled=Sampling(either(capped_biases, biases), "norm of mean", bias_floats),
    resolution=rounding_of_bias,
    constants=constants_of_each_task,
)


def gradient_floats(setting: Setting) -> int:
    """Floats that one replicate of the meta gradient takes: those of a step, or four for every number of a
    direction of its Hessians, for each sample if these are drawn under every point.
    """
    batch = setting.inner.D if getattr(setting.hessian, "data", None) == "resampled" else 1
    numbers = math.prod(setting.tasks.batch_shape) * setting.tasks.dim
    return max(footprint(setting), 4 * numbers * batch * getattr(setting.hessian, "directions", 0))


def squares(setting: Setting) -> Draw:
    """Replicates of ||G^_i||^2, the mean over tasks and over a draw and its mirror image; shape (replicates, 1)."""
    tasks = setting.tasks
    mirrored, leading = Mirrored(tasks), (1,) * len(tasks.batch_shape)

    def one(source, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *leading, tasks.dim))
        gradient = stochastic_meta_gradient(source, start, setting.inner, setting.hessian, rng)
        return np.vecdot(gradient, gradient).reshape(replicates, -1).mean(1, keepdims=True)

    def draw(rng, replicates):
        twin = copy.deepcopy(rng)
        return (one(tasks, rng, replicates) + one(mirrored, twin, replicates)) / 2

    return draw


def capped_squares(setting: Setting, family: bool = True) -> Capped | None:
    """`squares` with a ceiling or a bound of their mean square, where one is known, for the family or each task."""
    if not sampled(setting):
        return None
    leading = (1,) * len(setting.tasks.batch_shape)

    def measured(source, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *leading, setting.tasks.dim))
        gradient = stochastic_meta_gradient(source, start, setting.inner, setting.hessian, rng)
        return np.vecdot(gradient, gradient)

    envelope, square = path_envelopes.square(setting), path_squares.fourth_moments(setting)
    return path_envelopes.capped(setting, envelope, measured, square=square, mirrored=True, family=family)


def exact_square(setting: Setting) -> np.ndarray | None:
    """E_i E ||G^_i||^2, one cell."""
    found = of_batches(moments)(setting)
    return None if found is None or found.second_moment is None else found.second_moment.mean(keepdims=True)


def square_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding and quadrature can have added to `exact_square`: gradients may be differences of large numbers."""
    return inner_path.moment_error(setting, value) + inner_path.of_square(value, rounding(setting))


def rounding_of_square(setting: Setting) -> float:
    """What rounding can add to a sampled E ||G^_i||^2: little, but for differences that have lost their digits."""
    inner, regularity = setting.inner, setting.tasks.regularity
    growth = (1 + inner.alpha * regularity.L) ** (2 * inner.steps)
    size = np.linalg.norm(single(setting).grad(setting.w), axis=-1).max() + regularity.sigma_g
    return rounding(setting) * (rounding(setting) + 2 * growth * float(size))


SQUARE = Measurement(
    words="E_i E ||G^_i||^2",
    requires=_REQUIRES,
    exact=exact_square,
    error=square_error,
    sampled=Sampling(either(capped_squares, squares), "mean", gradient_floats),
    resolution=rounding_of_square,
)


CLAIMS = (
    *claims_by_estimator("prop3", lambda form: EACH_TASK if form == "smooth" else FAMILY),
    *claims_by_estimator("prop4", lambda form: SQUARE),
)
