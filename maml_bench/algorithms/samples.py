"""What a run spends: evaluations of one sample's gradient, Hessian-vector product or loss."""

from dataclasses import dataclass

from maml_bench.hessians import CentralDifference, FirstOrder, GaussianSmoothing, Hessian, ZerothOrder


@dataclass(frozen=True)
class Samples:
    """Counts of evaluations at one sample. An exact (population or full-batch) evaluation counts as one."""

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

    An estimator of the user's own is taken for D Hessian-vector products.
    """
    size = 1 if getattr(hessian, "data", None) == "population" else D
    match hessian:
        case FirstOrder():
            return Samples()
        case GaussianSmoothing(directions=Q):
            return Samples(gradient=(Q + 1) * size)
        case CentralDifference():
            return Samples(gradient=2 * size)
        case ZerothOrder(directions=Q, baseline="mean"):
            return Samples(function=2 * Q * size)
        case ZerothOrder(directions=Q, data="resampled"):
            return Samples(function=3 * Q * size)
        case ZerothOrder(directions=Q):
            return Samples(function=(2 * Q + 1) * size)
        case _:
            return Samples(hessian_vector=D)
