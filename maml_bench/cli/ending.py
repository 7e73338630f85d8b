"""A time limit that holds through a long call into compiled code, which nothing in its process interrupts."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LEAST = 1.0
"""A time limit is never taken to be over before it is exceeded by so many seconds."""


@contextmanager
def by(seconds: float, last_words: Callable[[], int]) -> Iterator[None]:
    """Run the body. Should it take twice the time, the process ends, with last words and the exit code they return.

    What is no time limit, such as -1, the body refuses; and no timer waits for centuries.
    """
    said = threading.Lock()

    def expire():
        if said.acquire(blocking=False):
            end(last_words())

    if not 0 < seconds < threading.TIMEOUT_MAX / 2:
        yield
        return
    timer = threading.Timer(max(2 * seconds, seconds + LEAST), expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if not said.acquire(blocking=False):
            timer.join()  # while the last words are said


def end(code: int) -> None:
    """End the process at once, whatever its other threads do."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
