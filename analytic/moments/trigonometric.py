r"""Trigonometric loss, :math:`l(w) = \frac12w^TAw - b^Tw + \sum_ka_k\cos(v_k^Tw + \phi_k)`.

The frequencies :math:`v_k` are any vectors.

Every moment reduces to :math:`E[p(u)e^{it^Tu}] = e^{-\|t\|^2/2}P(t)`, :math:`P(t) = E\,p(u + it)`, with p even (a
polynomial of quadratic forms); see `analytic.moments.gaussian`. With :math:`t_k = \nu v_k`, :math:`\theta_k = v_k^Tw
+ \phi_k`, :math:`x_k = t_k^Tu`:

* :math:`l_\nu` multiplies each cosine by :math:`e^{-\|t_k\|^2/2}` and adds :math:`\frac{\nu^2}2\mathrm{tr}A`;
* :math:`D(u) = Au - \frac1\nu\sum_ka_kv_k[\sin\theta_k(\cos x_k - 1) + \cos\theta_k\sin x_k]`;
* :math:`\delta(u) = \frac12u^TAu + \frac1{\nu^2}\sum_ka_k\cos\theta_k(\cos x_k - 1)`.

Beside an even p only the even part of a product survives, which leaves three kinds of terms (s, t two of the
:math:`t_k`, :math:`x=s^Tu`, :math:`y=t^Tu`):

* :math:`E[p\,(c^Tu)\sin x] = -\partial_c(e^{-\|s\|^2/2}P(s))`;
* :math:`E[p\sin x\sin y] = \frac12[e_-P(s-t) - e_+P(s+t)]`, :math:`e_\pm = e^{-\|s\pm t\|^2/2}`;
* :math:`E[p(\cos x-1)(\cos y-1)] = \frac12[e_+P(s+t) + e_-P(s-t)] - e^{-\|s\|^2/2}P(s) - e^{-\|t\|^2/2}P(t) + P(0)`.

The last one is of order :math:`\nu^4` while its terms are of order one. P is a sum of constants times products of at
most two forms :math:`q(t) = -t^TKt`; expanding :math:`q(s\pm t) = q(s) \pm 2q(s,t) + q(t)` cancels what cancels on
paper, so no digit is lost for small :math:`\nu`. For large ones (both norms above one) the line above is used as it
stands.
"""

import math

import numpy as np

from analytic.digits import is_precise
from analytic.moments.gaussian import Monomial, Smoothing, form_moment, fourier

LARGEST_PAIRS = 0.5
"""Largest array over pairs of waves, in gigabytes."""


def damping(frequency, nu) -> np.ndarray:
    """What smoothing multiplies each cosine by, ``exp(-nu^2 ||v_k||^2 / 2)``, for frequencies (..., K, d)."""
    return np.exp(-np.sum((nu * frequency) ** 2, axis=-1) / 2)


def smoothing(loss, grad, hess, A, frequency, cosine, sine, nu) -> Smoothing:
    """Smoothed loss and moments of the Hessian estimators at w.

    Parameters
    ----------
    loss, grad, hess : float, (d,), (d, d)
        Of the loss whose amplitudes are multiplied by `damping`, at w: what smoothing leaves, but for a constant.
    A : array (d, d)
    frequency : array (K, d)
    cosine, sine : array (K,)
        ``a_k cos(v_k.w + phi_k)`` and ``a_k sin(v_k.w + phi_k)``.
    nu : float
    """
    dim = len(A)
    scaled = nu * frequency
    half_square = np.sum(scaled**2, axis=1) / 2
    damped, loss_of_damping = damping(frequency, nu), np.expm1(-half_square)
    excess = np.trace(A) / 2 + cosine @ loss_of_damping / nu**2
    pair = _Pairs(scaled)

    def gradient_moment(weight):
        pushed = frequency @ A
        straight = 2 * _row_form(scaled, weight, pushed)
        straight += (np.trace(weight) - _row_form(scaled, weight, scaled)) * np.sum(scaled * pushed, axis=1)
        terms = fourier(Monomial(1.0, (weight,)))
        square = np.outer(sine, sine) * pair.versines(terms) + np.outer(cosine, cosine) * pair.sines(terms)
        return (
            form_moment(Monomial(1.0, (weight, A @ A)), dim)
            - 2 / nu * np.sum(cosine * damped * straight)
            + np.sum(frequency @ frequency.T * square) / nu**2
        )

    def curvature_moment(polynomial):
        identity, total = np.eye(dim), 0.0
        for p in polynomial:
            forms = p.forms + (identity,) * p.power
            total += form_moment(Monomial(p.coefficient / 4, (*p.forms, A, A), p.power), dim)
            mixed = _versine(fourier(Monomial(p.coefficient, (*forms, A))), scaled, damped, loss_of_damping)
            both = pair.versines(fourier(Monomial(p.coefficient, forms)))
            total += cosine @ mixed / nu**2 + cosine @ (both / nu**4) @ cosine
        return total

    return Smoothing(
        nu=nu,
        loss=loss + nu**2 * np.trace(A) / 2,
        grad=grad,
        hess=hess,
        excess=excess,
        gradient_moment=gradient_moment,
        curvature_moment=curvature_moment,
        hess_shift=-(frequency.T * (loss_of_damping * cosine)) @ frequency,
        excess_shift=np.sum(cosine * _second_order(half_square)) / nu**2,
    )


def _second_order(x):
    """``exp(-x) - 1 + x`` for x >= 0, to full relative precision."""
    if is_precise(x):
        return np.expm1(-x) + x  # of 60 digits there are enough
    small = np.minimum(x, 0.1)
    series = sum((-small) ** k / math.factorial(k) for k in range(2, 14))
    return np.where(x <= 0.1, series, np.expm1(-x) + x)


def _row_form(left, form, right):
    return np.sum((left @ form) * right, axis=1)


def _versine(terms, t, damped, loss_of_damping):
    """``E[p (cos(t'u) - 1)]`` for every row t."""
    total = 0.0
    for term in terms:
        if term.forms:
            value = damped.copy()
            for form in term.forms:
                value *= -_row_form(t, form, t)
        else:
            value = loss_of_damping
        total = total + term.constant * value
    return total


class _Pairs:
    """``E[p sin x sin y]`` and ``E[p (cos x - 1)(cos y - 1)]`` for x, y = t_k'u, t_l'u, as (K, K) arrays."""

    def __init__(self, t):
        gigabytes = 8e-9 * len(t) * t.size
        if gigabytes > LARGEST_PAIRS:
            raise ValueError(
                f"{len(t)} waves in dimension {t.shape[-1]}: moments of their pairs need arrays of {gigabytes:.2g} GB, "
                f'at most {LARGEST_PAIRS:g} GB; sample them, method="monte-carlo"'
            )
        self.t, self.minus, self.plus = t, t[:, None] - t, t[:, None] + t
        square = np.sum(t**2, axis=1)
        self.damped_minus = np.exp(-np.sum(self.minus**2, axis=2) / 2)
        self.damped_plus = np.exp(-np.sum(self.plus**2, axis=2) / 2)
        self.damped = np.exp(-square / 2)
        self.small = np.minimum.outer(square, square) < 1
        # cosh(c) - 1 and sinh(c), each times exp(-(a + b)/2), from the larger of the two dampings
        inner = t @ t.T
        larger = np.maximum(self.damped_minus, self.damped_plus)
        self.cosh_less_one = larger * np.expm1(-np.abs(inner)) ** 2 / 2
        self.sinh = -np.sign(inner) * larger * np.expm1(-2 * np.abs(inner)) / 2
        self.cosh = (self.damped_minus + self.damped_plus) / 2
        lost = np.expm1(-square / 2)
        self.versine_product = np.outer(lost, lost) + self.cosh_less_one
        # E cos x cos y - E cos x
        self.beyond_first = np.outer(self.damped, lost) + self.cosh_less_one

    def sines(self, terms):
        total = 0.0
        for term in terms:
            if term.forms:
                minus, plus = self._product(term.forms, self.minus), self._product(term.forms, self.plus)
                value = (self.damped_minus * minus - self.damped_plus * plus) / 2
            else:
                value = self.sinh
            total = total + term.constant * value
        return total

    def versines(self, terms):
        total = 0.0
        for term in terms:
            total = total + term.constant * np.where(self.small, self._small(term.forms), self._large(term.forms))
        return total

    def _small(self, forms):
        if not forms:
            return self.versine_product
        both, odd, alone = self._split(forms)
        return alone[:, None] * self.beyond_first + alone * self.beyond_first.T + both * self.cosh - odd * self.sinh

    def _split(self, forms):
        """Of the product of all q(s + t): its part even in t less its values at (s, 0) and (0, t), the odd part, and
        the value at (s, 0).
        """
        own, cross = zip(*((-_row_form(self.t, k, self.t), -self.t @ k @ self.t.T) for k in forms), strict=True)
        if len(forms) == 1:
            return np.zeros(cross[0].shape), 2 * cross[0], own[0]
        (f, g), (fc, gc) = own, cross
        both = np.multiply.outer(f, g) + np.multiply.outer(g, f) + 4 * fc * gc
        return both, 2 * ((f[:, None] + f) * gc + fc * (g[:, None] + g)), f * g

    def _large(self, forms):
        alone = self.damped * self._product(forms, self.t)
        both = self.damped_plus * self._product(forms, self.plus) + self.damped_minus * self._product(forms, self.minus)
        return both / 2 - alone[:, None] - alone + (0.0 if forms else 1.0)

    @staticmethod
    def _product(forms, t):
        value = np.ones(t.shape[:-1])
        for form in forms:
            value = value * -np.sum((t @ form) * t, axis=-1)
        return value
