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
:math:`\Delta` is about :math:`\Delta` over the variance; a geometric grid is never far from it. A stake of 0 is one,
too, chosen without looking at the number that it is for: from some number on only the stakes around the one that has
earned most so far are paid for (`Bets.narrow`), and :math:`n_k` counts the numbers that stake k was bet on.

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
a grid of :math:`\lambda` it grows with :math:`\|\mu\|`; the value that makes it :math:`1/\delta` is an upper limit. A
number that is larger than the eigenvalue serves as well: an s for which :math:`sI` less the sum is positive definite.

*With fewer outer products.* Let the sum leave out replicates with :math:`\|Y_i - z_i\| \le \rho C`, but of m in a
row, with one centre, count one, if it is such, m times. Write B for the indicator that one is such, :math:`x =
\lambda\rho`, :math:`\kappa = (e^x - 1 - x)/\rho^2`. Since :math:`(e^y - 1 - y)/y^2` grows with y, a replicate that is
left out if it can be has

.. math:: Ee^{\lambda\xi - \psi(\lambda)\xi^2(1-B)} \le 1 + \lambda E\xi + \kappa E\xi^2B
          \le e^{\lambda E\xi + \kappa E\xi^2B} .

For the one that is counted let :math:`a = (m-1)\kappa`, :math:`t = a\rho^2/(1-x) < 1`, :math:`\psi_m =
(\psi(x) - \log(1-t))/\rho^2`. Where :math:`|\xi| \le \rho`, :math:`1 + \lambda\xi - a\xi^2 \ge (1 +
\lambda\xi)(1 - t\xi^2/\rho^2)` and :math:`\log(1 - ts) \ge s\log(1-t)`, :math:`0 \le s \le 1`; so

.. math:: Ee^{\lambda\xi - \psi_m\xi^2B - \psi(\lambda)\xi^2(1-B)} \le 1 + \lambda E\xi - aE\xi^2B
          \le e^{\lambda E\xi - aE\xi^2B} .

The product over the m is at most :math:`e^{m\lambda E\xi}`. For m = `EVERY`, :math:`\rho` = `NEAR`,
:math:`\psi_m \le m\psi(\lambda)` at every slope: the limit is the same formula, with this sum.

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

AGREE = 1e-14
"""Numbers that differ by less than this fraction of their mean agree: their sum is rounded."""

TUNED = 512
"""The number of replicates at which asymptotic limits are closest; below it they are wide on purpose."""

SLOPES = 0.75 * 2.0 ** -np.arange(STAKES)

SQUARE_SLOPES = 4 * 2.0 ** np.arange(1.0 - STAKES, 1)
"""In units of the root of the bound of the mean square."""

WINDOW = np.arange(-2, 2)
"""Stakes that are kept, from the best one on: with more numbers smaller stakes are best."""

NARROW = 8
"""The number of the block from which on only those are kept."""

EVERY, NEAR = 16, 0.25
"""Of so many replicates in a row one is seen, of those that are so near to their centre, in units of C."""

LARGE, POWERS, MARGIN = 128, 32, 0.01
"""From so many entries on a largest eigenvalue is bounded, from so many powers and to this margin."""

ROUNDS = 60


class Bets:
    """The sums ``S_k`` so far, with their counts, and the stakes that are bet on the next numbers.

    Parameters
    ----------
    stakes : array (cells, STAKES)
        In growing order.
    """

    def __init__(self, stakes: np.ndarray, counts=0.0, sums=0.0):
        self.stakes, self.counts, self.sums = stakes, np.full(stakes.shape, counts), np.full(stakes.shape, sums)
        self.kept: tuple = (slice(None), slice(None))

    @property
    def offered(self) -> np.ndarray:
        """The stakes to be bet on the next numbers, (cells, fewer)."""
        return self.stakes[self.kept]

    def add(self, count: int, sums: np.ndarray) -> None:
        """Take in `logs` of ``count`` numbers at the stakes that are offered."""
        self.counts[self.kept] += count
        self.sums[self.kept] += sums

    def earned(self, m: np.ndarray) -> np.ndarray:
        """The logarithms of what each has made of 1 if the mean is m (..., cells): (..., cells, STAKES)."""
        return self.sums - self.counts * np.log1p(self.stakes * m[..., None])

    def earned_on_squares(self, square: np.ndarray, m: np.ndarray, sign: int) -> np.ndarray:
        """The same of bets on numbers whose mean square is at most ``square``; ``sign`` as in `limits_of_squares`."""
        return self.sums - self.counts * np.log(self.grown_on_squares(square, m, sign))

    def grown_on_squares(self, square: np.ndarray, m: np.ndarray, sign: int) -> np.ndarray:
        """What a bet is at most expected to make of 1."""
        return 1 + self.stakes**2 * square[:, None] / 2 - sign * self.stakes * m[..., None]

    def narrow(self, earned: np.ndarray) -> None:
        """Keep the stakes around the one that has earned most, (cells, STAKES)."""
        last = self.stakes.shape[-1] - 1 - WINDOW[-1]
        best = np.clip(np.argmax(earned, axis=-1), -WINDOW[0], last)
        self.kept = np.arange(len(best))[:, None], best[:, None] + WINDOW


def stakes(scale: np.ndarray, reach: float = 2.0**10) -> np.ndarray:
    """A grid of stakes for each cell, (cells, STAKES), from ``1/(reach scale)`` to ``reach/scale``.

    Parameters
    ----------
    scale : array (cells,), > 0
        The size of the numbers: their ceiling, or of what has none the mean.
    """
    scale = np.asarray(scale, dtype=float)
    return np.geomspace(1 / (reach * scale), reach / scale, STAKES, axis=-1)


def square_slopes(size: np.ndarray) -> np.ndarray:
    """A grid of slopes for each cell, (cells, STAKES); ``size`` (cells,): the root of the bound of the mean square."""
    return SQUARE_SLOPES / size[:, None]


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


def lower_limit(bets: Bets, level, start: np.ndarray) -> np.ndarray:
    """The largest m with ``W_n(m) >= 1/level``, or ``start`` where that is larger; shaped like ``start``, (..., cells).

    Axes of ``level`` and ``start`` before the cells serve several levels at once.
    ``log W_n`` is convex and falls, so Newton's method from the left stays on the left: every iterate is a limit.
    """
    target = np.log(STAKES / np.asarray(level, dtype=float))

    def excess(m):
        return _log_sum(bets.earned(m), bets.counts * bets.stakes / (1 + bets.stakes * m[..., None]), target)

    return _climb(excess, start)


def limits_of_squares(bets: Bets, square: np.ndarray, level, start, sign: int):
    """The limit of a mean whose mean square is at most ``square`` (cells,), or ``start`` where that is closer.

    ``sign`` is 1 for the upper limit, where ``start`` is at most the root of ``square``, and -1 for the lower one.
    """
    target = np.log(STAKES / np.asarray(level, dtype=float))

    def excess(away):  # convex and falling in the distance from the start, on the far side of the limit
        m = start - sign * away
        slopes = bets.counts * bets.stakes / bets.grown_on_squares(square, m, sign)
        return _log_sum(bets.earned_on_squares(square, m, sign), slopes, target)

    return start - sign * _climb(excess, np.zeros(start.shape))


def counted(distances: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which replicates are seen where outer products are dear, and what each of theirs counts.

    Parameters
    ----------
    distances : array (n, cells)
        From their centres.
    reach : array (cells,)
        C, which no distance exceeds.

    Returns
    -------
    seen : array (fewer,)
        Numbers of replicates.
    weights : array (fewer, cells)
    """
    far = distances > NEAR * reach
    strided = np.arange(len(far)) % EVERY == 0
    chosen = np.flatnonzero(far.any(1) | strided)
    return chosen, np.where(far[chosen], 1, np.where(strided[chosen], EVERY, 0)[:, None])


def largest_eigenvalues(grams: np.ndarray) -> np.ndarray:
    """Bounds of the largest eigenvalues of Gram matrices (cells, m, m), from above.

    Those of large matrices are ``MARGIN`` larger: ``s I - G`` has a Cholesky factor, with s from powers of G, which
    costs half of what eigenvalues do. Where it has none they are worked out.
    """
    if grams.shape[-1] < LARGE:
        return np.linalg.eigvalsh(grams)[:, -1]
    vectors = grams.sum(-1, keepdims=True)
    for _ in range(POWERS):
        vectors = grams @ vectors
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    bounds = np.linalg.norm(grams @ vectors, axis=1)[:, 0] * (1 + MARGIN)
    rest = -grams
    np.einsum("cmm->cm", rest)[...] += bounds[:, None]
    try:
        np.linalg.cholesky(rest)
    except np.linalg.LinAlgError:
        return np.linalg.eigvalsh(grams)[:, -1]
    return bounds


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
    drag = (-np.log1p(-SLOPES) - SLOPES) * (largest / reach**2)[:, None]
    target = np.log(STAKES / np.asarray(level, dtype=float))

    def excess(below):  # convex and falling in the distance below a point beyond the limit
        terms = count * slopes * (top - below)[..., None] - drag
        return _log_sum(terms, count * slopes, target)

    # With one slope alone the limit would be this; the average of all reaches 1/level before any of them does.
    top = np.min((target[..., None] + drag) / (count * slopes), axis=-1)
    return norm + top - _climb(excess, np.zeros(top.shape))


def normal_reach(count: int, squares: np.ndarray, level) -> np.ndarray:
    """How far the mean of numbers can be from that of the sample, on one side and at any sample size from LEAST on.

    In the normal approximation: with V the sum of squared deviations, ``sqrt(r/(r+V)) exp(x^2/(2(r+V)))`` is at most
    the average of ``exp(s x - s^2 V/2)`` over a half-normal slope s. It is 1/level at this distance, for r = TUNED
    times the variance.
    """
    grown = 1 + count / TUNED
    return np.sqrt(2 * squares * (1 + TUNED / count) * np.log(np.sqrt(grown) / np.asarray(level, dtype=float))) / count


def normal_upper(mean: np.ndarray, count: int, squares: np.ndarray, level) -> np.ndarray:
    """The upper limit of a mean, or of a norm, at that distance; inf before there are LEAST numbers.

    Where all numbers agree, to rounding, there is none: an event too rare to be drawn would not show.
    """
    reach = normal_reach(count, squares, level) if count >= LEAST else np.full(np.shape(level), np.inf)
    return mean + np.where(agree(mean, count, squares), np.inf, reach)


def agree(mean: np.ndarray, count: int, squares: np.ndarray) -> np.ndarray:
    """Whether all numbers (or vectors, of norm about ``mean``) are one, to rounding."""
    return ~(squares > count * (AGREE * mean) ** 2)


def _log_sum(terms, slopes, target):
    peak = np.maximum.reduce(terms, axis=-1)
    weights = np.exp(terms - peak[..., None])
    total = np.add.reduce(weights, axis=-1)
    return peak + np.log(total) - target, np.vecdot(weights, slopes) / total


def _climb(excess, start):
    """Newton's method from the left for the zero of a convex, falling function; ``excess`` gives value and -slope."""
    m = np.array(start, dtype=float)
    for _ in range(ROUNDS):
        value, slope = excess(m)
        step = np.divide(value, slope, out=np.zeros(m.shape), where=(value > 0) & (slope > 0))
        m += step
        if not np.any(step > 1e-6 * np.abs(m)):
            break
    return m
