"""The function of one variable whose curvature rises like a ramp from a kink, up to a plateau."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ramp:
    """h with ``h''(t) = rho min(|t|, radius)`` and ``h(0) = h'(0) = 0``, elementwise and to full relative precision."""

    rho: float
    radius: float

    def _split(self, t):
        """The part of a distance t within the radius, and what is beyond."""
        near = np.clip(t, -self.radius, self.radius)
        return near, t - near

    @property
    def corners(self) -> np.ndarray:
        """Where the curvature has corners."""
        return self.radius * np.array([-1.0, 0.0, 1.0])

    def value(self, t):
        near, beyond = self._split(t)
        steepness = np.abs(near)
        return self.rho * steepness * (near**2 / 6 + np.abs(near * beyond) / 2 + beyond**2 / 2)

    def slope(self, t):
        near, beyond = self._split(t)
        return self.rho * np.abs(near) * (near / 2 + beyond)

    def curvature(self, t):
        return self.rho * np.abs(self._split(t)[0])

    def change(self, t, s):
        """``h'(t + s) - h'(t)``.

        The part of the way from t to t + s that lies in [-r, r] is ``inside``; there h' is ``rho y|y|/2``, elsewhere
        its slope is ``rho r``.
        """
        r = self.radius
        inside = np.clip(s, -r - t, r - t) - np.clip(0.0, -r - t, r - t)
        start = np.clip(t, -r, r)
        end = start + inside
        one_side = inside * np.abs(start + end)
        change = np.where(start * end >= 0, one_side, np.sign(inside) * (start**2 + end**2))
        return self.rho * (change / 2 + r * (s - inside))

    def second_difference(self, t, s):
        """``h(t + s) + h(t - s) - 2h(t)``.

        Even in t and s, so take both >= 0. Large s: nothing cancels. Small s: ``h''/rho`` is ``|y| - (|y| - r)_+`` if
        t <= r, else ``r - (r - |y|)_+``, and the second difference of ``(y - a)_+^3 / 6`` is ``s^2 (t - a)``, 0 or
        ``(t - a + s)^3 / 6``.
        """
        r = self.radius
        t, s = np.broadcast_arrays(np.abs(t), np.abs(s))
        wide = self.value(t + s) + self.value(s - t) - 2 * self.value(t)
        ramp = np.where(s <= t, 6 * t * s**2, 2 * s**3 + 6 * t**2 * s - 2 * t**3)
        near = ramp - np.maximum(s + t - r, 0) ** 3 - np.maximum(s - t - r, 0) ** 3
        x = s - t
        tent = np.where(x >= r, 6 * x * r**2, np.maximum(x + r, 0) ** 3 - 2 * np.maximum(x, 0) ** 3)
        far = 6 * r * s**2 - tent
        return np.where(s >= 2 * t, wide, self.rho * np.where(t <= r, near, far) / 6)
