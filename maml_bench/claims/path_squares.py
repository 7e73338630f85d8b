r"""Mean squares that replicates of the inner path and the meta gradient do not exceed, for bounded noise.

The error of one sample has mean zero given the past, :math:`\|\xi\| \le h` (``tasks.largest_noise``) and :math:`E
\|\xi\|^2 \le \sigma_g^2`. For the mean x of S of them

.. math:: E\|x\|^2 \le m_2 = \sigma_g^2/S, \qquad E\|x\|^4 \le m_4 = \bigl(h^2\sigma_g^2 + 3(S-1)\sigma_g^4\bigr)/S^3,

as in :math:`E(\sum\|\xi_i\|^2 + \sum_{i\ne k}\langle\xi_i,\xi_k\rangle)^2` all terms with a factor of mean zero
drop and :math:`\langle\xi_i,\xi_k\rangle^2 \le \|\xi_i\|^2\|\xi_k\|^2`.

*Path.* :math:`e_{j+1} = a - \alpha x_j`, :math:`\|a\| \le q\|e_j\|`, q = 1 + αL. Expanding powers of
:math:`\|a - \alpha x\|^2`, with :math:`E\langle a, x\rangle = 0` and :math:`E\|x\|^3 \le (m_2m_4)^{1/2}`, bounds
:math:`r_2 \ge E\|e\|^2` and :math:`r_4 \ge E\|e\|^4` step by step:

.. math:: r_2' = q^2r_2 + \alpha^2m_2, \qquad
          r_4' = q^4r_4 + 6q^2r_2\alpha^2m_2 + 4q\sqrt{r_2}\,\alpha^3\sqrt{m_2m_4} + \alpha^4m_4 .

*Pairs.* Of a sampling model that states ``odd`` a mirrored sample has the opposite error at the same point, and errors
at two points differ by at most H times their distance (``tasks.largest_hessian_noise``). Let p be the mean of the
errors of a path and its mirrored one, :math:`\zeta` that of their noise: :math:`E\|\zeta_j\|^2 \le \frac{H^2}{4S}
E\|e_j^+ - e_j^-\|^2 \le H^2r_2/S`, and :math:`\zeta_j` has mean zero given the past. By Taylor the rest of a step is
within :math:`q\|p_j\| + \frac{\alpha\rho}4(\|e_j^+\|^2 + \|e_j^-\|^2)`. So :math:`P_j \ge (E\|p_j\|^2)^{1/2}` for

.. math:: P_{j+1}^2 = \bigl(qP_j + \tfrac{\alpha\rho}2\sqrt{r_4}\bigr)^2 + \alpha^2H^2r_2/S .

*Less what is linear in the noise.* The recursion of `inner_path` for r bounds :math:`(E\|r_j\|^2)^{1/2}` by Minkowski's
inequality, with :math:`\sqrt{r_4}` and :math:`\sqrt{r_2}` for the means of :math:`\|e_j\|^2` and of :math:`\|e_j\|`.

*Meta gradient, in pairs.* The expansion of `path_envelopes`, with :math:`(E\|e_j\|^2\|e_i\|^2)^{1/2} \le
(r_{4j}r_{4i})^{1/4}` and Minkowski's inequality in place of norms of single draws. Of a control variate
:math:`f(\xi^TQ\xi - EQ + l^T\xi)` the pair leaves the even part and :math:`f l^T\zeta`: it adds
:math:`f(\sum_{ik}\|Q_{ik}\|\sqrt{m_4} + \|EQ\| + \sum_j\|l_j\|Hr_{2j}^{1/2}S^{-1/2})`.

*Second moment.* Given the path, Hessian batches are independent of each other and of the final gradient, and the error
of one, applied to a unit vector, has mean zero and moments :math:`m_2^H, m_4^H` as above, from :math:`\sigma_H` and
``tasks.largest_hessian_noise``. So one factor multiplies fourth powers by at most :math:`\kappa` in the mean, by the
expansion above, and with :math:`\|\nabla l(w_N)\| \le g_N + L\|e_N\|` Minkowski's inequality gives

.. math:: (E\|\hat G\|^4)^{1/4} \le \kappa^{N/4}\bigl(g_N + Lr_4^{1/4} + m_4(T)^{1/4}\bigr), \qquad
          \kappa = q^4 + 6q^2\alpha^2m_2^H + 4q\alpha^3\sqrt{m_2^Hm_4^H} + \alpha^4m_4^H .
"""

import math
from dataclasses import dataclass

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.claims.path_envelopes import gaussian
from maml_bench.claims.requirements import largest_noise
from maml_bench.problems.noise import states
from maml_bench.setting import Setting, single

SLACK = 1 + 1e-9


@dataclass(frozen=True)
class PathSquares:
    """Bounds at w_0, ..., w_N, arrays (N + 1,), of means of powers of path errors and of pairs of them.

    Attributes
    ----------
    second, fourth : array
        Of ``E ||e_j||^2`` and ``E ||e_j||^4``.
    pair : array
        Of ``(E ||p_j||^2)^(1/2)``; that of one path where pairs are not known to cancel.
    noise : array (N,)
        Of ``(E ||zeta_j||^2)^(1/2)``.
    batch : float
        Of ``E ||x_j||^4``.
    """

    second: np.ndarray
    fourth: np.ndarray
    pair: np.ndarray
    noise: np.ndarray
    batch: float


def batch_moments(setting: Setting, size: int) -> tuple[float, float]:
    """Bounds of ``E ||x||^2`` and ``E ||x||^4`` for the error x of the gradient of a batch, bounded or Gaussian."""
    variance = setting.tasks.regularity.sigma_g**2
    if gaussian(setting):
        return variance / size, (variance / size) ** 2 * (1 + 2 / setting.tasks.dim)
    return _of_mean(variance, largest_noise(setting.tasks), size)


def _of_mean(variance, largest, size):
    return variance / size, (largest**2 * variance + 3 * (size - 1) * variance**2) / size**3


def _fourth(fourth, second, q, alpha, m2, m4):
    """A bound of ``E ||a - alpha x||^4``, ``||a|| <= q ||e||``, from those of the fourth and second moment of e."""
    cross = 4 * q * math.sqrt(second) * alpha**3 * math.sqrt(m2 * m4)
    return q**4 * fourth + 6 * q**2 * second * alpha**2 * m2 + cross + alpha**4 * m4


def path_squares(setting: Setting) -> PathSquares:
    """The bounds for a setting; infinite for noise that is not known to be bounded."""
    tasks, inner = setting.tasks, setting.inner
    if not math.isfinite(largest_noise(tasks)):
        unknown = np.full(inner.steps + 1, np.inf)
        return PathSquares(unknown, unknown, unknown, unknown[1:], math.inf)
    alpha, regularity = inner.alpha, tasks.regularity
    q, rho = 1 + alpha * regularity.L, regularity.rho
    m2, m4 = batch_moments(setting, inner.S)
    mirrored = states(tasks, "odd") and math.isfinite(rho)
    H = getattr(tasks, "largest_hessian_noise", math.inf)
    second, fourth, pair, noise = [0.0], [0.0], [0.0], []
    for _ in range(inner.steps):
        r2, r4 = second[-1], fourth[-1]
        noise.append(math.sqrt(r2 / inner.S) * H if r2 else 0.0)
        straight = q * pair[-1] + (alpha * rho / 2 * math.sqrt(r4) if r4 else 0.0)
        pair.append(math.hypot(straight, alpha * noise[-1]))
        fourth.append(_fourth(r4, r2, q, alpha, m2, m4))
        second.append(q**2 * r2 + alpha**2 * m2)
    if not mirrored:  # as if the two were one
        pair, noise = [math.sqrt(r2) for r2 in second], [math.sqrt(m2)] * inner.steps
    return PathSquares(np.array(second), np.array(fourth), np.array(pair), np.array(noise), m4)


def drift_square(setting: Setting) -> float:
    """Of e_N less what is linear in the noise: a bound of the mean square of its norm; infinite where none is known."""
    found, alpha, regularity = path_squares(setting), setting.inner.alpha, setting.tasks.regularity
    if not np.all(np.isfinite(found.second)):
        return math.inf
    root = 0.0
    for second, fourth in zip(found.second[:-1], found.fourth[:-1], strict=True):
        bent = regularity.rho / 2 * math.sqrt(fourth) if fourth else 0.0
        root = (1 + alpha * regularity.L) * root + alpha * min(bent, 2 * regularity.L * math.sqrt(second))
    return root**2 * SLACK


def bias_square(setting: Setting, quadratic: np.ndarray, linear: np.ndarray, constant: float) -> float:
    """Of the error of the meta gradient, averaged over a pair, less a control variate; infinite where none is known.

    Parameters
    ----------
    quadratic, linear : array (N, N), (N,)
        ``f ||Q_ik||`` and ``f ||l_j||``.
    constant : float
        ``f ||EQ||``.
    """
    found, regularity, inner = path_squares(setting), setting.tasks.regularity, setting.inner
    if not (np.all(np.isfinite(found.pair)) and math.isfinite(regularity.rho)):
        return math.inf
    N, alpha, L, rho, tau = inner.steps, inner.alpha, regularity.L, regularity.rho, regularity.tau
    q, g = 1 + alpha * L, np.linalg.norm(single(setting).grad(setting.w), axis=-1).max()
    root = found.fourth**0.25
    size = q**N * (L * found.pair[N] + rho / 2 * root[N] ** 2)
    for j in range(N):
        bend = rho * math.sqrt(found.second[j])
        if math.isfinite(tau):
            bend = min(bend, rho * found.pair[j] + tau / 2 * root[j] ** 2)
        size += alpha * q ** (2 * N - 1) * g * bend
        after = q ** (N - 1 - j) * L * root[N]
        if j < N - 1:
            after += q**N * g * alpha * rho * q ** (N - 2 - j) * root[j + 1 : N].sum()
        size += q**j * alpha * rho * root[j] * after
    control = quadratic.sum() * math.sqrt(found.batch) + linear @ found.noise + constant
    return float(size + control) ** 2 * SLACK


def fourth_moments(setting: Setting) -> np.ndarray | float:
    """Of ``||G^_i||^2`` with Hessians of batches: bounds of its mean square, for each task; infinite where unknown."""
    found, tasks, inner = path_squares(setting), single(setting), setting.inner
    spread = getattr(tasks, "largest_hessian_noise", math.inf)
    if math.isinf(found.batch) or math.isinf(spread):
        return math.inf
    L = tasks.regularity.L
    end = exact_path(tasks, setting.w, inner.alpha, inner.steps)[-1]
    g = np.broadcast_to(np.linalg.norm(tasks.grad(end), axis=-1), tasks.batch_shape)
    error = _of_mean(tasks.regularity.sigma_H**2, spread, inner.D)
    growth = _fourth(1.0, 1.0, 1 + inner.alpha * L, inner.alpha, *error) ** (inner.steps / 4)
    last = batch_moments(setting, inner.T)[1] ** 0.25
    return (growth * (g + L * found.fourth[-1] ** 0.25 + last)) ** 4 * SLACK
