"""A time limit that holds through a long call into compiled code, which nothing in its process interrupts."""

import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LEAST = 1.0
"""A time limit is never taken to be over before it is exceeded by so many seconds."""


@contextmanager
def by(seconds: float, last_words: Callable[[], int]) -> Iterator[None]:
    """Run the body. Should it take twice the time, the process ends, with last words and the exit code they return."""
    said = threading.Lock()

    def expire():
        if said.acquire(blocking=False):
            end(last_words())

    if math.isinf(seconds):
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
