"""Where blocks are computed: threads of this machine. Results keep the jobs' order, so nothing depends on the number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import joblib
from threadpoolctl import threadpool_limits

from maml_bench.checks import natural


@dataclass(frozen=True)
class Workers:
    """Runs jobs ``(function, *arguments)``.

    Parameters
    ----------
    count : int
        Threads on this machine. NumPy releases the interpreter lock in the heavy parts.
    """

    count: int = 1

    def __post_init__(self):
        natural("workers", self.count)

    def map(self, jobs: Sequence[tuple[Callable, ...]]) -> list:
        """Results of the jobs, in their order."""
        pool = joblib.Parallel(n_jobs=min(self.count, len(jobs)), prefer="threads")
        # One BLAS thread a worker: the workers fill the cores, and a product must not depend on their number.
        with threadpool_limits(1, user_api="blas"):
            return pool(joblib.delayed(function)(*arguments) for function, *arguments in jobs)
