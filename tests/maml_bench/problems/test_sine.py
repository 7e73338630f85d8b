"""The network of the sine tasks against 50-digit arithmetic on a loss written down once more."""

import mpmath as mp
import numpy as np
import pytest

from maml_bench.problems.network import ReluNetwork
from maml_bench.problems.sine import NETWORK, SineRegression


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def loss(w, x, y):
    """Mean squared error of 1-40-40-1, weight by weight, in the arithmetic of mpmath."""
    one, two = w[:80], w[80:1720]
    matrix, bias, last = two[:1600], two[1600:], w[1720:]
    total = mp.mpf(0)
    for point, value in zip(x, y, strict=True):
        hidden = [max(one[k] * point + one[40 + k], mp.mpf(0)) for k in range(40)]
        hidden = [max(mp.fdot(matrix[40 * k : 40 * k + 40], hidden) + bias[k], mp.mpf(0)) for k in range(40)]
        total += (mp.fdot(last[:40], hidden) + last[40] - value) ** 2
    return total / len(x)


def exact(values):
    return [mp.mpf(float(value)) for value in values]


@pytest.mark.parametrize("seed", range(2))
def test_loss_gradient_and_hessian_to_rounding(seed):
    rng = np.random.default_rng(seed)
    task = SineRegression.random(rng, 1, points=4)[0]
    w = NETWORK.initial(rng) + 0.05 * rng.standard_normal(NETWORK.dim)  # biases too
    u, v = rng.standard_normal((2, NETWORK.dim))
    with mp.workdps(60):
        point, a, b = exact(w), exact(u), exact(v)
        x, y, h = exact(task.x), exact(task.y), mp.mpf(10) ** -20

        def at(s, t):
            return loss([p + s * h * q + t * h * r for p, q, r in zip(point, a, b, strict=True)], x, y)

        value = float(at(0, 0))
        slope = float((at(1, 0) - at(-1, 0)) / (2 * h))
        bend = float((at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h**2))
    assert task.loss(w) == pytest.approx(value, rel=1e-13)
    assert task.grad(w) @ u == pytest.approx(slope, rel=1e-12)
    assert task.hvp(w, v) @ u == pytest.approx(bend, rel=1e-11)


def test_gradient_by_complex_steps_in_every_kind_of_parameter(rng):
    network = ReluNetwork((2, 5, 4, 3))
    w, x = network.initial(rng) + 0.1 * rng.standard_normal(network.dim), rng.standard_normal((6, 2))
    pull = rng.standard_normal((6, 3))

    def value(w):
        (A, a), (B, b), (C, c) = network.layers(w)
        out = x
        for matrix, bias in ((A, a), (B, b)):
            out = out @ matrix.T + bias
            out = out * (out.real > 0)
        return np.sum(pull * (out @ C.T + c) ** 3)

    step = 1e-30j * np.eye(network.dim)
    expected = np.array([value(w + row).imag for row in step]) * 1e30
    np.testing.assert_allclose(network.gradient(w, x, lambda out: 3 * pull * out**2), expected, rtol=1e-12)


def test_many_points_are_worked_on_by_blocks(rng):
    tasks = SineRegression.random(rng, 3, points=50)  # the activations of five points fit the cache
    w, v = rng.standard_normal((12, 1, NETWORK.dim)), rng.standard_normal((12, 3, NETWORK.dim))
    each = [(tasks.grad(a), tasks.hvp(a, b)) for a, b in zip(w, v, strict=True)]
    for found, expected in zip((tasks.grad(w), tasks.hvp(w, v)), zip(*each, strict=True), strict=True):
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-12, atol=1e-12)


def test_layout_of_the_parameter():
    w = np.arange(NETWORK.dim, dtype=float)
    (A, a), (B, b), (C, c) = NETWORK.layers(w)
    assert NETWORK.dim == 1761
    assert (A[3, 0], a[0, 3], B[2, 5], b[0, 7], C[0, 39], c[0, 0]) == (3, 43, 80 + 85, 1687, 1759, 1760)


def test_every_batch_axis_is_the_same_as_a_loop(rng):
    tasks = SineRegression.random(rng, (2, 3), points=5)
    w, v = rng.standard_normal((4, 1, 3, NETWORK.dim)), rng.standard_normal((4, 2, 1, NETWORK.dim))
    together = tasks.loss(w), tasks.grad(w), tasks.hvp(w, v)
    for k, i, j in np.ndindex(4, 2, 3):
        task, point = tasks[i, j], w[k, 0, j]
        alone = task.loss(point), task.grad(point), task.hvp(point, v[k, i, 0])
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[k, i, j], b, rtol=1e-11, atol=1e-11)


def test_a_network_without_hidden_layers_has_the_hessian_of_least_squares(rng):
    network, x = ReluNetwork((3, 1)), rng.standard_normal((7, 3))
    w, v = rng.standard_normal((2, 1, network.dim)), rng.standard_normal((5, 1, 1, network.dim))
    design = np.column_stack([x, np.ones(7)])
    product = network.hvp(w, v, x, lambda out: out, lambda out, change: change)
    np.testing.assert_allclose(product, np.broadcast_to(v @ design.T @ design, (5, 2, 1, 4)), rtol=1e-12)


def test_initial_weights_have_variance_two_over_fan_in(rng):
    w = NETWORK.initial(rng, (400,))
    (A, a), (B, b), (C, c) = NETWORK.layers(w)
    for matrix, fan_in in ((A, 1), (B, 40), (C, 40)):
        scaled = np.square(matrix).reshape(-1) * fan_in / 2  # chi-squared, variance 2
        assert abs(scaled.mean() - 1) < 5 * np.sqrt(2 / scaled.size)
    assert not a.any() and not b.any() and not c.any()


@pytest.mark.by_chance(2e-6)
def test_tasks_are_sinusoids_in_the_published_ranges(rng):
    tasks = SineRegression.random(rng, 2000, points=6)
    # y = p sin x - q cos x with A = (p^2 + q^2)^(1/2), phi = atan2(q, p).
    design = np.stack([np.sin(tasks.x), -np.cos(tasks.x)], axis=-1)
    p, q = np.moveaxis((np.linalg.pinv(design) @ tasks.y[..., None])[..., 0], -1, 0)
    amplitude, phase = np.hypot(p, q), np.arctan2(q, p)
    np.testing.assert_allclose(amplitude[:, None] * np.sin(tasks.x - phase[:, None]), tasks.y, atol=1e-9)
    # Means of uniform variables; five standard errors, a false alarm in two million.
    for value, low, high in ((amplitude, 0.1, 5), (phase, 0, np.pi), (tasks.x.ravel(), -5, 5)):
        assert low <= value.min() and value.max() <= high
        assert abs(value.mean() - (low + high) / 2) < 5 * (high - low) / np.sqrt(12 * value.size)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SineRegression(np.zeros((2, 3)), np.zeros((3, 2))), "y has shape"),
        (lambda: SineRegression([np.nan], [0.0]), "x contains nan"),
        (lambda: SineRegression.random(np.random.default_rng(0), 2, points=0), "points = 0"),
        (lambda: ReluNetwork((3,)), "at least two"),
        (lambda: ReluNetwork((3, 0, 1)), r"widths\[1\] = 0"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
