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
    angle *= 0.5
    half_sine(angle)
    angle *= 2
    return angle


def cosine(angle: np.ndarray) -> np.ndarray:
    """``cos(angle)``, in its place, as `sine`."""
    angle *= 0.5
    return double_cosine(angle)


def half_sine(half: np.ndarray) -> np.ndarray:
    """``sin(2 half)/2 = t/(1 + t^2)``, in its place, as `sine`: what scales the argument and the result has no pass of
    its own.
    """
    if not BY_TANGENT or half.dtype == object:
        half *= 2
        np.sin(half, out=half)
        half *= 0.5
        return half
    for tangent, square in _tangents(half):
        np.divide(tangent, square, out=tangent)
    return half


def double_cosine(half: np.ndarray) -> np.ndarray:
    """``cos(2 half)``, in its place, as `sine`."""
    if not BY_TANGENT or half.dtype == object:
        half *= 2
        return np.cos(half, out=half)
    for tangent, square in _tangents(half):
        np.divide(2, square, out=tangent)
        tangent -= 1
    return half


def sine_rise(start: np.ndarray, amplitude: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The function of h, written over it, ``amplitude [sin(2 (start + h)) - sin(2 start)]``.

    With ``t = tan h`` it is ``t (E - t O)/(1 + t^2)``, E and O twice the cosine and the sine times the amplitude. The
    shape of h is that of the result.
    """
    if not BY_TANGENT:
        before = np.sin(2 * start)

        def rise(half):
            half += start
            half *= 2
            np.sin(half, out=half)
            half -= before
            half *= amplitude
            return half

        return rise
    begun = np.tan(start)
    even = 4 * amplitude / (1 + begun * begun)
    odd = begun * even
    even -= 2 * amplitude

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


def _tangents(half):
    """One part of the half angles after the other: ``t``, in their place, and ``1 + t^2``."""
    flat = half.ravel(order="K")
    assert np.may_share_memory(flat, half), "a view of an array with gaps cannot be written over"
    for first in range(0, flat.size, CHUNK):
        tangent = flat[first : first + CHUNK]
        np.tan(tangent, out=tangent)
        square = tangent * tangent
        square += 1
        yield tangent, square
