"""Fully connected ReLU networks on flat parameter vectors: value, gradient, Hessian-vector product, all batched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from analytic.arguments import natural, settle, shown
from maml_bench.arrays import into

Outputs = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ReluNetwork:
    """``widths[0]`` inputs, hidden layers with ReLU, ``widths[-1]`` linear outputs.

    The parameter is the concatenation W1, b1, W2, b2, ... with ``Wk`` of shape (out, in) in row-major order. Points
    ``w`` are arrays (..., dim), inputs ``x`` arrays (..., n, in); their leading axes broadcast, and each leading index
    is one matrix product, whatever it stands for (tasks, directions, replicates).

    At a kink the derivative of ReLU is taken as 0, so the network is piecewise polynomial in w and the Hessian is the
    one of its piece.

    Raises
    ------
    ValueError
        If there are fewer than two widths, or one is not an integer >= 1.

    Examples
    --------
    >>> from maml_bench.problems import ReluNetwork
    >>> ReluNetwork((1, 40, 40, 1)).dim
    1761
    """

    widths: tuple[int, ...]

    def __post_init__(self):
        settle(self, widths=_widths)

    @property
    def dim(self) -> int:
        return sum((before + 1) * after for before, after in pairwise(self.widths))

    def initial(self, rng: np.random.Generator, size: tuple[int, ...] = ()) -> np.ndarray:
        """Kaiming normal weights, of variance 2 / in, and zero biases; shape (*size, dim)."""
        w = np.zeros((*size, self.dim))
        for weight, _ in self.layers(w):
            weight[...] = rng.standard_normal(weight.shape) * np.sqrt(2 / weight.shape[-1])
        return w

    def layers(self, w: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Views of w: for each layer its matrix (..., out, in) and its bias (..., 1, out)."""
        out, start = [], 0
        for before, after in pairwise(self.widths):
            middle, end = start + before * after, start + (before + 1) * after
            matrix = w[..., start:middle].reshape(*w.shape[:-1], after, before)
            out.append((matrix, w[..., None, middle:end]))
            start = end
        return out

    def value(self, w: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Outputs (..., n, out)."""
        return self._activations(self.layers(w), x)[-1]

    def gradient(self, w: np.ndarray, x: np.ndarray, slope: Outputs) -> np.ndarray:
        """Gradient (..., dim) of a function F of the outputs; ``slope`` maps the outputs to ``dF / d outputs``."""
        layers = self.layers(w)
        active = self._activations(layers, x)
        back = slope(active[-1])
        out = np.empty((*back.shape[:-2], self.dim))
        parts = self.layers(out)
        for k in range(len(layers) - 1, -1, -1):
            np.matmul(_transpose(back), active[k], out=parts[k][0])
            np.matmul(np.ones((1, back.shape[-2])), back, out=parts[k][1])  # a sum over the inputs
            if k:
                back = into(np.multiply, _product(back, layers[k][0]), active[k] > 0)
        return out

    def hvp(
        self,
        w: np.ndarray,
        v: np.ndarray,
        x: np.ndarray,
        slope: Outputs,
        curvature: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Hessian of F along v, shape (..., dim), by a forward derivative of the backward pass.

        Parameters
        ----------
        slope : callable
            As in `gradient`.
        curvature : callable
            ``curvature(outputs, change)``: the derivative of ``slope`` along a change of the outputs.
        """
        layers, moves = self.layers(w), self.layers(v)
        active = self._activations(layers, x)
        last = len(layers) - 1
        changes: list[Any] = [None]  # along v; the inputs themselves do not change
        gates = [(layer > 0).astype(float) for layer in active]  # numbers: they are multiplied with more than once
        for k, ((matrix, _), (move, shift)) in enumerate(zip(layers, moves, strict=True)):
            change = into(np.add, _product(active[k], _transpose(move)), shift)
            if k:
                change = into(np.add, change, _product(changes[k], _transpose(matrix)))
            changes.append(change if k == last else into(np.multiply, change, gates[k + 1]))
        back, moved = slope(active[-1]), curvature(active[-1], changes[-1])
        moved = np.broadcast_to(moved, np.broadcast_shapes(back.shape, moved.shape))
        out = np.empty((*moved.shape[:-2], self.dim))
        parts = self.layers(out)
        for k in range(last, -1, -1):
            np.matmul(_transpose(moved), active[k], out=parts[k][0])
            np.matmul(np.ones((1, moved.shape[-2])), moved, out=parts[k][1])
            if k:
                parts[k][0][...] += _transpose(back) @ changes[k]
                moved = into(np.add, _product(moved, layers[k][0]), _product(back, moves[k][0]))
                moved = into(np.multiply, moved, gates[k])
                back = into(np.multiply, _product(back, layers[k][0]), gates[k])
        return out

    def _activations(self, layers, x):
        """The inputs of every layer, and last the outputs."""
        out = [x]
        for k, (matrix, bias) in enumerate(layers):
            value = into(np.add, _product(out[-1], _transpose(matrix)), bias)
            out.append(value if k == len(layers) - 1 else np.clip(value, 0, np.inf, out=value))  # faster than maximum
        return out


def _product(a, b):
    """``a @ b``; an outer product elementwise, since a matrix product would do it a scalar at a time."""
    return a * b if a.shape[-1] == 1 else a @ b


def _transpose(matrix):
    return matrix.swapaxes(-1, -2)


def _widths(name, value):
    listed = tuple(value) if isinstance(value, Sequence) else ()
    widths = tuple(natural(f"{name}[{k}]", width) for k, width in enumerate(listed))
    if len(widths) < 2:
        raise ValueError(f"{name} = {shown(value)}: must be at least two, those of inputs and outputs")
    return widths
