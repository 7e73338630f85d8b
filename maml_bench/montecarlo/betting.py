r"""Certified limits of a mean, valid at every sample size at once: bets against every smaller mean.

*A mean of nonnegative numbers.* Let :math:`Y_i \ge 0` be independent with mean :math:`\mu`. Then
:math:`\prod_i (1 + cY_i)/(1 + c\mu)` is a nonnegative martingale for each stake c > 0, and so is the average over a
grid of stakes that is fixed before the numbers are seen,

.. math:: W_n(\mu) = \frac1K\sum_k \exp\bigl(S_k - n\log(1 + c_k\mu)\bigr), \qquad S_k = \sum_{i\le n}\log(1 + c_kY_i).

By Ville's inequality it ever reaches :math:`1/\delta` with probability at most :math:`\delta`. Since :math:`W_n(m)`
falls in m, :math:`\sup\{m : W_n(m) \ge 1/\delta\}` is a lower limit of the mean for all n together, whatever the law:
no moment need exist. An upper limit needs a ceiling :math:`Y \le b`: it is b less the lower limit of the mean of
:math:`b - Y`. Nothing but n and the sums :math:`S_k` is kept, and blocks of numbers just add theirs.

The stakes decide how soon a limit closes in, never whether it is right. The best one against a mean that is off by
:math:`\Delta` is about :math:`\Delta` over the variance; a geometric grid is never far from it.

*The norm of a mean.* Let :math:`\|Y_i\| \le b`, :math:`\mu = EY`. For a direction :math:`\varphi` of dual norm 1 that
is chosen without looking at :math:`Y_i`, the number :math:`b + \langle\varphi, Y_i\rangle \ge 0` has a mean of at most
:math:`b + \|\mu\|`: its lower limit less b is one of :math:`\|\mu\|`, even if the direction changes as numbers come in.

For the upper limit let :math:`\varphi` be the fixed, unknown direction with :math:`\langle\varphi,\mu\rangle =
\|\mu\|`, :math:`z_i` a centre that is chosen without looking at :math:`Y_i`, :math:`\|Y_i - z_i\| \le C`, and
:math:`x_i = \langle\varphi, Y_i\rangle`. As :math:`\exp(\lambda\xi - \psi(\lambda)\xi^2) \le 1 + \lambda\xi` for
:math:`\xi \ge -1`, :math:`0 \le \lambda < 1`, :math:`\psi(\lambda) = -\log(1-\lambda) - \lambda`, the choice
:math:`\xi = \langle\varphi, z_i - Y_i\rangle/C` gives

.. math:: E\exp\bigl(\lambda(\|\mu\| - x_i)/C - \psi(\lambda)\langle\varphi, Y_i - z_i\rangle^2/C^2\bigr)
          \le (1 + \lambda E\xi)e^{-\lambda E\xi} \le 1 .

The product over i is at least :math:`\exp\bigl(n\lambda(\|\mu\| - \|\bar Y\|)/C - \psi(\lambda)\Lambda/C^2\bigr)` with
:math:`\Lambda` the largest eigenvalue of :math:`\sum_i(Y_i-z_i)(Y_i-z_i)^T`, whatever :math:`\varphi` is. Averaged over
a grid of :math:`\lambda` it grows with :math:`\|\mu\|`; the value that makes it :math:`1/\delta` is an upper limit.

*A bound of the mean square* in place of a ceiling: let :math:`EY^2 \le M`, the sign of Y whatever it is. As
:math:`1 - z + z^2/2 \ge \frac12`, the product of :math:`(1 - \lambda Y_i + \lambda^2Y_i^2/2)/(1 - \lambda\mu +
\lambda^2M/2)` is a nonnegative supermartingale for every slope :math:`\lambda > 0`. It stays one if the numerator is
held at its least value, 1/2, beyond :math:`\lambda Y_i = 1`, so that no outlier looks like a small number. The average
W(m) over slopes, with m for :math:`\mu`, grows with m up to :math:`\sqrt M`: the least m with :math:`W_n(m) \ge
1/\delta` is an upper limit. To second order log W gains :math:`\lambda(m - \bar Y) - \lambda^2(M - m^2)/2` a number,
as if M were the mean square itself. With -Y for Y the same product, over :math:`1 + \lambda m + \lambda^2M/2`, falls
with m and gives a lower limit.

For the norm of a mean with :math:`E\|Y_i\|^2 \le M`, :math:`x_i = \langle\varphi, Y_i\rangle` takes the place of
:math:`Y_i`. In the lower limit :math:`\varphi` is chosen from past blocks, :math:`Ex_i \le \|\mu\|`. For the upper one
:math:`\log(1 - z + z^2/2) \ge -z - |z|^3/6` for all real z: if :math:`z \ge 0`, the left side is at least -z, as
:math:`e^{-z} \le 1 - z + z^2/2`; the derivative of :math:`\log(1 + y + y^2/2)` is :math:`1 -
\frac{y^2/2}{1 + y + y^2/2} \ge 1 - y^2/2`, so at y = -z > 0 it is at least :math:`y - y^3/6`. Hence the sum of the
logarithms is at least :math:`-n\lambda\|\bar Y\| - \lambda^3\Lambda_3/6`, :math:`\Lambda_3` the largest eigenvalue of
:math:`\sum_i\|Y_i\|Y_iY_i^T`, whatever :math:`\varphi` is.

*Asymptotic limits*, for what has no ceiling: the same with the normal law's exponent, which is no bound but an
approximation for many numbers with a finite variance; nothing is said before `LEAST` of them.
"""

import numpy as np

STAKES = 15
"""Number of stakes, and of slopes."""

CHUNK = 16
"""Numbers whose factors are multiplied up before a logarithm is taken, a power of two."""

LARGEST_FACTOR = 2.0**60
"""The largest factor that `CHUNK` of them can be multiplied up without overflow."""

FLOATS = 2**16
"""Size of a temporary array."""

LEAST = 64
"""Fewest replicates of which the normal approximation is used."""

TUNED = 512
"""The number of replicates at which asymptotic limits are closest; below it they are wide on purpose."""

SLOPES = 0.75 * 2.0 ** -np.arange(STAKES)

SQUARE_SLOPES = 4 * 2.0 ** -np.arange(STAKES)
"""In units of the root of the bound of the mean square."""

ROUNDS = 60


def stakes(scale: np.ndarray, reach: float = 2.0**10) -> np.ndarray:
    """A grid of stakes for each cell, (cells, STAKES), from ``1/(reach scale)`` to ``reach/scale``.

    Parameters
    ----------
    scale : array (cells,), > 0
        The size of the numbers: their ceiling, or of what has none the mean.
    """
    scale = np.asarray(scale, dtype=float)
    return np.geomspace(1 / (reach * scale), reach / scale, STAKES, axis=-1)


def logs(numbers: np.ndarray, stakes: np.ndarray, squared: bool = False) -> np.ndarray:
    """The sums ``S_k`` over numbers >= 0, (n, cells): one for each cell and stake, (cells, STAKES).

    ``squared``: of ``log(1 - z + z^2/2)``, z the least of 1 and a stake times a number of any sign.
    """
    total = np.zeros(stakes.shape)
    rows = max(1, FLOATS // stakes.size // CHUNK) * CHUNK
    for first in range(0, len(numbers), rows):
        part = np.ascontiguousarray(numbers[first : first + rows].T)
        factors = part[:, None] * stakes[:, :, None]
        if squared:
            np.minimum(factors, 1, out=factors)
            factors *= factors / 2 - 1
        if part.shape[1] % CHUNK or np.abs(part).max() * stakes.max() > LARGEST_FACTOR ** (0.5 if squared else 1):
            total += np.log1p(factors).sum(-1)
            continue
        factors += 1
        for _ in range(CHUNK.bit_length() - 1):
            half = factors.shape[-1] // 2
            factors = np.multiply(factors[..., :half], factors[..., half:], out=factors[..., :half])
        total += np.log(factors).sum(-1)
    return total


def lower_limit(count: int, logs: np.ndarray, stakes: np.ndarray, level, start: np.ndarray) -> np.ndarray:
    """The largest m with ``W_n(m) >= 1/level``, or ``start`` where that is larger; shaped like ``start``, (..., cells).

    Axes of ``level`` and ``start`` before the cells serve several levels at once.
    ``log W_n`` is convex and falls, so Newton's method from the left stays on the left: every iterate is a limit.
    """
    target = np.log(stakes.shape[-1] / np.asarray(level, dtype=float))

    def excess(m):
        grown = 1 + stakes * m[..., None]
        terms = logs - count * np.log(grown)
        return _log_sum(terms, count * stakes / grown, target)

    return _climb(excess, start)


def limits_of_squares(count: int, logs: np.ndarray, slopes: np.ndarray, square: np.ndarray, level, start, sign: int):
    """The limit of a mean whose mean square is at most ``square`` (cells,), or ``start`` where that is closer.

    ``sign`` is 1 for the upper limit, where ``start`` is at most the root of ``square``, and -1 for the lower one.
    """
    target = np.log(STAKES / np.asarray(level, dtype=float))
    constant = 1 + slopes**2 * square[:, None] / 2

    def excess(away):  # convex and falling in the distance from the start, on the far side of the limit
        grown = constant - sign * slopes * (start - sign * away)[..., None]
        return _log_sum(logs - count * np.log(grown), count * slopes / grown, target)

    return start - sign * _climb(excess, np.zeros(start.shape))


def upper_limit_of_norm(count: int, norm: np.ndarray, largest: np.ndarray, reach: np.ndarray, level) -> np.ndarray:
    """An upper limit of the norm of a mean, (cells,), with further axes in front if ``level`` has them.

    Parameters
    ----------
    count : int
    norm : array (cells,)
        ``||mean||`` of the sample.
    largest : array (cells,)
        The largest eigenvalue of the sum of outer products about the centres.
    reach : array (cells,), > 0
        C: no number is farther than this from its centre.
    """
    slopes = SLOPES / reach[:, None]
    curvature = (-np.log1p(-SLOPES) - SLOPES) / reach[:, None] ** 2
    target = np.log(STAKES / np.asarray(level, dtype=float))

    def excess(below):  # convex and falling in the distance below a point beyond the limit
        terms = count * slopes * (top - below)[..., None] - curvature * largest[:, None]
        return _log_sum(terms, count * slopes, target)

    # With one slope alone the limit would be this; the average of all reaches 1/level before the last of them does.
    top = np.max((target[..., None] + curvature * largest[:, None]) / (count * slopes), axis=-1)
    return norm + top - _climb(excess, np.zeros(top.shape))


def normal_reach(count: int, squares: np.ndarray, level) -> np.ndarray:
    """How far the mean of numbers can be from that of the sample, on one side and at any sample size from LEAST on.

    In the normal approximation: with V the sum of squared deviations, ``sqrt(r/(r+V)) exp(x^2/(2(r+V)))`` is at most
    the average of ``exp(s x - s^2 V/2)`` over a half-normal slope s. It is 1/level at this distance, for r = TUNED
    times the variance.
    """
    grown = 1 + count / TUNED
    return np.sqrt(2 * squares * (1 + TUNED / count) * np.log(np.sqrt(grown) / np.asarray(level, dtype=float))) / count


def _log_sum(terms, slopes, target):
    peak = terms.max(-1, keepdims=True)
    weights = np.exp(terms - peak)
    total = weights.sum(-1)
    return peak[..., 0] + np.log(total) - target, (weights * slopes).sum(-1) / total


def _climb(excess, start):
    """Newton's method from the left for the zero of a convex, falling function; ``excess`` gives value and -slope."""
    m = np.array(start, dtype=float)
    for _ in range(ROUNDS):
        value, slope = excess(m)
        step = np.where(value > 0, value, 0.0) / slope
        m += step
        if not np.any(step > 1e-6 * np.abs(m)):
            break
    return m
