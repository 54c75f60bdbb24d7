"""Waiting for a condition, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(found: Callable[[], Found], what: str | Callable[[], str], within_s: float, pause_s: float = 0.1) -> Found:
    """Ask again and again until the answer is true, and return it; `what` says what was waited for."""
    end = time.monotonic() + within_s
    while not (value := found()):
        assert time.monotonic() < end, f"{what if isinstance(what, str) else what()}: not within {within_s:g} s"
        time.sleep(pause_s)
    return value
