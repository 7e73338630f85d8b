"""A time limit for code that does not look at the clock.

On the main thread of a system with interval timers the code is interrupted, at the next step of the interpreter; a
single long call into compiled code is not. Elsewhere the limit is not enforced.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 1e8
"""Seconds, three years: timers do not count any further."""


class TimeUp(Exception):
    """The time limit has passed."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Run the body for at most this time.

    Raises
    ------
    TimeUp
        If it takes longer.
    """
    main = threading.current_thread() is threading.main_thread()
    if seconds > LONGEST or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number, frame):
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
