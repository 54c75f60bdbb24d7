"""What a worker says of itself, and when it counts as stalled."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from squall.embedded.state import Home, read_json, started_at
from squall.settings import Settings


@dataclass(frozen=True)
class Health:
    """A worker's health file, replaced by it each second."""

    pid: int
    at: float
    """When it was written, seconds since the epoch."""
    state: str
    lag: int
    """Messages on the broker that it has yet to take."""
    processed: int
    progress_at: float
    redelivered: int
    about: dict[str, str] = field(default_factory=dict)
    """What it names beside its state: the models that serve."""


def folder(settings: Settings) -> Path:
    """Where the workers of the settings' namespace write their health."""
    return Home(settings).run / (settings.namespace or "live")


def read(settings: Settings, pid: int) -> Health | None:
    """The health of the worker with this process id; None where it has not said anything."""
    return parse(read_json(folder(settings) / f"worker-{pid}.json"))


def parse(content: dict[str, Any] | None) -> Health | None:
    """The health file's content; None where it is not complete."""
    if content is None:
        return None
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        return Health(
            pid=int(content["pid"]),
            at=float(content["at"]),
            state=str(content["state"]),
            lag=int(content["lag"] or 0),
            processed=int(content["processed"]),
            progress_at=float(content["progress_at"] or 0),
            redelivered=int(content.get("redelivered") or 0),
            about={str(name): str(line) for name, line in (content.get("about") or {}).items()},
        )
    return None


def forget_dead(settings: Settings) -> None:
    """Remove the files of workers that are gone."""
    for file in folder(settings).glob("worker-*.json"):
        pid = file.stem.removeprefix("worker-")
        if not pid.isdigit() or started_at(int(pid)) is None:
            file.unlink(missing_ok=True)


class StallWatch:
    """Finds a worker that has lag and makes no progress, or that has fallen silent.

    It measures by the supervisor's clock between its own observations: a worker that was idle for hours and gets a
    message has the whole limit for it.
    """

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._progress: tuple[float, int] | None = None
        self._since = 0.0
        self._written = 0.0
        self._written_since = 0.0

    def observe(self, health: Health | None, now: float) -> str:
        """Why the worker must be restarted, or an empty text.

        Args:
            health: what it said last; None: nothing yet.
            now: seconds of a clock that never goes back.
        """
        written = health.at if health else 0.0
        if self._written_since == 0 or written != self._written:
            self._written, self._written_since = written, now
        if now - self._written_since > self._stall_s:
            return f"silent for {now - self._written_since:.0f} s"
        busy = health is not None and health.state == "running" and health.lag > 0
        progress = (health.progress_at, health.processed) if health and busy else None
        if progress is None or progress != self._progress:
            self._progress, self._since = progress, now
            return ""
        if now - self._since > self._stall_s:
            return f"no progress for {now - self._since:.0f} s with a lag of {health.lag if health else 0}"
        return ""
