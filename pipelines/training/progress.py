"""What a run says while it goes on, and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, int, int, float], None]
"""Called with (phase, step, total steps, loss)."""


def stop_on_signal(stop: threading.Event) -> None:
    """Let Ctrl-C (and a polite kill) set `stop`, so that a run ends with a checkpoint; a second Ctrl-C ends it at once."""

    def handle(signum: int, _frame: object) -> None:
        stop.set()
        signal.signal(signum, signal.SIG_DFL)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


@contextmanager
def progress_report() -> Iterator[Report]:
    """A progress bar with the time that is left on a terminal, and a line every now and then in a log file."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console()
    if not console.is_terminal:
        yield log_lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, speed_estimate_period=300) as bar:
        task = bar.add_task("training")

        def report(phase: str, step: int, total: int, loss: float) -> None:
            bar.update(task, description=f"{phase}  loss {loss:.3f}", completed=step, total=total)

        yield report


def log_lines(every: int = 50) -> Report:
    """A report for log files: one line each `every` steps, with the time that is left."""
    started = time.monotonic()
    first: list[int] = []

    def report(phase: str, step: int, total: int, loss: float) -> None:
        if not first:
            first.append(step - 1)
        if step % every == 0 or step == total:
            left = (time.monotonic() - started) / (step - first[0]) * (total - step)
            print(f"{phase}  step {step}/{total}  loss {loss:.3f}  {left / 60:.1f} min left", flush=True)

    return report
