"""Where blocks are computed: threads or processes (joblib) of this machine, or a Dask cluster, behind one call.

Results keep the jobs' order, and a job depends on nothing but its arguments, so no choice made here changes a number.
"""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from analytic.arguments import natural

CONNECT_SECONDS = 5
RETRIES = 3


@dataclass(frozen=True)
class Workers:
    """Runs jobs ``(function, *arguments)``.

    Parameters
    ----------
    count : int
        Workers on this machine.
    processes : bool
        Processes in place of threads. Threads start faster, and NumPy releases the interpreter lock in the heavy parts;
        processes pay for tasks that spend their time in Python.
    cluster : str
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers can import this package;
        ``count`` then does not matter. A job that a dying worker leaves undone is given to another.

    Raises
    ------
    ValueError
        If ``count`` is not an integer >= 1.
    """

    count: int = 1
    processes: bool = False
    cluster: str = ""

    def __post_init__(self):
        natural("workers", self.count)

    def map(self, jobs: Sequence[tuple[Any, ...]]) -> list:
        """Results of the jobs, in their order.

        Raises
        ------
        ConnectionError
            If no scheduler answers at the cluster's address.
        """
        if self.cluster:
            client = _client(self.cluster)
            futures = [client.submit(_alone, *job, pure=False, retries=RETRIES) for job in jobs]
            return client.gather(futures)
        keep_memory()
        count = min(self.count, len(jobs))
        # A job of a worker that has jobs of its own does them itself: it might wait for threads that wait for it.
        if count <= 1 or getattr(_own, "busy", False):
            with _blas().limit(limits=1, user_api="blas"):
                return [function(*arguments) for function, *arguments in jobs]
        if self.processes:
            import joblib

            return joblib.Parallel(n_jobs=count)(joblib.delayed(_alone)(*job) for job in jobs)
        # The limit holds for the whole process, so with threads it is set once around all jobs. No joblib: it asks only
        # every 10 ms whether its threads are done, which is as long as a block of replicates takes.
        with _blas().limit(limits=1, user_api="blas"):
            return list(_threads(self.count).map(lambda job: job[0](*job[1:]), jobs))


def as_workers(workers: Workers | int) -> Workers:
    """Workers as they are, or so many threads."""
    return workers if isinstance(workers, Workers) else Workers(workers)


_own = threading.local()


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    """Threads that stay: new ones get the memory of their arrays from the system again, a fifth of a block's time."""
    return ThreadPoolExecutor(count, initializer=setattr, initargs=(_own, "busy", True))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a child of this process has none of its threads


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def keep_memory() -> None:
    """Let this process keep the memory of arrays that it frees, for the next block: up to 62 MB in all.

    By default the C library of Linux hands large arrays back to the system at once, and getting them again, page by
    page, costs as much as drawing what goes into them. It raises its threshold to the largest array that was ever
    freed: one that nobody touches will do. Elsewhere it does nothing.
    """
    np.empty(31 * 2**20, dtype=np.uint8)


def _alone(function, *arguments):
    """Run a job on one BLAS thread: workers fill the cores, and a product must not depend on their number."""
    keep_memory()
    with _blas().limit(limits=1, user_api="blas"):
        return function(*arguments)


@cache
def _client(address: str):
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("cluster: needs Dask; install maml-bench[cluster]") from None
    try:
        return Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ConnectionError(f"cluster = {address!r}: no Dask scheduler answers there ({error})") from error
