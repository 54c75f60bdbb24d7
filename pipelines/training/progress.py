"""What a run says while it goes on, and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

Report = Callable[[str, int, int, float], None]
"""Called with (phase, step, total steps, loss)."""

LOG_EVERY_S = 30.0


class Progress(Protocol):
    """Told how far a run has come; a `Report`, too."""

    def __call__(self, phase: str, done: int, total: int, loss: float | None = None, /) -> None:
        """So many of `total` are done. A count that goes on from phase to phase is one; any other begins anew."""


def stop_on_signal(stop: threading.Event) -> None:
    """Let Ctrl-C (and a polite kill) set `stop`, so that a run ends with a checkpoint; a second Ctrl-C ends it at once."""

    def handle(signum: int, _frame: object) -> None:
        stop.set()
        signal.signal(signum, signal.SIG_DFL)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


@contextmanager
def progress_report() -> Iterator[Progress]:
    """A bar with the time that is left on a terminal; in a log file a line every half minute and at the end of a count."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console()
    if not console.is_terminal:
        yield log_lines(time.monotonic)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, speed_estimate_period=300) as bars:
        bar = bars.add_task("", visible=False, total=None)
        shown = bars.tasks[bar]

        def report(phase: str, done: int, total: int, loss: float | None = None, /) -> None:
            if total != shown.total or done < shown.completed:
                bars.reset(bar, total=total, visible=True)
            bars.update(bar, description=_words(phase, loss), completed=done)

        yield report


def log_lines(clock: Callable[[], float]) -> Progress:
    """Prints lines with the minutes that are left; `clock` tells seconds."""
    told = began = clock()
    first = last = of = 0

    def report(phase: str, done: int, total: int, loss: float | None = None, /) -> None:
        nonlocal told, began, first, last, of
        if total != of or done < last:
            began, first, of = clock(), done, total
        last = done
        if done < total and clock() - told < LOG_EVERY_S:
            return
        told = clock()
        left = f"  {(told - began) / (done - first) * (total - done) / 60:.1f} min left" if first < done < total else ""
        print(f"{_words(phase, loss)}  {done}/{total}{left}", flush=True)

    return report


def _words(phase: str, loss: float | None) -> str:
    return phase if loss is None else f"{phase}  loss {loss:.3f}"
