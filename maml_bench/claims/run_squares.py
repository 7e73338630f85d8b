r"""Mean squares of the meta gradient along a run, where Hessians are estimated along directions, without a ceiling.

The notation is that of `ceilings`: one bowl, :math:`x = Aw - b`, :math:`t = \|x\|`. A Hessian estimate is fresh at
every step; given the path its mean :math:`\bar H` is within p of A, being a mean of Hessians of the loss, and
:math:`E\|(\hat H - \bar H)v\|^2 \le s^2\|v\|^2` by the refined bound of Proposition 7. With zeroth-order estimates,
where half the trace of a mean of Hessians is added to its diagonal, :math:`p + \frac12(\operatorname{tr}A + dp)` stands
for p below, and :math:`s^2` is the sharp bound of their variance. Errors of gradients have mean zero given the past,
with mean squares of at most :math:`\sigma_g^2/S` on the path and :math:`\sigma_g^2/T` at its end. Let w and the tasks
that are drawn be given.

*Mean.* Estimates and the final error are independent of the rest given the path, so the mean of one task's stochastic
meta gradient is that of :math:`\prod_j(I - \alpha\bar H_j)\nabla l_i(w_N)`. As in `ceilings` it is
:math:`M^{2N}x + v`, :math:`\|v\| \le \epsilon t + (1+\epsilon)U`, :math:`\epsilon = (1+\alpha p)^N - 1`,
:math:`U = \max_i(g + \alpha N\Lambda g) + \alpha N\Lambda\sigma_g/\sqrt S`.

*Variance.* Whatever v is that the estimate is independent of, :math:`E\|(I-\alpha\hat H)v\|^2 \le \kappa E\|v\|^2`,
:math:`\kappa = (1+\alpha p)^2 + \alpha^2s^2`. So one task's has a mean square of at most
:math:`V(t) = \kappa^N[(t+U)^2 + \sigma_g^2/T]`.

*Step.* The mean over B tasks deviates from its mean by at most :math:`V(t)/B` in the mean square, since tasks are drawn
independently, and :math:`\beta \le \bar\beta` is independent of it given w. So with Minkowski's inequality for the
mean over w, and :math:`\|I - \beta M^{2N}A\| \le 1`, :math:`\tau \ge (Et^2)^{1/2}` for

.. math:: \tau_{k+1}^2 = \bigl(\tau_k + \bar\beta\Lambda(\epsilon\tau_k + (1+\epsilon)U)\bigr)^2
                         + \bar\beta^2\Lambda^2V(\tau_k)/B .

The norm of the exact meta gradient is at most linear in t (`ceilings.Run.gradient`), so the mean square of its mean
over a run is at most the mean of that function's squares at the :math:`\tau_k`, by Jensen's inequality.
"""

import math

import numpy as np

from analytic import statement
from maml_bench.capabilities import kind
from maml_bench.claims import ceilings
from maml_bench.claims.gaussian_smoothing import seen_constants
from maml_bench.claims.hessian_draws import directional
from maml_bench.setting import Setting, looped


def of_mean(setting: Setting, scale: float) -> np.ndarray | None:
    """What the mean square of the mean of ``||grad calL(w_k)||`` over a run is at most, one cell.

    None where no bowl is known, where its root is crude beside what the mean is like, and for an estimator that draws
    in a way of its own: no draw would show that its variance is another.
    """
    known = ceilings.run(setting) if directional(setting) else None
    if known is None:
        return None
    inner, outer = setting.inner, looped(setting)
    noise = 0.0 if hasattr(setting.tasks, "support") else setting.tasks.regularity.sigma_g
    bias, variance = _estimate(setting, known)
    moves, epsilon = known.longest * known.values[-1], known.epsilon(bias)
    U = known.ends.max() + known.inflow * noise / math.sqrt(inner.S)
    growth = (1 + inner.alpha * (known.bend + bias)) ** 2 + inner.alpha**2 * variance
    t, found = float(np.linalg.norm(known.x)), []
    for _ in range(outer.iterations):
        found.append(t)
        spread = growth**inner.steps * ((t + U) ** 2 + noise**2 / inner.T) / outer.B
        t = math.hypot(t + moves * (epsilon * t + (1 + epsilon) * U), moves * math.sqrt(spread))
    square = np.mean(known.gradient(np.array(found)) ** 2, keepdims=True)
    return square if math.sqrt(square[0]) <= ceilings.CRUDE * scale else None


def _estimate(setting: Setting, known: ceilings.Run) -> tuple[float, float]:
    """What takes the mean of an estimate from the Hessians, and ``s^2``."""
    smoothing = kind(setting.hessian) == "gaussian-smoothing"
    bound = statement("prop7-vector").forms["refined"] if smoothing else statement("zo-vector").forms["sharp"]
    shift = 0.0 if smoothing else (known.values.sum() + setting.tasks.dim * known.bend) / 2
    return shift, float(bound(**seen_constants(setting, bound.arguments)))
