"""Sine and cosine by half angles, against NumPy's."""

import numpy as np
import pytest

from maml_bench.problems import circular

ROUNDING = 2 * np.finfo(float).eps
VALUES = [
    (circular.sine, np.sin),
    (circular.cosine, np.cos),
    (circular.half_sine, lambda half: np.sin(2 * half) / 2),
    (circular.double_cosine, lambda half: np.cos(2 * half)),
]


@pytest.mark.parametrize("by_tangent", [True, False])
@pytest.mark.parametrize(("ours", "numpys"), VALUES)
def test_values(ours, numpys, by_tangent, monkeypatch):
    monkeypatch.setattr(circular, "BY_TANGENT", by_tangent)
    monkeypatch.setattr(circular, "CHUNK", 1000)
    quarters = np.pi / 2 * np.arange(-40.0, 41)
    special = [quarters, np.nextafter(quarters, 9), np.nextafter(quarters, -99), [1e300, -1e16]]
    x = np.concatenate([np.linspace(-50, 50, 4321), *special])
    found = ours(x.copy())
    assert np.abs(found - numpys(x)).max() <= ROUNDING
    assert np.isnan(ours(np.array([np.nan]))).all()


@pytest.mark.parametrize("by_tangent", [True, False])
def test_differences(by_tangent, monkeypatch):
    monkeypatch.setattr(circular, "BY_TANGENT", by_tangent)
    angle, half = (
        np.linspace(-4, 4, 9)[:, None],
        np.concatenate([np.linspace(-9, 9, 500), np.pi * np.arange(-3, 4) / 2]),
    )
    amplitude = np.linspace(-2, 2, 9)[:, None]
    h = np.broadcast_to(half, (9, len(half)))
    found = circular.sine_rise(angle / 2, amplitude)(h.copy())
    assert np.abs(found - amplitude * (np.sin(angle + 2 * h) - np.sin(angle))).max() <= 10 * ROUNDING
    assert np.abs(circular.squared_sine(half.copy()) - np.sin(half) ** 2).max() <= ROUNDING


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_whatever_the_order_of_the_axes_the_argument_is_written_over(order, monkeypatch):
    monkeypatch.setattr(circular, "BY_TANGENT", True)
    monkeypatch.setattr(circular, "CHUNK", 7)
    x = np.arange(60.0).reshape(3, 4, 5).transpose(order)
    expected = np.sin(x)
    assert circular.sine(x) is x
    assert np.abs(x - expected).max() <= ROUNDING


def test_gaps_in_memory_are_refused(monkeypatch):
    monkeypatch.setattr(circular, "BY_TANGENT", True)
    with pytest.raises(AssertionError, match="gaps"):
        circular.sine(np.ones((4, 6))[:, ::2])
