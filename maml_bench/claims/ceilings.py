r"""Ceilings of the meta gradient along a run: what no noise within its bounds, and no draw of tasks, can exceed; with
additive Gaussian noise, what is exceeded so rarely that it adds less to a mean than rounding does.

Tasks that are one bowl up to a bounded gradient (`maml_bench.problems.bowl`): :math:`\nabla l_i(w) = x + r_i(w)`,
:math:`x = Aw - b`, :math:`\|r_i\| \le g_i`, :math:`\|\nabla^2l_i - A\| \le p`; in the mean over a batch of tasks,
samples add at most h to the norms of gradients on the path, :math:`h_N` to those at its end, :math:`h'` to any Hessian.
Let :math:`M = I - \alpha A`, :math:`0 \preceq M \preceq I`, :math:`\Lambda = \|A\|` and
:math:`\lambda > 0` the smallest eigenvalue of A, :math:`t = \|x\|`.

*One step.* Along an inner path :math:`x_{j+1} = Mx_j - \alpha Ar_j`, so the final gradient is :math:`M^Nx + u`,
:math:`\|u\| \le g + \alpha N\Lambda g` and what noise adds, where the first g is that of the target loss; in the mean
over a batch :math:`U = \max_i(g + \alpha N\Lambda g) + h_N + \alpha N\Lambda h`. The product is
:math:`M^N + E`, :math:`\|E\| \le \epsilon = (1+\alpha(p+h'))^N - 1`. So the mean over any batch of tasks is
:math:`M^{2N}x + v` with :math:`\|v\| \le \epsilon t + (1+\epsilon)U`, and at most :math:`(1+\epsilon)(t+U)` itself. The
exact meta gradient, the mean over all tasks without noise, is at most
:math:`(1+\epsilon)t + \|E_iu_i\| + \epsilon E_iU_i`, with the :math:`\epsilon` and U of :math:`h = h_N = h' = 0`; where
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

*Gaussian noise.* The error of a batch of S is :math:`sz_i`, :math:`s = \sigma_g/\sqrt{dS}`, z standard normal. The mean
of :math:`\|z_i\|` over B tasks is a function of all z with the Lipschitz constant :math:`B^{-1/2}` and a mean of at
most :math:`\sqrt d`, so by concentration it exceeds :math:`\sqrt d + y` with probability at most
:math:`e^{-By^2/2}`. The K(N+1) means of a run all keep below :math:`h = s(\sqrt d + y)` but for an event F of
probability :math:`\varphi` if :math:`By^2/2 = \log(K(N+1)/\varphi)`. With G the norm of the meta gradient, F adds at
most :math:`(EG^{2p})^{1/2}\varphi^{1/2}` to the mean of :math:`G^p`, by Cauchy and Schwarz. For p = 1, 2 the fourth
moment bounds that: as :math:`t^+ \le (1+\bar\beta\Lambda\epsilon)t + \bar\beta\Lambda(1+\epsilon)U`, with
:math:`E\|z\|^4 = d(d+2)` Minkowski's inequality gives that of t step by step. On F a run may exceed the ceilings, but
none will be seen to.
"""

import math
from dataclasses import dataclass

import numpy as np

from maml_bench.algorithms.outer_loop import largest_step
from maml_bench.claims.path_envelopes import gaussian, noise_scale
from maml_bench.claims.requirements import largest_noise, noise_free
from maml_bench.exact import population
from maml_bench.setting import Setting, looped, losses

SINGULAR = 1e-9
"""Least ratio of the eigenvalues of A."""

RARE = 1e-40
"""The probability of the runs whose Gaussian noise exceeds what ceilings allow for."""

GROWN = 1e4
"""Fourth roots of fourth moments may be so many times the ceilings: what lies beyond is a rounding error then."""

CRUDE = 30
"""A ceiling so many times what a mean is like would decide nothing in reasonable time."""


def beyond(setting: Setting, power: int = 1) -> float:
    """`Ceilings.beyond`, or 0 where there are none."""
    found = ceilings(setting)
    return 0.0 if found is None else found.beyond(power)


def of_mean(values: np.ndarray, scale: float) -> np.ndarray | None:
    """The ceiling of the mean over a run, one cell; None where it is crude beside what the mean is like."""
    return values.mean(keepdims=True) if values.mean() <= CRUDE * scale else None


@dataclass(frozen=True)
class Ceilings:
    """Of ``G_k = ||grad calL(w_k)||``, k = 0, ..., K - 1, along a run, with Hessians of batches.

    Attributes
    ----------
    norms : array (K,)
        What no ``G_k`` exceeds, but for runs that have the probability `RARE` together if the noise has no bound.
    fourth : array (K,)
        ``(E G_k^4)^(1/4)`` is at most this if the noise has no bound; else 0.
    """

    norms: np.ndarray
    fourth: np.ndarray

    def beyond(self, power: int = 1) -> float:
        """What runs beyond the ceilings add at most to the mean over a run of ``G_k^power``, power 1 or 2."""
        return float(np.mean(self.fourth**power) * math.sqrt(RARE))


@dataclass(frozen=True)
class Run:
    """A run in a bowl: what the recursions need of it, in the notation above.

    Attributes
    ----------
    values, x : array (d,)
        Eigenvalues of A, growing, and the first x in the basis of their vectors.
    shrunk : array (d,)
        Eigenvalues of ``M^(2N)``.
    longest, inflow, bend : float
        The longest step, ``alpha N ||A||``, and p.
    ends : array (tasks,)
        What u is at most without noise.
    mean : float
        What its mean over the tasks is.
    """

    setting: Setting
    values: np.ndarray
    x: np.ndarray
    shrunk: np.ndarray
    longest: float
    inflow: float
    bend: float
    ends: np.ndarray
    mean: float

    def epsilon(self, noise: float = 0.0) -> float:
        """What products may be from ``M^N``, with so much noise in a Hessian."""
        return (1 + self.setting.inner.alpha * (self.bend + noise)) ** self.setting.inner.steps - 1

    def gradient(self, t: np.ndarray) -> np.ndarray:
        """What ``||grad calL||`` is at most where x is t long."""
        return (1 + self.epsilon()) * t + self.mean + self.epsilon() * self.ends.mean()


def run(setting: Setting) -> Run | None:
    """None where no bowl is known, it is flat along some axis but not along all, or steps are too long for it."""
    adapted, judged = (getattr(population(tasks), "bowl", None) for tasks in losses(setting))
    if adapted is None or judged is None or not np.array_equal(adapted.A, judged.A):
        return None
    alpha, N = setting.inner.alpha, setting.inner.steps
    values, vectors = np.linalg.eigh(judged.A)
    shrunk, longest = (1 - alpha * values) ** (2 * N), largest_step(setting)
    if values[0] < SINGULAR * values[-1] or alpha * values[-1] > 1 or longest * np.max(shrunk * values) > 1:
        return None
    b, inflow = judged.linear.mean(0), alpha * N * values[-1]
    final, path = (bowl.slope + np.linalg.norm(bowl.linear - b, axis=-1) for bowl in (judged, adapted))
    mean = judged.slope.mean() + inflow * (adapted.slope.mean() + np.linalg.norm(adapted.linear.mean(0) - b))
    x, bend = vectors.T @ (judged.A @ setting.w - b), max(adapted.bend, judged.bend)
    return Run(setting, values, x, shrunk, longest, inflow, bend, final + inflow * path, mean)


def ceilings(setting: Setting) -> Ceilings | None:
    """What the meta gradients of a run cannot exceed; None where it is unknown."""
    known, noise = run(setting), _noise(setting)
    if known is None or noise is None:
        return None
    values, shrunk, longest, x = known.values, known.shrunk, known.longest, known.x
    U, U_fourth = (known.ends.max() + final + known.inflow * path for path, final in (noise.largest, noise.fourth))
    least, top, epsilon = values[0], values[-1], known.epsilon(noise.bent)
    t, bound = float(np.linalg.norm(x)), math.inf
    t_fourth, push_fourth = t, longest * top * (1 + epsilon) * U_fourth
    k = longest * top * (1 + epsilon) ** 2 / 2
    grip, push = shrunk.min() - epsilon - k, (1 + epsilon + 2 * k) * U
    if grip > 0 and least > 0:
        R = (push + math.sqrt(push**2 + 4 * grip * k * U**2)) / (2 * grip)
        after = R / math.sqrt(least) + longest * math.sqrt(top) * (1 + epsilon) * (R + U)
        bound = math.sqrt(top) * max(math.sqrt(np.sum(x**2 / values)), after)
    found = []
    for _ in range(looped(setting).iterations):
        found.append((t, t_fourth))
        moved = (1 - longest * np.min(shrunk * values)) * t + longest * top * (epsilon * t + (1 + epsilon) * U)
        t = min(max(t, moved), bound)
        t_fourth = (1 + longest * top * epsilon) * t_fourth + push_fourth
    norms, fourth = map(known.gradient, np.array(found).T)
    if not any(noise.fourth):
        return Ceilings(norms, np.zeros(len(found)))
    return Ceilings(norms, fourth) if np.all(fourth <= GROWN * norms) else None


@dataclass(frozen=True)
class _Noise:
    """What samples add to gradients, on the path and at its end, and to Hessians.

    Attributes
    ----------
    largest : pair of float
        h and h_N.
    fourth : pair of float
        The fourth roots of the fourth moments of what one batch adds to the norm, for noise without a bound.
    bent : float
        h'.
    """

    largest: tuple[float, float]
    fourth: tuple[float, float] = (0.0, 0.0)
    bent: float = 0.0


def _noise(setting: Setting) -> _Noise | None:
    """None where no bound is known, of samples or of how rarely they exceed it; no noise in the finite-sum case."""
    tasks, inner, outer = setting.tasks, setting.inner, looped(setting)
    if hasattr(tasks, "support") or noise_free(tasks):
        return _Noise((0.0, 0.0))
    bent = getattr(tasks, "largest_hessian_noise", math.inf)
    if gaussian(setting):
        path, final = noise_scale(setting, inner.S), noise_scale(setting, inner.T)
        beside = 2 * (math.log(outer.iterations * (inner.steps + 1)) - math.log(RARE)) / outer.B
        most, fourth = math.sqrt(tasks.dim) + math.sqrt(beside), (tasks.dim * (tasks.dim + 2)) ** 0.25
        return _Noise((path * most, final * most), (path * fourth, final * fourth), bent)
    h = largest_noise(tasks)
    return None if h + bent == math.inf else _Noise((h, h), bent=bent)
