import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, check
from maml_bench.montecarlo.workers import Workers, _client
from maml_bench.problems import AdditiveGaussian, Quadratic

SETTING = Setting(Quadratic.concave(dim=3).with_noise(AdditiveGaussian(1.0)), np.ones(3), InnerLoop(0.1, 3))


def verdict(workers):
    found = check("prop2-first", SETTING, budget=300_000, precision=1e-4, workers=workers)
    return found.value, found.lower, found.upper, found.replicates


@pytest.fixture(scope="module")
def alone():
    return verdict(1)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as started:
        yield started
        _client(started.scheduler_address).close()


@pytest.mark.parametrize("workers", [Workers(2), Workers(3), Workers(2, processes=True)])
def test_threads_and_processes_give_the_same_bits(workers, alone):
    assert verdict(workers) == alone


def test_results_keep_the_order_of_the_jobs():
    jobs = [(pow, k, 2) for k in range(20)]
    for workers in (Workers(3), Workers(2, processes=True)):
        assert workers.map(jobs) == [k**2 for k in range(20)]


def test_threads_are_waited_for_not_asked_now_and_then(monkeypatch):
    def asked(seconds):
        raise AssertionError(f"asleep for {seconds} s")

    monkeypatch.setattr(time, "sleep", asked)
    assert Workers(2).map([(threading.Event().wait, 0.05)] * 2) == [False, False]


def test_an_error_leaves_the_threads_for_the_next_jobs():
    with pytest.raises(ZeroDivisionError):
        Workers(2).map([(divmod, 1, k) for k in (1, 0, 2)])
    assert Workers(2).map([(divmod, 5, k) for k in (1, 2)]) == [(5, 0), (2, 1)]


OWN_JOBS = """
from maml_bench.montecarlo.workers import Workers

def outer(k):
    return Workers(2).map([(pow, k, n) for n in (1, 2, 3)])

assert Workers(2).map([(outer, k) for k in range(4)]) == [[k, k**2, k**3] for k in range(4)]
"""
FORKED = """
import os
from maml_bench.montecarlo.workers import Workers

jobs = [(pow, k, 2) for k in range(4)]
Workers(2).map(jobs)
if not os.fork():
    os._exit(Workers(2).map(jobs) != [0, 1, 4, 9])
assert os.wait()[1] == 0
"""
no_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@pytest.mark.parametrize(
    "program", [pytest.param(OWN_JOBS, id="own"), pytest.param(FORKED, id="forked", marks=no_fork)]
)
def test_jobs_do_not_wait_for_threads_that_will_not_come(program):
    # A worker that has jobs of its own does them itself, and a forked child has none of its parent's threads.
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=30)


def test_a_cluster_gives_the_same_bits(cluster, alone):
    assert verdict(Workers(cluster=cluster.scheduler_address)) == alone


def _slow_square(k):
    time.sleep(0.3)
    return os.getpid(), k**2


def test_nothing_is_lost_when_a_worker_is_killed(cluster):
    workers = Workers(cluster=cluster.scheduler_address)
    pids = sorted({pid for pid, _ in workers.map([(_slow_square, k) for k in range(4)])})
    assert len(pids) == 2
    results = workers.map([(_kill_first_time, k, pids[0]) for k in range(12)])
    assert results == [k**2 for k in range(12)]


def _kill_first_time(k, victim):
    """Kills the worker that is the victim; the job then runs again in another process."""
    if os.getpid() == victim:
        os.kill(victim, signal.SIGKILL)
    time.sleep(0.05)
    return k**2


def test_a_check_survives_a_killed_worker(cluster, alone):
    # The cluster restarts the worker killed above; kill one of the two again, while a check is running.
    workers = Workers(cluster=cluster.scheduler_address)
    pids = list(_client(cluster.scheduler_address).run(os.getpid).values())
    killer = threading.Timer(0.15, os.kill, (pids[0], signal.SIGKILL))
    killer.start()
    assert verdict(workers) == alone
    killer.join()


def test_an_unreachable_cluster_fails_fast_and_names_the_address():
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match="127.0.0.1:9"):
        verdict(Workers(cluster="tcp://127.0.0.1:9"))
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("count", [0, -1, 1.5])
def test_bad_numbers_of_workers_are_named(count):
    with pytest.raises(ValueError, match=f"workers = {count}: must be"):
        Workers(count)


def test_memory_of_freed_arrays_is_kept_for_the_next():
    # Page faults of a hundred rounds that take and free two arrays of 4 MB (2000 pages): with the C library of Linux.
    count = """
import platform, resource, sys
import numpy as np
from maml_bench.montecarlo.workers import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    a, b = np.ones(2**19), np.ones(2**19)
    del a, b
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start if platform.libc_ver()[0] == "glibc" else 0)
"""
    # Dask leaves settings of its own in the environment.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", count, "keep"], capture_output=True, text=True, check=True, env=plain)
    assert int(done.stdout) < 10_000
