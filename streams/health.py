"""What a worker says of itself: counters, and a file that a thread replaces each second."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from squall.embedded.health import StallWatch, folder, parse
from squall.embedded.state import write_json
from squall.settings import Settings

log = structlog.get_logger("squall.health")

SILENT_S = 15.0
"""An event loop that has not told its lag for so long is stuck, and counts as one that has some."""


class Health:
    """The health of this process; implements `streams.runtime.Progress`. Safe to be told from any thread.

    A worker is `running` where none of its parts waits for something outside; otherwise its state is that of the part.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lag = 0
        self._lag_at = time.monotonic()
        self._guard = threading.Lock()
        self._states: dict[str, str] = {}
        self._overall = "starting"
        self._started = time.time()
        self._progress_at = self._started
        self._batches = self._processed = self._redelivered = 0
        self.about: Callable[[], Mapping[str, str]] = dict
        """What is named beside the state, such as the models that serve."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_each_second, name="health", daemon=True)

    @classmethod
    def of_process(cls, settings: Settings) -> "Health":
        """The health of this process, in the folder in which the supervisor looks for it."""
        return cls(folder(settings) / f"worker-{os.getpid()}.json")

    def lag(self, messages: int) -> None:
        """So many messages lie on the broker unacknowledged; to be told again every second or so."""
        with self._guard:
            self._lag, self._lag_at = messages, time.monotonic()

    def state(self, part: str, state: str) -> None:
        """See `Progress`."""
        with self._guard:
            self._states[part] = state

    def whole(self, state: str) -> None:
        """The worker as a whole is `starting`, `running`, `stopping` or `failed`."""
        with self._guard:
            self._overall = state

    def done(self, part: str, messages: int, redelivered: int) -> None:  # noqa: ARG002 - `Progress` names it
        """See `Progress`."""
        with self._guard:
            self._batches += 1
            self._processed += messages
            self._redelivered += redelivered
            self._progress_at = time.time()

    def snapshot(self) -> dict[str, Any]:
        """What the file says. Times are seconds since the epoch; `lag` counts messages not yet acknowledged."""
        with self._guard:
            waiting = sorted(state for state in self._states.values() if state.startswith("waiting"))
            silent = time.monotonic() - self._lag_at > SILENT_S
            return {
                "pid": os.getpid(),
                "at": time.time(),
                "started_at": self._started,
                "batches": self._batches,
                "processed": self._processed,
                "progress_at": self._progress_at,
                "lag": max(self._lag, int(silent)),
                "state": (waiting or ["running"])[0] if self._overall == "running" else self._overall,
                "redelivered": self._redelivered,
                "parts": dict(self._states),
                "about": dict(self.about()),
            }

    def write(self) -> None:
        """Replace the file."""
        write_json(self._path, self.snapshot())

    def start(self) -> None:
        """Begin to write the file each second."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.write()
        self._thread.start()

    def exit_when_stalled(self, stall_s: float, leave: Callable[[int], None]) -> None:
        """End the process by `leave` once it has lag and makes no progress for so long; for where nobody else would."""
        watch = StallWatch(stall_s)

        def look_each_second() -> None:
            while not self._stop.wait(1.0):
                if reason := watch.observe(parse(self.snapshot()), time.monotonic()):
                    log.error("giving up", reason=reason)
                    leave(1)

        threading.Thread(target=look_each_second, name="stall", daemon=True).start()

    def stop(self) -> None:
        """Write no more, and remove the file."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._path.unlink(missing_ok=True)

    def _write_each_second(self) -> None:
        while not self._stop.wait(1.0):
            try:
                self.write()
            except OSError as error:
                log.warning("health file not written", error=str(error))
