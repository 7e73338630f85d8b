"""A problem that attains Proposition 1: curvature -1 on every point of the inner path, with a kink there.

In one dimension let ``l''(x) = -1 + min(|x - p_j|, width)`` near the points ``p_0 = 0, p_1, ..., p_N`` of the inner
path from 0, and ``-1 + width`` elsewhere: L = 1 and rho = 1, and no derivative of l'' exists. For width -> 0 gradients
grow by ``1 + alpha`` at every step. When the start moves, the curvature at all points of the path rises at the rate
rho, and all terms of the derivative of the meta gradient have one sign: their sum is ``q^(2N) L + (rho/L) q^(2N-1)
(q^N - 1) ||l'(0)||``, the L_w of Proposition 1, which is attained up to O(width).
"""

from dataclasses import dataclass

import numpy as np

from analytic.regularity import Regularity


@dataclass(frozen=True, eq=False)
class Sawtooth:
    """One task with kinks at ``points``, more than 2 width apart, from right to left; ``slope`` is l'(0)."""

    points: np.ndarray  # (N + 1,)
    slope: float
    width: float

    dim = 1
    batch_shape = ()

    @property
    def regularity(self):
        return Regularity(L=1.0, rho=1.0, sigma=0.0)

    @classmethod
    def along_path(cls, alpha: float, steps: int, slope: float, width: float) -> "Sawtooth":
        """The kinks on the inner path from 0. ``alpha slope`` must exceed 2 width."""
        if not alpha * slope > 2 * width > 0:
            raise ValueError(f"alpha slope = {alpha * slope:g}: must exceed 2 width = {2 * width:g} > 0")
        points = np.zeros(1)
        for _ in range(steps):
            last = points[-1:]
            points = np.append(points, last - alpha * cls(points, slope, width).grad(last))
        return cls(points, slope, width)

    def __getitem__(self, index):
        raise IndexError("there is one task only")

    def sample(self, rng, w, size): ...  # no noise

    def _depth(self, w):
        """How far the curvature is below its plateau: tents of height ``width``."""
        return np.maximum(self.width - np.abs(w[..., :1] - self.points), 0.0)

    def _area(self, w):
        """Integral of the tents up to w."""
        t = np.clip((w[..., :1] - self.points) / self.width, -1, 1)
        return self.width**2 * (0.5 + t - t * np.abs(t) / 2)

    def loss(self, w, sample=None):
        t = w[..., :1] - self.points
        inner = np.clip(t / self.width, -1, 1)
        volume = (1 + inner) ** 2 / 4 - np.abs(inner) ** 3 / 6 + inner**2 / 4 - 1 / 12
        tents = self.width**3 * volume + self.width**2 * np.maximum(t - self.width, 0.0)
        start = self.slope + self._area(np.zeros(1)).sum()
        return start * w[..., 0] + (self.width - 1) / 2 * w[..., 0] ** 2 - tents.sum(-1)

    def grad(self, w, sample=None):
        tents = (self._area(w) - self._area(np.zeros(1))).sum(-1, keepdims=True)
        return self.slope + (self.width - 1) * w - tents

    def hess(self, w, sample=None):
        return (self.width - 1 - self._depth(w).sum(-1))[..., None, None]

    def hvp(self, w, v, sample=None):
        return self.hess(w)[..., 0] * v
