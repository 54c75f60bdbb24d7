"""Child processes that lead a group of their own: how one is ended, and that none outlives who started it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from squall.embedded import reaper

Record = tuple[int, int, float, int]
"""Stage (the highest is stopped first), process id, start in seconds since the epoch, and the signal that stops it."""


class Reaping:
    """A process beside this one that stops what it was told of when this one dies, however it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, records: Sequence[Record]) -> None:
        """Say what runs now; it replaces what was said before."""
        line = json.dumps(records).encode() + b"\n"
        for _ in range(2):  # a second time where the reaper itself was killed
            if self._process is None or self._process.poll() is not None:
                self._process = _start_reaper()
            assert self._process.stdin is not None  # noqa: S101 - for the type checker
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
                return
            except OSError:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """End it, and what it was told of last."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None


def end_group(process: subprocess.Popen[bytes], number: int, wait_s: float) -> None:
    """Ask a process to stop, kill what is left of its group after a while, and wait for the end."""
    if process.poll() is None:
        _signal_group(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def how_it_ended(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _start_reaper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-I", reaper.__file__),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
