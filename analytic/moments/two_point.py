r"""Two-point gradient noise: the inner path and the meta gradient by enumeration of all paths.

The law. One sample's gradient error at a point w is :math:`\sigma_g(-s \pm \sqrt{1+s^2})` along a unit vector e, with
probabilities :math:`\tfrac12(1 \pm s/\sqrt{1+s^2})`, where s may depend on w. Whatever s, the mean is
:math:`\sigma_g(-s + \sqrt{1+s^2}\,s/\sqrt{1+s^2}) = 0` and the mean square
:math:`\sigma_g^2(s^2 - 2s\cdot s + 1 + s^2) = \sigma_g^2`: Assumption 3 is met with equality everywhere. Every law on
two points of the line with mean 0 is of this kind; s = 0 is the fair coin, large s a rare large error against many
small ones.

The path. A batch of S samples has S + 1 outcomes (the number of errors of one sign is binomial), so there are
:math:`(S+1)^N` inner paths, all enumerated. Hessians are exact. The final gradient's noise has mean zero and
covariance :math:`(\sigma_g^2/T)ee^T`, hence :math:`E\|\hat G\|^2 = E[\|Pv\|^2 + (\sigma_g^2/T)\|Pe\|^2]` with P the
product of the N factors :math:`I - \alpha H` and v the last gradient.
"""

from collections.abc import Callable

import numpy as np

from analytic.digits import as_numbers, is_precise
from analytic.moments.path import PathMoments
from analytic.moments.rules import log_factorials


def outcomes(sigma_g, s, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of ``size`` samples: its values and their probabilities, both ``(size + 1, ...)`` for s of shape (...).

    Both errors are products, never differences, so neither loses digits for large s.
    """
    s = as_numbers(s)
    large = np.sqrt(1 + s**2) + np.abs(s)
    up = np.where(s > 0, 1 / large, large)  # of probability 1/(1 + up^2)
    chance = 1 / (1 + up**2)
    count, factorials = np.arange(size + 1.0), log_factorials(size, is_precise(s))
    ways = factorials[-1] - factorials - factorials[::-1]
    count, ways = (values.reshape(-1, *(1,) * s.ndim) for values in (count, ways))
    mass = np.exp(ways + count * np.log(chance) + (size - count) * np.log(up**2 * chance))
    return sigma_g * (count * up - (size - count) / up) / size, mass


def path_moments(
    grad: Callable, hvp: Callable, s: Callable, w, direction, alpha, steps: int, sigma_g, S: int, T: int
) -> PathMoments:
    """Exact moments for points w of shape (..., d), many problems at once if the callables broadcast.

    Parameters
    ----------
    grad, hvp : callable
        ``grad(x)`` and ``hvp(x, v)`` of the population loss, for x of shape (m, ..., d).
    s : callable
        The parameter of the law at points (m, ..., d), shape (m, ...).
    direction : array (d,)
        The unit vector e.
    alpha, sigma_g : number or array (...)
        Step size and noise of one sample.
    S, T : int
        Samples per inner gradient and of the final gradient.
    """
    w, direction, rate = as_numbers(w), as_numbers(direction), as_numbers(alpha)[..., None]
    exact, noisy, mass = [w[None]], [w[None]], np.ones((1, *w.shape[:-1]))
    for _ in range(steps):
        exact.append(exact[-1] - rate * grad(exact[-1]))
        values, chances = outcomes(sigma_g, s(noisy[-1]), S)
        ahead = noisy[-1] - rate * grad(noisy[-1]) - rate * (values[..., None] * direction)
        mass = (mass * chances).reshape(-1, *w.shape[:-1])
        # the outcomes of the last step vary slowest; earlier points are repeated to match
        noisy = [np.concatenate([point] * (S + 1)) for point in noisy] + [ahead.reshape(-1, *w.shape)]

    def meta(path, vector):
        for point in path[-2::-1]:
            vector = vector - rate * hvp(point, vector)
        return vector

    gradient = meta(exact, grad(exact[-1]))
    found = meta(noisy, grad(noisy[-1]))
    along = meta(noisy, np.broadcast_to(direction, noisy[-1].shape))
    error = noisy[-1] - exact[-1]
    square = np.vecdot(found, found) + as_numbers(sigma_g) ** 2 / T * np.vecdot(along, along)
    return PathMoments(
        path_bias=np.sum(mass[..., None] * error, axis=0),
        path_first=np.sum(mass * np.linalg.norm(error, axis=-1), axis=0),
        path_second=np.sum(mass * np.vecdot(error, error), axis=0),
        gradient=gradient[0],
        bias=np.sum(mass[..., None] * (found - gradient), axis=0),
        second_moment=np.sum(mass * square, axis=0),
    )
