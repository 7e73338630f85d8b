"""How a meta gradient becomes a meta step. Each remembers an array (parts, ..., d), or None."""

from dataclasses import dataclass

import numpy as np

from analytic.arguments import nonnegative, settle


@dataclass(frozen=True)
class SGD:
    """The plain step of eq. 7: the direction is the gradient itself.

    An optimizer that states ``equation = 7`` is what the theorems speak of.

    Examples
    --------
    >>> from maml_bench.algorithms import SGD
    >>> SGD().step(None, np.array([1.0, -2.0]), 0)
    (None, array([ 1., -2.]))
    """

    equation = 7

    def memory(self, w: np.ndarray) -> None:
        """Nothing."""

    def step(self, memory: None, gradient: np.ndarray, k: int) -> tuple[None, np.ndarray]:
        """What is remembered after meta-iteration k = 0, 1, ..., and the direction to descend along."""
        return None, gradient


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980), ``m / (1 - beta1^(k+1))`` over the root of its square's, plus epsilon.

    Parameters
    ----------
    first, second : float
        Decay of the means of gradients and of their squares, in [0, 1).
    epsilon : float
        Added outside the root, >= 0.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from maml_bench.algorithms import Adam
    >>> adam, w = Adam(), np.zeros(2)
    >>> memory, direction = adam.step(adam.memory(w), np.array([1.0, -20.0]), 0)
    >>> direction.round(6)
    array([ 1., -1.])
    """

    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        settle(self, first=nonnegative, second=nonnegative, epsilon=nonnegative)
        for name in ("first", "second"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be less than 1")

    def memory(self, w: np.ndarray) -> np.ndarray:
        """The two running means at the start, (2, ..., d)."""
        return np.zeros((2, *w.shape))

    def step(self, memory: np.ndarray, gradient: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """What is remembered after meta-iteration k = 0, 1, ..., and the direction to descend along."""
        mean = self.first * memory[0] + (1 - self.first) * gradient
        square = self.second * memory[1] + (1 - self.second) * gradient**2
        scale = np.sqrt(square / (1 - self.second ** (k + 1))) + self.epsilon
        return np.stack([mean, square]), mean / (1 - self.first ** (k + 1)) / scale
