r"""Quadratic loss, :math:`l(w) = \frac12 w^TAw - b^Tw` with symmetric A: inner path, meta gradient, Hessian estimators.

Inner path. One step maps :math:`w` to :math:`Mw + \alpha b - \alpha\xi` with :math:`M = I - \alpha A` and batch noise
of mean zero and covariance :math:`\Sigma/S` given the past. So the mean is the noiseless path, and the covariance
obeys :math:`C_{j+1} = MC_jM + \alpha^2\Sigma/S`, :math:`C_0 = 0`, whatever the law of the noise. The gradient at the
mean is multiplied by M at every step, so that b and w enter by the gradient :math:`g = Aw - b` at the start alone.

Meta gradient, :math:`\hat G = X_0X_1\cdots X_{N-1}\hat g`, :math:`X_j = I - \alpha\hat H_j`. Suppose that each
:math:`\hat H_j` is drawn afresh and that, given :math:`w_j`, its mean and :math:`E[\hat HW\hat H^T]` do not depend on
:math:`w_j`: true here for every estimator below. Given the whole path the factors are independent, and so is
:math:`\hat g`, with mean :math:`Aw_N - b` and covariance :math:`\Sigma/T`. Therefore

.. math:: E\hat G = (I - \alpha E\hat H)^N M^Ng, \qquad
          E\hat G\hat G^T = \mathcal T^N\bigl(AC_NA + M^Ngg^TM^N + \Sigma/T\bigr),

with the linear map :math:`\mathcal T(W) = W - \alpha(E\hat H\,W + W\,E\hat H^T) + \alpha^2E[\hat HW\hat H^T]`.

Hessian estimators (`Factor`). One gradient difference is :math:`Auu^T` plus fresh noise, one zeroth-order direction
:math:`\frac12(u^TAu)uu^T`; neither knows w. With :math:`E[(u^TWu)uu^T] = 2W + \mathrm{tr}(W)I` the first gives
:math:`E[\hat HW\hat H^T] = A(2W + \mathrm{tr}(W)I)A + 2\,\mathrm{tr}(W)\Sigma/(D\nu^2)`. For the second, integration
by parts: :math:`E[p(u)uu^T] = E[p]I + E\nabla^2p`. An average over Q directions has :math:`E[\hat HW\hat H^T]` = (one
direction)/Q + (1 - 1/Q) EH W EH'.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytic.moments.gaussian import Monomial, Smoothing, form_moment


@dataclass(frozen=True)
class Factor:
    """First and second moment of a Hessian estimator whose law does not depend on the point.

    Attributes
    ----------
    mean : (d, d) array
    second_moment : callable
        Symmetric (d, d) ``W -> E[H W H']``, (d, d).
    """

    mean: np.ndarray
    second_moment: Callable[[np.ndarray], np.ndarray]


# --- inner path


def path_covariance(A, alpha, steps, noise_covariance, S) -> np.ndarray:
    """Covariance of the stochastic inner path after ``steps`` steps, (d, d).

    Parameters
    ----------
    A : (d, d) array
    alpha, steps : float, int
        Inner step size and number of steps.
    noise_covariance : (d, d) array
        Covariance of the gradient of one sample, such as `isotropic`.
    S : int
        Samples per inner gradient.
    """
    step, covariance = np.eye(len(A)) - alpha * A, np.zeros(A.shape)
    for _ in range(steps):
        covariance = step @ covariance @ step + alpha**2 * noise_covariance / S
    return covariance


def path_second_moment(A, alpha, steps, noise_covariance, S) -> float:
    """``E ||w_N - w~_N||^2``, the trace of `path_covariance`."""
    return np.trace(path_covariance(A, alpha, steps, noise_covariance, S))


def isotropic(dim, sigma_g) -> np.ndarray:
    """Covariance ``(sigma_g^2 / dim) I`` of noise with mean square ``sigma_g^2``."""
    return sigma_g**2 / dim * np.eye(dim)


# --- meta gradient


def meta_gradient_mean(A, grad, alpha, steps, hessian=None) -> np.ndarray:
    """Mean of the stochastic meta gradient, (d,), from the gradient (d,) at the start; ``hessian`` is a `Factor`.

    With the exact Hessian (None) it is the meta gradient itself.
    """
    mean = _multiplied(A, grad, alpha, steps)
    return _multiplied(A if hessian is None else hessian.mean, mean, alpha, steps)


def meta_gradient_moment_matrix(A, grad, alpha, steps, noise_covariance, S, T, hessian=None) -> np.ndarray:
    """``E G G'`` of the stochastic meta gradient G, (d, d).

    Parameters
    ----------
    A, grad : (d, d), (d,) arrays
        The Hessian, and the gradient at the start.
    alpha, steps : float, int
    noise_covariance : (d, d) array
        Covariance of the gradient of one sample.
    S, T : int
        Samples per inner gradient, and for the final gradient.
    hessian : Factor, optional
        Estimator in every factor of the product, drawn afresh each time; the exact Hessian if None.
    """
    final = _multiplied(A, grad, alpha, steps)
    path = path_covariance(A, alpha, steps, noise_covariance, S)
    moment = A @ path @ A + np.outer(final, final) + noise_covariance / T
    return product_moment(exact_hessian(A) if hessian is None else hessian, moment, alpha, steps)


def product_moment(hessian, moment, alpha, steps) -> np.ndarray:
    """``E (X_0 ... X_{N-1} g)(X_0 ... X_{N-1} g)'`` from ``moment``, that of g: each ``X_j = I - alpha H^`` is drawn
    afresh, with the `Factor` ``hessian``; (d, d).
    """
    for _ in range(steps):
        cross = hessian.mean @ moment
        moment = moment - alpha * (cross + cross.T) + alpha**2 * hessian.second_moment(moment)
    return moment


def meta_gradient_second_moment(A, grad, alpha, steps, noise_covariance, S, T, hessian=None) -> float:
    """``E ||G||^2`` of the stochastic meta gradient; arguments as in `meta_gradient_moment_matrix`."""
    return np.trace(meta_gradient_moment_matrix(A, grad, alpha, steps, noise_covariance, S, T, hessian))


def _multiplied(A, vector, alpha, steps):
    """``(I - alpha A)^steps`` times the vector."""
    for _ in range(steps):
        vector = vector - alpha * (A @ vector)
    return vector


# --- Hessian estimators in the product


def exact_hessian(A) -> Factor:
    """The Hessian itself, also that of additive gradient noise."""
    return Factor(A, lambda weight: A @ weight @ A)


def first_order(dim) -> Factor:
    """No Hessian at all (FO-MAML)."""
    return Factor(np.zeros((dim, dim)), lambda weight: np.zeros((dim, dim)))


def random_phase_hessian(A, amplitude, kappa, D) -> Factor:
    """Batch of D Hessians ``A - a cos(z'w + phi) zz'``, z uniform on the sphere of radius kappa, phi uniform.

    Averaging over phi leaves ``a^2/2`` for the squared cosine at every w, then
    ``E[(z'Wz) zz'] = kappa^4 (2W + tr(W) I) / (d (d+2))``. The gradient noise of this model has covariance
    ``isotropic(d, a kappa / sqrt(2))``.
    """
    dim = len(A)
    scale = amplitude**2 * kappa**4 / (2 * dim * (dim + 2) * D)
    return Factor(A, lambda weight: A @ weight @ A + scale * _fourth(weight))


def ggs_hessian(A, directions, noise_covariance=None, D=1, nu=1.0) -> Factor:
    """Gradient differences along Q Gaussian directions.

    ``noise_covariance`` (d, d) is that of one sample, with fresh batches of size D at both points of every direction;
    None means no noise, or the same additive noise at both points, and then ``nu`` does not matter.
    """
    noise = np.zeros(A.shape) if noise_covariance is None else noise_covariance

    def one(weight):
        return A @ _fourth(weight) @ A + 2 / (D * nu**2) * np.trace(weight) * noise

    return _average(A, one, directions)


def zo_hessian(A, directions) -> Factor:
    """Zeroth-order estimator ``(1/Q) sum_j (u_j'Au_j / 2) u_j u_j'``."""
    mean = A + np.trace(A) / 2 * np.eye(len(A))
    # H W H' = (u'Au)^2 (u'Wu) uu' / 4
    return _average(mean, lambda weight: _weighted_outer(A, A, weight) / 4, directions)


def zo_stein_hessian(A, directions) -> Factor:
    """Stein-corrected zeroth-order estimator ``(1/Q) sum_j (u_j'Au_j / 2) (u_j u_j' - I)``."""
    squares = form_moment(Monomial(1.0, (A, A)), len(A))

    def one(weight):
        outer = _weighted_outer(A, A)
        cross = outer @ weight
        return (_weighted_outer(A, A, weight) - cross - cross.T + squares * weight) / 4

    return _average(A, one, directions)


def zo_baseline_hessian(A, directions) -> Factor:
    """Zeroth-order estimator with the mean for a baseline, ``(1/Q) sum_j (t_j - mean t) u_j u_j'``, t_j = u_j'Au_j / 2.

    It is (1 - 1/Q) times the unbiased sample covariance of t and uu', of mean A, whose second moment follows from
    ``E[(t - Et)^2 (uu' - I) W (uu' - I)]``, Var t and ``E[(uu' - I) W (uu' - I)]``.
    """
    Q = float(directions)
    trace, variance = np.trace(A), np.sum(A * A) / 2

    def power(weight, k):
        """``E[(u'Au)^k (uu' - I) W (uu' - I)]``."""
        cross = (_weighted_outer(*[A] * k) if k else np.eye(len(A))) @ weight
        scale = form_moment(Monomial(1.0, (A,) * k), len(A))
        return _weighted_outer(*[A] * k, weight) - cross - cross.T + scale * weight

    def second_moment(weight):
        squared = A @ weight @ A
        spread = power(weight, 0)
        centered = power(weight, 2) / 4 - trace / 2 * power(weight, 1) + trace**2 / 4 * spread
        pairs = (Q - 1) ** 2 * (squared + (centered - squared) / Q) + (Q - 1) / Q * (variance * spread + squared)
        return pairs / Q**2

    return Factor((1 - 1 / Q) * A, second_moment)


def smoothing(loss, grad, hess, nu) -> Smoothing:
    """Smoothed loss and moments of the Hessian estimators from the loss, its gradient (d,) and Hessian (d, d) at w."""
    dim, excess = len(hess), np.trace(hess) / 2
    return Smoothing(
        nu=nu,
        loss=loss + nu**2 * excess,
        grad=grad,
        hess=hess,
        excess=excess,
        gradient_moment=lambda weight: form_moment(Monomial(1.0, (weight, hess @ hess)), dim),
        curvature_moment=lambda polynomial: sum(
            form_moment(Monomial(p.coefficient / 4, (*p.forms, hess, hess), p.power), dim) for p in polynomial
        ),
        hess_shift=np.zeros(hess.shape),
        excess_shift=0.0,
    )


def _average(mean, one, directions):
    def second_moment(weight):
        return one(weight) / directions + (1 - 1 / directions) * mean @ weight @ mean.T

    return Factor(mean, second_moment)


def _fourth(weight):
    """``E[(u'Wu) uu']``."""
    return 2 * weight + np.trace(weight) * np.eye(len(weight))


def _weighted_outer(*forms):
    """``E[prod_i (u'B_i u) uu']``: integrating the last two u by parts gives ``E[p] I + E[hess p]``.

    The Hessian of a product p is ``2 sum_i (p/q_i) B_i + 4 sum_{i != j} (p/(q_i q_j)) B_i uu' B_j``; recurse on the
    last.
    """
    dim = len(forms[0])
    total = form_moment(Monomial(1.0, forms), dim) * np.eye(dim)
    for i, first in enumerate(forms):
        others = forms[:i] + forms[i + 1 :]
        total = total + 2 * form_moment(Monomial(1.0, others), dim) * first
        for j, second in enumerate(forms):
            if i != j:
                rest = tuple(form for k, form in enumerate(forms) if k not in (i, j))
                inner = _weighted_outer(*rest) if rest else np.eye(dim)
                total = total + 4 * first @ inner @ second
    return total
