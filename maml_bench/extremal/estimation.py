r"""Worst cases of the exact and the stochastic inner path by performance estimation, and where they differ from ours.

What the worst loss does to finitely many gradient steps is a semidefinite program: its unknowns are the scalar products
of points and gradients and the values of the loss, its constraints say when a loss of the class has these gradients and
values. PEPit (the optional extra ``pep``) solves it; its answer is the supremum itself, over all dimensions, to the
tolerance of the solver. Our bounds are steps of the proofs of Propositions 2 and 4, their finite-sum counterparts and
Lemma A. Units L = 1, sigma_g = 1, b = 1, unit distance or gradient at the start; `RECORD` holds what PEPit found.

*Where both agree.* Over all L-smooth losses (Hessians of either sign) PEPit's answer is our constant: growth of the
gradient :math:`q^N`, distance of two paths :math:`q^N`, path error :math:`s_N` (over all losses and all noise of two
points of equal weight, one vector for each node of the tree of paths), target gradient :math:`q^N + (q^N-1)b`. So
nothing is gained in these by a better proof, in any dimension.

*Where they differ.* (i) Over convex losses gradient steps do not expand: 1 in place of :math:`q^N`, and
:math:`s_N = \alpha\sigma_g\sqrt N`. The paper assumes no convexity, so ours cannot be less; a reader with convex losses
gains what the table says. (ii) The turn of the gradient, :math:`\|\nabla l(\tilde w_N) - \mu\nabla l(w)\|` of the
``cone`` form of Lemma A with N factors: ours is attained by a chain of matrices that turns the gradient by the same
angle :math:`\varphi` at every step, :math:`g_j = (\cos\varphi\,e^{i\varphi})^jg_0`. For N = 1 some loss has these
gradients. For N >= 2 none has: all pairs of points have :math:`|g_i-g_k| = L|x_i-x_k|`, so a loss would grow between
any two by the mean of its gradients at both (the condition for interpolation has no slack), but around
:math:`x_0, x_1, x_2` these add up to :math:`\alpha(\operatorname{Im}\cos\varphi\,e^{i\varphi})^2|g_0|^2 > 0`. PEPit
says by how much a loss falls short.

*What it cannot say.* Performance estimation knows gradients and values, no Hessians: the meta gradient's product, rho
and tau (Propositions 1, 3, 5 to 8) and first moments, which are no linear functions of scalar products, stay with
`extremal.tightness`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from analytic import bound
from analytic.arguments import natural, one_of, positive

CLASSES = {"smooth": "SmoothFunction", "convex": "SmoothConvexFunction"}
"""Classes of losses and what PEPit calls them."""

ALPHA_L, STEPS = 0.3, (1, 2, 3)
"""Of `RECORD`."""


@dataclass(frozen=True)
class Question:
    """A norm after N steps whose largest value is wanted.

    Attributes
    ----------
    words : str
    ours : callable
        ``ours(alpha_l, steps)``, the bound.
    squared : callable
        ``squared(pep, losses, alpha_l, steps)`` states the problem and gives the square of the norm.
    """

    words: str
    ours: Callable[[float, int], float]
    squared: Callable


def _path(loss, w, alpha, steps):
    points = [w]
    for _ in range(steps):
        points.append(points[-1] - alpha * loss.gradient(points[-1]))
    return points


def _unit_gradient(pep, loss):
    w = pep.set_initial_point()
    pep.set_initial_condition(loss.gradient(w) ** 2 <= 1)
    return w


def _growth(pep, losses, alpha, steps):
    loss = losses()
    return loss.gradient(_path(loss, _unit_gradient(pep, loss), alpha, steps)[-1]) ** 2


def _distance(pep, losses, alpha, steps):
    loss, w, u = losses(), pep.set_initial_point(), pep.set_initial_point()
    pep.set_initial_condition((w - u) ** 2 <= 1)
    return (_path(loss, w, alpha, steps)[-1] - _path(loss, u, alpha, steps)[-1]) ** 2


def _error(pep, losses, alpha, steps):
    from PEPit.point import Point

    loss, w = losses(), pep.set_initial_point()
    ends = [w]
    for _ in range(steps):
        ahead = []
        for point in ends:
            noise = Point()
            pep.add_constraint(noise**2 <= 1)
            mean = point - alpha * loss.gradient(point)
            ahead += [mean - alpha * noise, mean + alpha * noise]
        ends = ahead
    exact = _path(loss, w, alpha, steps)[-1]
    return sum((end - exact) ** 2 for end in ends) * (1 / len(ends))


def _target(pep, losses, alpha, steps):
    support, target = losses(), losses()
    points = _path(support, _unit_gradient(pep, target), alpha, steps)
    for point in points:
        pep.add_constraint((support.gradient(point) - target.gradient(point)) ** 2 <= 1)
    return target.gradient(points[-1]) ** 2


def _cone(alpha, steps):
    """Cosine and tangent of the largest turn, N arcsin(alpha L), and mu."""
    turn = steps * math.asin(alpha)
    return math.tan(turn), (1 - alpha**2) ** (steps / 2) / math.cos(turn)


def _turn(pep, losses, alpha, steps):
    loss = losses()
    w = _unit_gradient(pep, loss)
    return (loss.gradient(_path(loss, w, alpha, steps)[-1]) - _cone(alpha, steps)[1] * loss.gradient(w)) ** 2


def _path_error(alpha, steps):
    return float(bound("prop2-second", "sharp")(alpha=alpha, L=1.0, steps=steps, S=1, sigma_g=1.0)) ** 0.5


QUESTIONS = {
    "growth": Question("||grad l(w~_N)||, from a unit gradient", lambda a, n: (1 + a) ** n, _growth),
    "distance": Question("distance of two paths, from unit distance", lambda a, n: (1 + a) ** n, _distance),
    "error": Question("(E ||w_N - w~_N||^2)^(1/2)", _path_error, _error),
    "target": Question("||grad l_T(w~_N)||, ||grad l_S - grad l_T|| <= 1", lambda a, n: 2 * (1 + a) ** n - 1, _target),
    "turn": Question("||grad l(w~_N) - mu grad l(w)||", lambda a, n: (1 - a**2) ** (n / 2) * _cone(a, n)[0], _turn),
}


def worst_case(question: str, losses: str = "smooth", alpha_l: float = ALPHA_L, steps: int = 1) -> float:
    """The largest value of the norm over a class of losses, by PEPit.

    Parameters
    ----------
    question : str
        One of `QUESTIONS`.
    losses : {"smooth", "convex"}
        All L-smooth losses, or the convex ones among them.
    alpha_l, steps : number

    Raises
    ------
    ImportError
        Without PEPit: it comes with ``pip install maml-bench[pep]``.
    ValueError
        For an unknown name, or an argument outside its range.
    """
    for name, value, known in (("question", question, QUESTIONS), ("losses", losses, CLASSES)):
        one_of(name, value, known)
    positive("alpha_l", alpha_l), natural("steps", steps)
    try:
        import PEPit
        import PEPit.functions
    except ImportError:
        raise ImportError("PEPit is not installed: pip install 'maml-bench[pep]'") from None
    pep = PEPit.PEP()
    kind = getattr(PEPit.functions, CLASSES[losses])
    squared = QUESTIONS[question].squared(pep, lambda: pep.declare_function(kind, L=1.0), alpha_l, steps)
    pep.set_performance_metric(squared)
    return math.sqrt(pep.solve(verbose=0, wrapper="cvxpy", solver="CLARABEL"))


RECORD = {
    ("growth", "smooth"): (1.300000, 1.690000, 2.197000),
    ("growth", "convex"): (1.000000, 1.000000, 1.000000),
    ("distance", "smooth"): (1.300000, 1.690000, 2.197000),
    ("distance", "convex"): (1.000000, 1.000000, 1.000000),
    ("error", "smooth"): (0.300000, 0.492037, 0.706505),
    ("error", "convex"): (0.300000, 0.424264, 0.519615),
    ("target", "smooth"): (1.600000, 2.380000, 3.394000),
    ("target", "convex"): (1.084652, 1.158569, 1.220329),
    ("turn", "smooth"): (0.300000, 0.619756, 1.078875),
    ("turn", "convex"): (0.300000, 0.619756, 1.078875),
}
"""What `worst_case` gives at `ALPHA_L` for each of `STEPS`, with PEPit 0.5.1 and Clarabel 0.11.1."""
