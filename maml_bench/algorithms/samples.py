"""What a run spends: evaluations of one sample's gradient, Hessian-vector product or loss."""

from dataclasses import dataclass

from maml_bench.capabilities import Hessian


@dataclass(frozen=True)
class Samples:
    """Counts of evaluations at one sample. An exact (population or full-batch) evaluation counts as one.

    Examples
    --------
    >>> from maml_bench.algorithms import Samples
    >>> 3 * Samples(gradient=10) + Samples(function=2)
    Samples(gradient=30, hessian_vector=0, function=2)
    """

    gradient: int = 0
    hessian_vector: int = 0
    function: int = 0

    def __add__(self, other: "Samples") -> "Samples":
        return Samples(
            self.gradient + other.gradient,
            self.hessian_vector + other.hessian_vector,
            self.function + other.function,
        )

    def __mul__(self, times: int) -> "Samples":
        return Samples(self.gradient * times, self.hessian_vector * times, self.function * times)

    __rmul__ = __mul__

    @property
    def total(self) -> int:
        """All of them together: what methods are compared at."""
        return self.gradient + self.hessian_vector + self.function


def of_product(hessian: Hessian, D: int) -> Samples:
    """What one draw of a Hessian estimator and one product with it take, with batches of D samples.

    An estimator states it, ``cost(D)``; one that does not is taken for D Hessian-vector products.
    """
    own = getattr(hessian, "cost", None)
    return Samples(hessian_vector=D) if own is None else Samples(**own(D))
