"""Ends a command in order on Ctrl-C, on a request to stop, and when its terminal closes."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_S = 0.5


class Stopped(BaseException):
    """A signal asked the command to stop; raised in the main thread."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` at the first signal; further ones disturb nothing, since what is being stopped then is stopped in order.

    Some code catches every exception (kafka-python's event loop tries a connection again after any), so `Stopped` is raised
    anew for as long as nobody handles it.
    """
    left = threading.Event()
    reminders: list[threading.Thread] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in obeyed:
            signal.signal(each, again)
        reminders.append(threading.Thread(target=remind, args=(number,), name="stop", daemon=True))
        reminders[0].start()
        raise Stopped(number)

    def again(number: int, _frame: FrameType | None) -> None:
        if not _is_handled(sys.exception()):
            raise Stopped(number)

    def remind(number: int) -> None:
        while not left.wait(AGAIN_S):
            os.kill(os.getpid(), number)

    # Under nohup a closed terminal is not meant to end anything.
    obeyed = [each for each in SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, stop) for each in obeyed}
    try:
        yield
    finally:
        left.set()
        for thread in reminders:
            thread.join()
        for each, handler in before.items():
            signal.signal(each, handler)


def _is_handled(error: BaseException | None) -> bool:
    """Whether the code that was interrupted runs because of a `Stopped` on its way up."""
    while error is not None:
        if isinstance(error, Stopped):
            return True
        error = error.__context__
    return False


@contextmanager
def time_limit(seconds: float, error: Exception) -> Iterator[None]:
    """Raise the error in the main thread when the time is over; 0: no limit."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
