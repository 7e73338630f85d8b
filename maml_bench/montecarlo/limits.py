r"""Confidence limits from batch means.

Every function takes the means of G equal batches, ``(G, cells, ...)``, and a one-sided level, and returns for each
cell a value with a lower and an upper limit, each wrong with at most that probability in the normal approximation.
Limits are Student's t on the batch means: averaging inside batches makes their law nearly normal before the variance
is estimated. What skewness is left widens the limit on the side where it would fall short, by the first term of the
Cornish-Fisher expansion. So the levels are asymptotic; the study ``calibration`` checks them where truths are known.

*Norm of a mean.* A norm is a supremum of linear functionals, :math:`\|\mu\| = \langle\varphi,\mu\rangle` for a fixed,
unknown :math:`\varphi` of Frobenius norm 1 (:math:`\mu/\|\mu\|`, or :math:`uv^T` for the spectral norm). Hence
:math:`\|\bar x\| \ge \langle\varphi,\bar x\rangle`, which is normal around :math:`\|\mu\|` with variance at most
:math:`\lambda_{\max}(\Sigma)/n`: so :math:`\|\bar x\| + t\,(\lambda_{\max}/n)^{1/2}` is an upper limit, whatever the
dimension. For the lower limit :math:`\varphi` is chosen on one half of the batches and evaluated on the other, where
it is a fixed functional: :math:`\langle\hat\varphi,\mu\rangle \le \|\mu\|`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy


@dataclass(frozen=True)
class Limits:
    """A value for each cell, with a lower and an upper limit; arrays ``(cells,)``."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Limits":
        """The limits of an increasing function of the value."""
        return Limits(function(self.value), function(self.lower), function(self.upper))

    def widened(self, factor: float) -> "Limits":
        """Limits ``factor`` times as far from the value; those of a quantity that is not negative stay so."""
        below = self.value - factor * (self.value - self.lower)
        least = np.where(self.lower >= 0, 0.0, -np.inf)
        return Limits(self.value, np.maximum(below, least), self.value + factor * (self.upper - self.value))


def _student(batches: np.ndarray, level: float) -> Limits:
    """Limits of the mean of scalars ``(G, ...)``."""
    mean = batches.mean(0)
    error = batches.std(0, ddof=1) / np.sqrt(len(batches))
    skewness = _skewness(batches)
    return Limits(
        mean, mean - _quantile(batches, level, -skewness) * error, mean + _quantile(batches, level, skewness) * error
    )


def _skewness(batches: np.ndarray) -> np.ndarray:
    deviations = batches - batches.mean(0)
    spread = np.mean(deviations**2, axis=0) ** 1.5
    return np.divide(np.mean(deviations**3, axis=0), spread, out=np.zeros_like(spread), where=spread > 0)


def _quantile(batches: np.ndarray, level: float, skewness: np.ndarray) -> np.ndarray:
    """Student's quantile, widened for a mean that falls short because the law of the batches has a long tail."""
    count = len(batches)
    z = -scipy.special.stdtrit(count - 1, level)
    # Cornish-Fisher for the t statistic; twice the standard error of the estimated skewness is added to it.
    worst = np.maximum(skewness + 2 * np.sqrt(6 / count), 0)
    return z + worst * (2 * z**2 + 1) / (6 * np.sqrt(count))


def mean(batches: np.ndarray, level: float) -> Limits:
    """Limits of a mean; ``batches`` has shape (G, cells)."""
    return _student(batches, level)


def root_mean(batches: np.ndarray, level: float) -> Limits:
    """Limits of the square root of a nonnegative mean; ``batches`` has shape (G, cells)."""
    return _student(batches, level).map(lambda x: np.sqrt(np.maximum(x, 0)))


def norm_of_mean(batches: np.ndarray, level: float) -> Limits:
    """Limits of the Euclidean norm of a mean; ``batches`` has shape (G, cells, d). The Frobenius norm after flattening.

    The value is the root of the U-statistic of ||mu||^2, which is unbiased for the square.
    """
    return _norm_of_mean(batches, level, _unit)


def spectral_norm_of_mean(batches: np.ndarray, level: float) -> Limits:
    """Limits of the spectral norm of a mean matrix; ``batches`` has shape (G, cells, m, d)."""
    return _norm_of_mean(batches, level, _singular_pair)


def _unit(mean: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(mean)
    return mean / size if size > 0 else mean


def _singular_pair(mean: np.ndarray) -> np.ndarray:
    u, _, vt = np.linalg.svd(mean)
    return np.outer(u[:, 0], vt[0])


def _norm_of_mean(batches, level, norming) -> Limits:
    cells = [_one_norm(batches[:, cell], level, norming) for cell in range(batches.shape[1])]
    return Limits(*(np.array(column) for column in zip(*cells, strict=True)))


def _one_norm(batches, level, norming):
    count = len(batches)
    center = batches.mean(0)
    norm = np.vdot(norming(center), center)
    flat = (batches - center).reshape(count, -1)
    gram = flat @ flat.T if count <= flat.shape[1] else flat.T @ flat
    largest = np.linalg.eigvalsh(gram)[-1] / (count - 1)
    along = np.tensordot(batches, norming(center), axes=batches.ndim - 1)
    upper = norm + float(_quantile(along, level, _skewness(along))) * np.sqrt(max(largest, 0.0) / count)

    halves = batches[0::2], batches[1::2]
    across = [
        np.tensordot(second, norming(first.mean(0)), axes=second.ndim - 1) for first, second in (halves, halves[::-1])
    ]
    lower = float(_student(across[0], level).lower)
    if norming is _unit:
        square = norm**2 - np.trace(gram) / (count - 1) / count
        value = np.sqrt(max(square, 0.0))
    else:
        value = max((across[0].mean() + across[1].mean()) / 2, 0.0)
    lower = max(lower, 0.0)
    return min(max(value, lower), upper), lower, upper
