"""Meta-learning methods: what stands for the gradient of the meta objective in an iteration of the outer loop.

A method has two functions, ``meta_gradient`` for one estimate per leading index of w and task, and ``samples`` for what
one such estimate takes. The Hessian estimator is an argument, so one method, `MAML`, is Algorithm 1 and Algorithm 2
of arXiv 2002.07836, first-order and Hessian-free MAML, zeroth-order MAML, its Stein form and that with the baseline of
evolution strategies; `NAMED` lists them. With a support and a target loss and full gradients the same is the algorithm
of the finite-sum case.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from analytic.arguments import known, natural, positive, settle
from maml_bench.adaptation import InnerLoop, stochastic_path
from maml_bench.algorithms.samples import Samples, of_product
from maml_bench.capabilities import Hessian
from maml_bench.hessians import (
    CentralDifference,
    ExactHessian,
    FirstOrder,
    GaussianSmoothing,
    ZerothOrder,
)
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.problems.protocol import Tasks
from maml_bench.setting import Setting


class Method(Protocol):
    """What the outer loop asks of a method.

    Examples
    --------
    >>> from maml_bench.algorithms import NAMED
    >>> [name for name, make in NAMED.items() if type(make(0.01, 10)[0]).__name__ == "MAML"]
    ['maml', 'fo-maml', 'hf-maml', 'ggs-maml', 'zo-maml', 'zo-stein', 'es-maml']
    """

    def meta_gradient(
        self,
        tasks: Tasks,
        w: np.ndarray,
        inner: InnerLoop,
        hessian: Hessian,
        rng: np.random.Generator,
        target: Tasks | None = None,
    ) -> np.ndarray: ...

    def samples(self, inner: InnerLoop, hessian: Hessian) -> Samples: ...


@dataclass(frozen=True)
class MAML:
    """The stochastic meta gradient (eq. 8 of arXiv 2002.07836) with any Hessian estimator: Algorithms 1 and 2.

    A method that states ``equation = 8`` is what the theorems speak of.

    Examples
    --------
    >>> from maml_bench import InnerLoop
    >>> from maml_bench.algorithms import MAML
    >>> from maml_bench.hessians import ExactHessian
    >>> MAML().samples(InnerLoop(0.1, 3, S=2, D=4, T=5), ExactHessian())
    Samples(gradient=11, hessian_vector=12, function=0)
    """

    equation = 8

    def meta_gradient(self, tasks, w, inner, hessian, rng, target=None) -> np.ndarray:
        """`maml_bench.meta_gradient.stochastic_meta_gradient`, shape (..., d)."""
        return stochastic_meta_gradient(tasks, w, inner, hessian, rng, target)

    def samples(self, inner: InnerLoop, hessian: Hessian) -> Samples:
        """N batches of S gradients on the way, one of T at the end, and N products with Hessian estimates."""
        return Samples(gradient=inner.steps * inner.S + inner.T) + inner.steps * of_product(hessian, inner.D)


@dataclass(frozen=True)
class Reptile:
    """Reptile (Nichol, Achiam and Schulman, arXiv 1803.02999): towards the end of the inner path.

    ``(w - w_N) / (alpha N)``, the mean of the gradients on the path, so that meta step sizes compare with those of the
    other methods; the interpolation of the source has the rate ``beta / (alpha N)``. No Hessian and no target loss.

    Examples
    --------
    >>> from maml_bench import InnerLoop
    >>> from maml_bench.algorithms import Reptile
    >>> from maml_bench.hessians import FirstOrder
    >>> from maml_bench.problems import Quadratic
    >>> tasks, rng = Quadratic(np.eye(1), np.zeros(1)), np.random.default_rng(0)
    >>> Reptile().meta_gradient(tasks, np.ones(1), InnerLoop(0.5, 1), FirstOrder(), rng)
    array([1.])
    """

    def meta_gradient(self, tasks, w, inner, hessian, rng, target=None) -> np.ndarray:
        """One estimate for each leading index of w and each task, shape (..., d)."""
        return (w - stochastic_path(tasks, w, inner, rng)[-1]) / (inner.alpha * inner.steps)

    def samples(self, inner: InnerLoop, hessian: Hessian) -> Samples:
        """N batches of S gradients."""
        return Samples(gradient=inner.steps * inner.S)


@dataclass(frozen=True)
class ImplicitMAML:
    """MAML with implicit gradients (Rajeswaran, Finn, Kakade and Levine, arXiv 1909.04630).

    The inner loop takes N steps on ``l(u) + (pull/2) ||u - w||^2``. At its minimizer the meta gradient is
    ``(I + H/pull)^(-1) grad l(u)``; here u = w_N, and the system is solved by conjugate gradients from 0, with one
    draw of the Hessian estimate at w_N.

    Parameters
    ----------
    pull : float
        The strength of the regularization, > 0.
    products : int
        Iterations of conjugate gradients, each of one Hessian-vector product.

    Notes
    -----
    Conjugate gradients want a symmetric matrix: an estimate by `GaussianSmoothing` is not, and is refused. A direction
    of nonpositive curvature (of ``I + H/pull``) ends the iterations for its task: the solution so far is returned.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from maml_bench import InnerLoop
    >>> from maml_bench.algorithms import ImplicitMAML
    >>> from maml_bench.hessians import ExactHessian
    >>> from maml_bench.problems import Quadratic
    >>> tasks, rng = Quadratic(np.eye(1), np.zeros(1)), np.random.default_rng(0)
    >>> ImplicitMAML(pull=1.0).meta_gradient(tasks, np.ones(1), InnerLoop(0.5, 50), ExactHessian(), rng).round(6)
    array([0.25])
    """

    pull: float = 1.0
    products: int = 5

    def __post_init__(self):
        settle(self, pull=positive, products=natural)

    def meta_gradient(self, tasks, w, inner, hessian, rng, target=None) -> np.ndarray:
        """One estimate for each leading index of w and each task, shape (..., d).

        Raises
        ------
        ValueError
            If the Hessian estimator is not symmetric.
        """
        if not getattr(hessian, "symmetric", False):
            raise ValueError(f"hessian = {hessian}: conjugate gradients need an estimator that states symmetric = True")
        target = tasks if target is None else target
        end = w
        for _ in range(inner.steps):
            slope = tasks.grad(end, tasks.sample(rng, end, inner.S)) + self.pull * (end - w)
            end = end - inner.alpha * slope
        right = target.grad(end, target.sample(rng, end, inner.T))
        product = hessian.operator(tasks, end, inner.D, rng)
        return conjugate_gradients(lambda v: v + product(v) / self.pull, right, self.products)

    def samples(self, inner: InnerLoop, hessian: Hessian) -> Samples:
        """N batches of S gradients on the way, one of T at the end, and the products."""
        return Samples(gradient=inner.steps * inner.S + inner.T) + self.products * of_product(hessian, inner.D)


def conjugate_gradients(product: Callable[[np.ndarray], np.ndarray], right: np.ndarray, iterations: int) -> np.ndarray:
    """Approximate solutions of ``product(x) = right``, one system for each leading index of ``right`` (..., d)."""
    solution, residual, direction = np.zeros_like(right), right, right
    square = np.vecdot(residual, residual)[..., None]
    going = np.ones_like(square, dtype=bool)
    for _ in range(iterations):
        image = product(direction)
        curvature = np.vecdot(direction, image)[..., None]
        going = going & (curvature > 0)
        length = np.where(going, square, 0.0) / np.where(going, curvature, 1.0)
        solution = solution + length * direction
        residual = residual - length * image
        before, square = square, np.vecdot(residual, residual)[..., None]
        turn = np.where(going, square, 0.0) / np.where(going & (before > 0), before, 1.0)
        direction = residual + turn * direction
    return solution


NAMED: dict[str, Callable[[float, int], tuple[Method, Hessian]]] = {
    "maml": lambda nu, directions: (MAML(), ExactHessian()),
    "fo-maml": lambda nu, directions: (MAML(), FirstOrder()),
    "hf-maml": lambda nu, directions: (MAML(), CentralDifference(nu)),
    "ggs-maml": lambda nu, directions: (MAML(), GaussianSmoothing(nu, directions)),
    "zo-maml": lambda nu, directions: (MAML(), ZerothOrder(nu, directions)),
    "zo-stein": lambda nu, directions: (MAML(), ZerothOrder(nu, directions, stein=True)),
    "es-maml": lambda nu, directions: (MAML(), ZerothOrder(nu, directions, baseline="mean")),
    "reptile": lambda nu, directions: (Reptile(), FirstOrder()),
    "imaml": lambda nu, directions: (ImplicitMAML(), ExactHessian()),
}
"""The methods of the field, from the radius of differences and the number of directions, where they have any."""


def algorithm(setting: Setting, name: str, nu: float = 1e-2, directions: int = 10) -> Setting:
    """The setting with the method and the Hessian estimator called ``name`` in `NAMED`.

    Raises
    ------
    ValueError
        If the name is unknown (lists those there are), or the setting has no outer loop.

    Examples
    --------
    >>> from maml_bench import InnerLoop, OuterLoop, Setting
    >>> from maml_bench.algorithms import algorithm
    >>> from maml_bench.problems import Quadratic
    >>> setting = Setting(Quadratic.concave(2), np.ones(2), InnerLoop(0.1, 1), outer=OuterLoop(10, B=1, beta=0.1))
    >>> algorithm(setting, "fo-maml").hessian
    FirstOrder()
    """
    known("method", name, NAMED)
    if setting.outer is None:
        raise ValueError("outer = None: a method needs an OuterLoop")
    method, hessian = NAMED[name](nu, directions)
    return replace(setting, hessian=hessian, outer=replace(setting.outer, method=method))
