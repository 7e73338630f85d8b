r"""Ceilings of the meta gradient along a run: what no noise within its bounds, and no draw of tasks, can exceed.

Tasks that are one bowl up to a bounded gradient (`maml_bench.problems.bowl`): :math:`\nabla l_i(w) = x + r_i(w)`,
:math:`x = Aw - b`, :math:`\|r_i\| \le g_i`, :math:`\|\nabla^2l_i - A\| \le p`; samples add at most h to gradients and
:math:`h'` to Hessians. Let :math:`M = I - \alpha A`, :math:`0 \preceq M \preceq I`, :math:`\Lambda = \|A\|` and
:math:`\lambda > 0` the smallest eigenvalue of A, :math:`t = \|x\|`.

*One step.* Along an inner path :math:`x_{j+1} = Mx_j - \alpha Ar_j`, so the final gradient is :math:`M^Nx + u`,
:math:`\|u\| \le U = g + h + \alpha N\Lambda(g + h)`, where the first g is that of the target loss. The product is
:math:`M^N + E`, :math:`\|E\| \le \epsilon = (1+\alpha(p+h'))^N - 1`. So the mean over any batch of tasks is
:math:`M^{2N}x + v` with :math:`\|v\| \le \epsilon t + (1+\epsilon)U`, and at most :math:`(1+\epsilon)(t+U)` itself. The
exact meta gradient, the mean over all tasks without noise, is at most
:math:`(1+\epsilon)t + \|E_iu_i\| + \epsilon E_iU_i`, with the :math:`\epsilon` and U of :math:`h = h' = 0`; where
:math:`r_i` has a constant part it is averaged in :math:`E_iu_i`.

*Recursion.* A step :math:`\beta \le \bar\beta = 1/(C_\beta a)` makes of x
:math:`(I - \beta M^{2N}A)x - \beta Av`. With :math:`\lambda'` the smallest eigenvalue of :math:`M^{2N}A`, if
:math:`\bar\beta\|M^{2N}A\| \le 1`, then :math:`t^+ \le (1-\beta\lambda')t + \beta\Lambda(\epsilon t + (1+\epsilon)U)`:
linear in :math:`\beta`, so largest at 0 or :math:`\bar\beta`.

*For ever.* Let :math:`s^2 = x^TA^{-1}x`. As
:math:`s_+^2 = s^2 - 2\beta\langle x, M^{2N}x + v\rangle + \beta^2(M^{2N}x+v)^TA(M^{2N}x+v)`, with :math:`m` the
smallest eigenvalue of :math:`M^{2N}` and :math:`k = \frac12\bar\beta\Lambda(1+\epsilon)^2`, s does not grow where

.. math:: (m-\epsilon-k)t^2 - (1+\epsilon+2k)Ut - kU^2 \ge 0 .

If :math:`m-\epsilon-k > 0` this is so from some R on. Where :math:`t < R`, :math:`s \le R/\sqrt\lambda`, and a step
adds at most :math:`\bar\beta\sqrt\Lambda(1+\epsilon)(R+U)`. So :math:`t \le \sqrt\Lambda\,s` never exceeds
:math:`\sqrt\Lambda` times the larger of :math:`s_0` and that sum.
"""

import math

import numpy as np

from maml_bench.algorithms.outer_loop import largest_step
from maml_bench.claims.requirements import largest_noise, noise_free
from maml_bench.exact import population
from maml_bench.setting import Setting, looped, losses

SINGULAR = 1e-9
"""Least ratio of the eigenvalues of A."""

CRUDE = 30
"""A ceiling so many times the norm at the start would decide nothing in reasonable time."""


def of_mean(values: np.ndarray, start: float) -> np.ndarray | None:
    """The ceiling of the mean over a run, one cell; None where it is crude beside the value at the start."""
    return values.mean(keepdims=True) if values.mean() <= CRUDE * start else None


def ceilings(setting: Setting) -> np.ndarray | None:
    """What ``||grad calL(w_k)||`` cannot exceed, k = 0, ..., K - 1, with Hessians of batches; None where unknown."""
    adapted, judged = (getattr(population(tasks), "bowl", None) for tasks in losses(setting))
    noise, bent = _largest(setting)
    if adapted is None or judged is None or not np.array_equal(adapted.A, judged.A) or noise + bent == math.inf:
        return None
    alpha, N = setting.inner.alpha, setting.inner.steps
    values, vectors = np.linalg.eigh(judged.A)
    shrunk = (1 - alpha * values) ** (2 * N)
    longest = largest_step(setting)
    if values[0] < SINGULAR * values[-1] or alpha * values[-1] > 1 or longest * np.max(shrunk * values) > 1:
        return None
    least, top = values[0], values[-1]
    b, inflow = judged.linear.mean(0), alpha * N * top
    sizes = [bowl.slope + np.linalg.norm(bowl.linear - b, axis=-1) for bowl in (judged, adapted)]
    ends = sizes[0] + inflow * sizes[1]
    mean = judged.slope.mean() + inflow * (adapted.slope.mean() + np.linalg.norm(adapted.linear.mean(0) - b))
    bend = max(adapted.bend, judged.bend)
    U = ends.max() + (1 + inflow) * noise
    epsilon, quiet = ((1 + alpha * p) ** N - 1 for p in (bend + bent, bend))
    x = vectors.T @ (judged.A @ setting.w - b)
    t, bound = float(np.linalg.norm(x)), math.inf
    k = longest * top * (1 + epsilon) ** 2 / 2
    grip, push = shrunk.min() - epsilon - k, (1 + epsilon + 2 * k) * U
    if grip > 0:
        R = (push + math.sqrt(push**2 + 4 * grip * k * U**2)) / (2 * grip)
        after = R / math.sqrt(least) + longest * math.sqrt(top) * (1 + epsilon) * (R + U)
        bound = math.sqrt(top) * max(math.sqrt(np.sum(x**2 / values)), after)
    found = []
    for _ in range(looped(setting).iterations):
        found.append((1 + quiet) * t + mean + quiet * ends.mean())
        moved = (1 - longest * np.min(shrunk * values)) * t + longest * top * (epsilon * t + (1 + epsilon) * U)
        t = min(max(t, moved), bound)
    return np.array(found)


def _largest(setting: Setting) -> tuple[float, float]:
    """What samples can add to a gradient and to a Hessian: nothing in the finite-sum case."""
    tasks = setting.tasks
    if hasattr(tasks, "support") or noise_free(tasks):
        return 0.0, 0.0
    return largest_noise(tasks), getattr(tasks, "largest_hessian_noise", math.inf)
