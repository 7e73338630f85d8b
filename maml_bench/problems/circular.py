"""Sine and cosine written over their argument: where NumPy's tangent is vector code, four times as fast as NumPy's own.

With ``t = tan(x/2)``: ``sin x = 2t/(1 + t^2)`` and ``cos x = 2/(1 + t^2) - 1``, each to within two units in the last
place of 1, however large x is. On some processors NumPy takes many tangents at a time, but one sine after the other.

Differences are taken before they are lost: ``sin(x + 2h) - sin x = 2 sin h cos(x + h)`` and ``cos(x + 2h) + cos(x - 2h)
- 2 cos x = -4 sin^2 h cos x``, each by one tangent, of h.
"""

from collections.abc import Callable

import numpy as np

CHUNK = 2**15
"""Numbers worked on at a time: what stands between two steps stays in the cache, and calls count little."""


def _vectorized() -> bool:
    found = np.lib.introspect.opt_func_info(func_name="^tan$").get("tan", {})
    return not found.get("dd", {}).get("current", "baseline").startswith("baseline")


BY_TANGENT = _vectorized()


def sine(angle: np.ndarray) -> np.ndarray:
    """``sin(angle)``, in its place: an array without gaps in memory, whatever the order of its axes."""
    if not BY_TANGENT or angle.dtype == object:
        return np.sin(angle, out=angle)
    for tangent, square in _halves(angle):
        np.divide(tangent, square, out=tangent)
        tangent *= 2
    return angle


def cosine(angle: np.ndarray) -> np.ndarray:
    """``cos(angle)``, in its place, as `sine`."""
    if not BY_TANGENT or angle.dtype == object:
        return np.cos(angle, out=angle)
    for tangent, square in _halves(angle):
        np.divide(2, square, out=tangent)
        tangent -= 1
    return angle


def sine_rise(angle: np.ndarray, amplitude: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The function of h, written over it, ``amplitude (sin(angle + 2h) - sin(angle))``.

    With ``t = tan h`` it is ``t (E - t O)/(1 + t^2)``, E and O twice the cosine and the sine times the amplitude. The
    shape of h is that of the result.
    """
    if not BY_TANGENT:
        start = np.sin(angle)

        def rise(half):
            half *= 2
            half += angle
            np.sin(half, out=half)
            half -= start
            half *= amplitude
            return half

        return rise
    even, odd = (2 * amplitude * function(angle.copy("K")) for function in (cosine, sine))

    def rise_by_tangent(half):
        tangent = np.tan(half, out=half)
        wave = odd * tangent
        np.subtract(even, wave, out=wave)
        wave *= tangent
        tangent *= tangent
        tangent += 1
        wave /= tangent
        return wave

    return rise_by_tangent


def squared_sine(angle: np.ndarray) -> np.ndarray:
    """``sin(angle)^2``, in its place: ``t^2/(1 + t^2)`` with ``t = tan(angle)``."""
    if not BY_TANGENT:
        np.sin(angle, out=angle)
        angle *= angle
        return angle
    np.tan(angle, out=angle)
    angle *= angle
    angle /= 1 + angle
    return angle


def _halves(angle):
    """One part of the angles after the other: ``t``, in their place, and ``1 + t^2``."""
    flat = angle.ravel(order="K")
    assert np.may_share_memory(flat, angle), "a view of an array with gaps cannot be written over"
    for first in range(0, flat.size, CHUNK):
        tangent = flat[first : first + CHUNK]
        tangent *= 0.5
        np.tan(tangent, out=tangent)
        square = tangent * tangent
        square += 1
        yield tangent, square
