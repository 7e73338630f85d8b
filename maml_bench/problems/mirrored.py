"""Antithetic draws: the same tasks, every sample replaced by its mirror image."""

from dataclasses import dataclass

from analytic.regularity import Regularity


@dataclass(frozen=True, eq=False)
class Mirrored:
    """Tasks whose samples are ``-sample``: equal in law to the original, with errors of opposite sign.

    Run an algorithm once on ``tasks`` and once on ``Mirrored(tasks)`` with generators in the same state, and average:
    whatever is odd in the noise cancels.
    """

    tasks: object

    @property
    def dim(self) -> int:
        return self.tasks.dim

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.tasks.batch_shape

    @property
    def regularity(self) -> Regularity:
        return self.tasks.regularity

    def __getitem__(self, index) -> "Mirrored":
        return Mirrored(self.tasks[index])

    def loss(self, w, sample=None):
        return self.tasks.loss(w, sample)

    def grad(self, w, sample=None):
        return self.tasks.grad(w, sample)

    def hvp(self, w, v, sample=None):
        return self.tasks.hvp(w, v, sample)

    def hess(self, w, sample=None):
        return self.tasks.hess(w, sample)

    def sample(self, rng, w, size):
        drawn = self.tasks.sample(rng, w, size)
        return None if drawn is None else -drawn
