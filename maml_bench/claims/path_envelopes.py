r"""Replicates with a ceiling for the inner path and the meta gradient: noise drawn from laws tilted by an envelope.

See `maml_bench.montecarlo.tilted`. Let :math:`q = 1 + \alpha L`, :math:`\xi_j` the error of the batch of step j,
:math:`x_j = \|\xi_j\|`. As :math:`e_{j+1} = e_j - \alpha(\nabla l(w_j) - \nabla l(\tilde w_j)) - \alpha\xi_j`,

.. math:: \|e_j\| \le E_j = \alpha\sum_{i<j}q^{j-1-i}x_i .

*Path.* :math:`E_N` bounds the first moment's replicate, :math:`E_N^2 \le \alpha^2(\sum_ja_j)\sum_ja_jx_j^2` with
:math:`a_j = q^{N-1-j}` the second's (Cauchy-Schwarz).

*Pairs.* Let the mirrored path have the noise :math:`-\xi_j`, at whatever point, as additive noise does;
:math:`p_j = \frac12(e_j^+ + e_j^-)`. The noise cancels and Taylor leaves :math:`\|p_{j+1}\| \le q\|p_j\| +
\frac{\alpha\rho}2E_j^2`. So :math:`\|p_N\| \le x^TP_Nx` with matrices :math:`P_{j+1} = qP_j + \frac{\alpha\rho}2
E_jE_j^T`, :math:`E_j` standing for the coefficients of the x, and :math:`x^TPx \le \sum_i(P1)_ix_i^2` for symmetric P
with entries >= 0, since :math:`2x_ix_k \le x_i^2 + x_k^2`. Without a finite :math:`\rho`: :math:`E_N`.

*Meta gradient, in pairs.* Along a path let :math:`A_j = I - \alpha H(w_j) = B_j + \Delta_j`, :math:`B_j` that of the
exact path, :math:`\|\Delta_j\| \le \alpha\rho E_j`, and :math:`v = \nabla l(w_N) = \tilde v + \delta`, :math:`g =
\|\nabla l(w)\|`, :math:`\|\tilde v\| \le q^Ng`, :math:`\|\delta\| \le LE_N`. Then

.. math:: \textstyle\prod_jA_j\,v - \prod_jB_j\,\tilde v = \prod_jB_j\,\delta + \sum_jB_{<j}\Delta_jB_{>j}\tilde v
          + \sum_jB_{<j}\Delta_j(A_{>j}v - B_{>j}\tilde v),

:math:`\|A_{>j}v - B_{>j}\tilde v\| \le q^{N-1-j}LE_N + q^Ng\sum_{i>j}\alpha\rho E_iq^{N-2-j}`. The first two sums are
linear in :math:`\delta` and :math:`\Delta`; averaged over the pair :math:`\|\bar\delta\| \le L\|p_N\| +
\frac\rho2E_N^2` and :math:`\|\bar\Delta_j\| \le \alpha(\rho\|p_j\| + \frac\tau2E_j^2)`, or :math:`\alpha\rho E_j`
without a finite :math:`\tau`. So the error of a pair is at most a quadratic plus a linear form in the x. A control
variate :math:`f(\xi^TQ\xi - EQ)` adds :math:`f\sum_{ik}\|Q_{ik}\|x_ix_k` and a constant.

*Second moment.* With Hessians that are exact given the point, :math:`\|\hat G\| \le q^N(g_N + LE_N + x_T)`, :math:`g_N
= \|\nabla l(\tilde w_N)\|`, :math:`x_T` the noise of the final gradient. For a sum of such parts
:math:`(\sum_ky_k)^2 \le (\sum_kp_k)\sum_ky_k^2/p_k`; with :math:`p_k` their root mean squares (that of :math:`g_N` over
tasks) the mean of this envelope, averaged over tasks, is :math:`q^{2N}(\sum_kp_k)^2`.

*Bounded noise*, :math:`x_j \le h` for every sample (``tasks.largest_noise``), needs no tilt: the same sums bound the
replicates themselves. The error less its linear part (`inner_path`) has the bound of a pair, or :math:`2E_N`. Errors of
sampled Hessians are bounded by ``tasks.largest_hessian_noise``. For many steps or large batches that is crude, and a
bound of the mean square serves (`path_squares`).
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.claims.requirements import largest_noise, noisy_path_in_ball
from maml_bench.montecarlo.tilted import Capped, Envelope, Term, bounded
from maml_bench.problems.noise import Given, LinearTerm, Mirrored, states
from maml_bench.setting import Setting, single

SLACK = 1 + 1e-12

CRUDE, USELESS = 30, 300
"""A ceiling so much larger than the root mean square decides later than a bound of the mean square, or in no
reasonable time.
"""


def gaussian(setting: Setting) -> bool:
    """Whether the noise is additive and Gaussian, so that it can be tilted."""
    return states(setting.tasks, "gaussian")


def reach(setting: Setting) -> np.ndarray:
    """The coefficients of ``E_0, ..., E_N``: row j holds ``alpha q^(j-1-i)`` for i < j, (N + 1, N)."""
    inner = setting.inner
    steps = np.arange(inner.steps + 1)[:, None] - 1 - np.arange(inner.steps)
    q = 1 + inner.alpha * setting.tasks.regularity.L
    return np.where(steps >= 0, inner.alpha * q ** np.maximum(steps, 0).astype(float), 0.0)


def noise_scale(setting: Setting, size: int) -> float:
    """Standard deviation of each entry of the error of a batch."""
    return setting.tasks.regularity.sigma_g / math.sqrt(setting.tasks.dim * size)


def first_moment(setting: Setting) -> Envelope | float:
    """Of ``||e_N||``: an envelope for Gaussian noise, or a ceiling; infinite where none is known."""
    last = reach(setting)[-1]
    if gaussian(setting):
        return Envelope(setting.tasks.dim, (Term(1.0, 1),), last * noise_scale(setting, setting.inner.S))
    return _times(last.sum(), largest_noise(setting.tasks))


def second_moment(setting: Setting) -> Envelope | float:
    """Of ``||e_N||^2``."""
    last = reach(setting)[-1]
    if gaussian(setting):
        return Envelope(
            setting.tasks.dim, (Term(1.0, 2),), last.sum() * last * noise_scale(setting, setting.inner.S) ** 2
        )
    return _times(last.sum(), largest_noise(setting.tasks)) ** 2


def drift(setting: Setting) -> Envelope | float:
    """Of the mean of e_N over a pair; of noise that is not tilted, of e_N less what is linear in the noise."""
    smooth = math.isfinite(setting.tasks.regularity.rho)
    if not gaussian(setting):
        noise = largest_noise(setting.tasks)
        if math.isinf(noise):
            return noise
        return min(2 * _times(reach(setting)[-1].sum(), noise), _times(_pairs(setting)[-1].sum(), noise**2))
    if not smooth:
        return first_moment(setting)
    weights = _pairs(setting)[-1].sum(1) * noise_scale(setting, setting.inner.S) ** 2
    pair: list[Any] = [Envelope(setting.tasks.dim, (Term(1.0, 2),), weights), first_moment(setting)]
    return min(pair, key=lambda e: e.mean)


def _pairs(setting):
    """The matrices P_0, ..., P_N, (N + 1, N, N)."""
    inner, regularity, rows = setting.inner, setting.tasks.regularity, reach(setting)
    P = [np.zeros((inner.steps, inner.steps))]
    for row in rows[:-1]:
        P.append((1 + inner.alpha * regularity.L) * P[-1] + inner.alpha * regularity.rho / 2 * np.outer(row, row))
    return np.array(P)


def bias(setting: Setting, control: np.ndarray, constant: float) -> Envelope | None:
    """Of the error of the meta gradient, averaged over a pair, less a control variate of known mean.

    Parameters
    ----------
    control : array (N, N)
        ``f ||Q_ik||`` of the quadratic part of the control variate.
    constant : float
        The size of the mean that it has subtracted.
    """
    inner, regularity, tasks = setting.inner, setting.tasks.regularity, single(setting)
    if not gaussian(setting) or not math.isfinite(regularity.rho):
        return None
    N, q, L, rho = inner.steps, 1 + inner.alpha * regularity.L, regularity.L, regularity.rho
    g = np.linalg.norm(tasks.grad(setting.w), axis=-1).max()
    E, P = reach(setting), _pairs(setting)
    M = control + q**N * (L * P[N] + rho / 2 * np.outer(E[N], E[N]))
    linear = np.zeros(N)
    smooth = math.isfinite(regularity.tau)
    for j in range(N):
        if smooth:
            M += inner.alpha * q ** (2 * N - 1) * g * (rho * P[j] + regularity.tau / 2 * np.outer(E[j], E[j]))
        else:
            linear += inner.alpha * q ** (2 * N - 1) * g * rho * E[j]
        after = q ** (N - 1 - j) * L * E[N]
        if j < N - 1:
            after = after + q**N * g * inner.alpha * rho * q ** (N - 2 - j) * E[j + 1 : N].sum(0)
        M += q**j * inner.alpha * rho * np.outer(E[j], after)
    scale = noise_scale(setting, inner.S)
    squares = (M + M.T).sum(1) / 2 * scale**2
    terms, weights = (Term(1.0, 2), Term(1.0, 1)), np.stack([squares, linear * scale], axis=1)
    return Envelope(tasks.dim, terms[: 1 + (not smooth)], weights[:, : 1 + (not smooth)], constant * SLACK)


def square(setting: Setting) -> Envelope | np.ndarray | None:
    """Of ``||G^_i||^2``: an envelope whose last row is the final gradient's noise, or a ceiling for each task."""
    inner, tasks = setting.inner, single(setting)
    q, L, E = 1 + inner.alpha * tasks.regularity.L, tasks.regularity.L, reach(setting)[-1]
    end = exact_path(tasks, setting.w, inner.alpha, inner.steps)[-1]
    g = np.broadcast_to(np.linalg.norm(tasks.grad(end), axis=-1), tasks.batch_shape)
    if not gaussian(setting):
        noise, hessian = largest_noise(setting.tasks), getattr(tasks, "largest_hessian_noise", math.inf)
        if math.isinf(noise) or math.isinf(hessian):
            return None
        top = (q + inner.alpha * hessian) ** (2 * inner.steps) * (g + L * noise * E.sum() + noise) ** 2
        spread = tasks.regularity.sigma_g * (L * np.linalg.norm(E) / math.sqrt(inner.S) + inner.T**-0.5)
        return top if np.all(top <= USELESS * q ** (2 * inner.steps) * (g + spread) ** 2) else None
    deviations = np.array([*(L * E * noise_scale(setting, inner.S)), noise_scale(setting, inner.T)])
    rms = np.array([*(deviations * math.sqrt(tasks.dim)), math.sqrt(np.mean(g**2))])
    total, growth = rms.sum(), q ** (2 * inner.steps)
    weights = growth * total * np.divide(deviations**2, rms[:-1], out=np.zeros(len(deviations)), where=rms[:-1] > 0)
    constant = growth * total * g**2 / rms[-1] if rms[-1] > 0 else 0.0
    return Envelope(tasks.dim, (Term(1.0, 2),), weights, constant * SLACK)


def _times(number, noise):
    return float(number * noise) if noise else 0.0


def capped(
    setting: Setting,
    envelope: Envelope | np.ndarray | float | None,
    measured: Callable,
    *,
    square: np.ndarray | float = math.inf,
    mirrored: bool = False,
    family: bool = False,
    core: int = 0,
    rounding: float = 0.0,
) -> Capped | None:
    """A draw of ``measured(tasks, rng, replicates)``, (replicates, *batch_shape, ...), with its ceiling, or with a
    bound of its mean square where the ceiling of noise that is not tilted is crude or none.

    Parameters
    ----------
    envelope : Envelope, array (*batch_shape), float or None
        Tilted Gaussian noise is given as the tasks' samples: its rows are those of the steps and, if there is one
        more, of the final gradient. A number is a ceiling of what is drawn as it is.
    square : array (*batch_shape) or float
        What the mean square does not exceed.
    mirrored : bool
        A replicate is the mean over the noise and its mirror image.
    family : bool
        One cell, the mean over tasks, in place of a cell a task. The noise of each task is tilted by itself.
    core : int
        Trailing axes of what is measured.
    rounding : float
        What rounding can add to it.
    """
    inner, tasks = setting.inner, setting.tasks
    ceiling: Any = envelope.mean if isinstance(envelope, Envelope) else envelope
    finite = ceiling is not None and bool(np.all(np.isfinite(ceiling)))
    certain = not isinstance(envelope, Envelope) and bool(np.all(np.isfinite(square)))
    square = (np.sqrt(square) + rounding) ** 2  # of what is drawn
    if not (finite or certain) or noisy_path_in_ball(setting):
        return None

    def exceeds(times):
        return certain and bool(np.any(ceiling > times * np.sqrt(square)))

    sizes = [inner.S] * inner.steps + [inner.T]

    def each_cell(bound):
        cells = np.broadcast_to(bound, tasks.batch_shape).reshape(-1).astype(float)
        return cells.mean(keepdims=True) * SLACK if family else cells

    top = each_cell(ceiling) if finite and not exceeds(USELESS) else None
    squares = each_cell(square) if certain and (not finite or exceeds(CRUDE)) else None

    def lost(one, mean):
        """To the rounding of what mirrored noise takes away again: all of it, if nothing else is drawn."""
        size = np.linalg.norm(one - mean, axis=-1) if core else np.abs(one - mean)
        return 32 * np.finfo(float).eps * (inner.steps + 1) * size

    def draw(rng, replicates):
        G: Any = None
        sources: tuple[Any, Any] = tasks, Mirrored(tasks)
        if isinstance(envelope, Envelope):
            rows, G = envelope.draw(rng, (replicates, *tasks.batch_shape))
            for row, size in zip(rows, sizes, strict=False):
                row *= noise_scale(setting, size)
            sources = Given(tasks, map(LinearTerm, rows)), Given(tasks, (LinearTerm(-row) for row in rows))
        twin = copy.deepcopy(rng) if mirrored else rng
        one = X = measured(sources[0], rng, replicates)
        if mirrored:
            X = (one + measured(sources[1], twin, replicates)) / 2
        if G is None:
            G = np.broadcast_to(np.asarray(ceiling, dtype=float), X.shape[: X.ndim - core])
        if finite:
            size = np.linalg.norm(X, axis=-1) if core else np.abs(X)
            X = bounded(X, size, G, ceiling, lambda: rounding + lost(one, X))
        X = X.reshape(replicates, -1, *X.shape[X.ndim - core :])
        return X.mean(1, keepdims=True) if family else X

    return Capped(draw, top, squares)
