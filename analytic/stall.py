r"""Where MAML with zeroth-order Hessians stalls: what its bias is apart from a multiple of the meta gradient.

The estimator of eq. 17 has the mean :math:`\nabla^2l_\nu + tI`, where :math:`t = (l_\nu-l)/\nu^2` is nearly half the
trace of the Hessian (`analytic.zeroth_order`). The multiple of I is a large error, but in the product of the N factors
it mostly multiplies the whole meta gradient by a number. If that number were the same for all tasks, stationary points
would stay where they are. What moves them is how t varies over tasks, together with the gradient.

Statement
---------
Exact losses and inner gradients; all at one point w. Let :math:`t_i` be the value of task i at w,
:math:`\bar t = E_it_i`, :math:`\sigma_t` its standard deviation over tasks and
:math:`c_t = \|E_i(t_i-\bar t)\nabla l_i(w)\|` the norm of its covariance with the gradient;
:math:`\kappa = (1-\alpha\bar t)^N`; :math:`g_1, g_2` mean and root mean square over tasks of
:math:`\|\nabla l_i(w)\|`; h the smoothing error of the Hessian (`analytic.factors`). With
:math:`q_c = q(1+\alpha Ld/2)`, :math:`M = q_c^{N-1}q^N` and :math:`Y = \alpha\sum_{j<N}(1+q+\dots+q^{j-1})`,

.. math:: \|E\hat G - \kappa\nabla\mathcal{L}(w)\| \le \alpha N c_t + \alpha N\sigma_t(M-1)g_2
          + \alpha M\frac{\rho d}2Yg_2^2 + \alpha NM\Big(h + \frac{\alpha L^2d}2\Big)g_1 .

Only the first term is of first order in :math:`\alpha` as :math:`\nu \to 0`. Where the mean of the meta gradient is 0,
:math:`\|\nabla\mathcal{L}(w)\|` is at most this over :math:`\kappa`: the distance at which the algorithm stalls is
:math:`\alpha Nc_t` to first order, linear in :math:`\alpha`. For tasks whose Hessians have the same trace it is of
second order.

Proof
-----
Task i, path :math:`\tilde w_j`: the mean factors
:math:`F_j = (1-\alpha t(\tilde w_j))I - \alpha\nabla^2l_\nu(\tilde w_j)` against
:math:`C_j = (1-\alpha\bar t)(I-\alpha\nabla^2l(\tilde w_j))`, whose product is :math:`\kappa` times the exact
one. Both are within :math:`q_c-1` of I, since :math:`|t| \le Ld/2` everywhere. Telescope,
:math:`\prod F - \prod C = \sum_jC_{<j}(F_j-C_j)F_{>j}`, with

.. math:: F_j - C_j = -\alpha(t_i-\bar t)I - \alpha(t(\tilde w_j)-t_i)I - \alpha(\nabla^2l_\nu-\nabla^2l)
          - \alpha^2\bar t\,\nabla^2l,

applied to :math:`v = \nabla l_i(\tilde w_N)`, which is a product of N factors within :math:`q-1` of I applied to
:math:`\nabla l_i(w)`. First part: :math:`C_{<j}F_{>j}v` differs from :math:`\nabla l_i(w)` by at most
:math:`(M-1)g`, so over tasks the mean of :math:`-\alpha(t_i-\bar t)\sum_jC_{<j}F_{>j}v` is
:math:`-\alpha NE_i(t_i-\bar t)\nabla l_i(w)` and at most
:math:`\alpha N(M-1)E_i|t_i-\bar t|g \le \alpha N(M-1)\sigma_tg_2`. Second:
:math:`\nabla t = E[\nabla l(w+\nu u)+\nabla l(w-\nu u)-2\nabla l(w)]/(2\nu^2)` has norm at most
:math:`\rho E\|u\|^2/2 = \rho d/2`, and :math:`\|\tilde w_j-w\| \le \alpha(1+\dots+q^{j-1})g`; it multiplies a vector of
at most :math:`Mg`, and :math:`E_ig^2 = g_2^2`. Third and fourth: :math:`h` and :math:`\alpha(Ld/2)L`, times
:math:`Mg`. :math:`\blacksquare`
"""

import sympy as sp

from analytic.abbreviations import GROWTH, L, N, alpha, j, q, rho
from analytic.bound import Bound, Definition, Statement
from analytic.factors import RADIUS, h_nu
from analytic.functions import Geometric
from analytic.vocabulary import symbols

d, g_1, g_2, sigma_t, c_t = symbols("dim task_grad_norm task_grad_rms trace_spread trace_covariance")
q_c, M = sp.symbols("q_c M_c", positive=True)
Y = sp.Symbol("Y", nonnegative=True)

_WHERE = (
    GROWTH,
    Definition(q_c, q * (1 + alpha * L * d / 2)),
    Definition(M, q_c ** (N - 1) * q**N),
    Definition(Y, alpha * sp.Sum(Geometric(q, j), (j, 0, N - 1))),
    Definition(h_nu, RADIUS["refined"]),
)
_SHIFT = (
    alpha * N * c_t
    + alpha * N * sigma_t * (M - 1) * g_2
    + alpha * M * rho * d / 2 * Y * g_2**2
    + alpha * N * M * (h_nu + alpha * L**2 * d / 2) * g_1
)

STATEMENTS = (
    Statement(
        "zo-shift",
        "What zeroth-order Hessians add to the meta gradient, apart from a factor",
        "||E G^ - (1 - alpha t)^N grad calL(w)||, t the mean over tasks of (l_nu - l)/nu^2; exact losses and gradients",
        r"\|E\hat G - (1-\alpha\bar t)^N\nabla\mathcal{L}(w)\|",
        "new",
        {"local": Bound("zo-shift", "local", _SHIFT, _WHERE, proof="docstring of analytic.stall")},
        remarks="Attained as alpha, nu -> 0. A run stalls where E G^ = 0: there grad calL is this over the factor.",
    ),
)
