r"""How far can the smoothed Hessian of a loss be from the Hessian, if that is :math:`\rho`-Lipschitz? (Proposition 6)

In one variable :math:`\rho\nu E\|u\|` is attained by a kink. For d > 1 it is not: *1 is never the ratio.* Let v be a
unit vector with :math:`v^TE[\nabla^2l(\nu u) - \nabla^2l(0)]v = \rho\nu E\|u\|`. The integrand is at most
:math:`\rho\|\nu u\|`, so it equals that for almost all u and, Hessians being continuous, for all: along every ray
:math:`v^T\nabla^2l(rn)v = v^T\nabla^2l(0)v + \rho r`. Take :math:`l` in a plane through v, with v as the first axis,
and :math:`\rho = 1`; its third derivatives exist almost everywhere (Rademacher) and form a cubic form T with
:math:`|T| \le 1` on unit vectors. As :math:`l_{11} - l_{11}(0) = r`, :math:`T(v,v,\cdot) = n = (\cos\theta,
\sin\theta)`, of length 1. So :math:`(v, v, n)` maximizes :math:`T(x,y,z)` over unit vectors, and stationarity in y
gives :math:`T(v,n,\cdot) = v`: its second entry is :math:`\cos\theta\sin\theta + \sin\theta\,T_{122} = 0`, that is
:math:`l_{122} = -\cos\theta = -x/r` almost everywhere. But :math:`l_{1122} = \partial_2(y/r) = x^2/r^3`, whereas
:math:`\partial_1(-x/r) = -y^2/r^3`: a contradiction. Hessians with one Lipschitz constant that agree at 0 form a
compact set, on which the left side is continuous, so the supremum is attained, hence *less than 1 for every d > 1*.

From below: losses :math:`\|w\|^3p(t)`, t the cosine of the angle with the axis. The entry along the axis is linear in
the coefficients of p and so are the constraints :math:`|T(x,x,x)| \le 1`: a linear program, solved on a grid with
constraints added where they are violated. What it finds is then certified by `Axisymmetric` itself.
"""

from functools import cache

import numpy as np
from scipy.optimize import linprog

from maml_bench.problems.axisymmetric import Axisymmetric, directed, third_derivative

ANGLES, ROUNDS, SLACK = 160, 40, 3e-4


@cache
def steepest(dim: int, count: int = 16) -> Axisymmetric:
    """The axisymmetric cubic, of ``count`` coefficients, whose smoothed Hessian at 0 has the largest entry: rho = 1."""
    directions = [Axisymmetric(dim, row) for row in np.eye(count)]
    gain = np.array([smooth.hess[0, 0] for one in directions for smooth in one.smoothings(np.zeros(dim), 1.0) or ()])
    plane, across = directed(third_derivative(count, np.linspace(0, np.pi / 2, ANGLES)))
    # Third derivatives along v at sines c of the angle between v and the plane; one column a basis function.
    cosines = np.cos(np.linspace(0, np.pi / 2, 9 if dim > 2 else 1))[:, None, None, None]
    forms = cosines**3 * plane + 3 * cosines * (1 - cosines**2) * across
    half = forms[..., : forms.shape[-1] // 2 : 2]  # the form is odd in v
    rows = np.moveaxis(half, (2, 1), (0, -1)).reshape(ANGLES, -1, count)
    chosen = rows[:, ::37].reshape(-1, count)
    for _ in range(ROUNDS):
        limits = np.ones(2 * len(chosen))
        found = linprog(-gain, np.vstack([chosen, -chosen]), limits, bounds=(-10, 10), method="highs").x
        size = np.abs(rows @ found)
        if size.max() < 1 + SLACK:
            break
        worst = np.argsort(-size, axis=1)[:, :2]
        violated = size.max(1) > 1 + SLACK / 2
        chosen = np.vstack([chosen, np.take_along_axis(rows, worst[..., None], 1)[violated].reshape(-1, count)])
    loss = Axisymmetric(dim, found)
    return Axisymmetric(dim, found / loss.regularity.rho)
