"""What the processes of one home share: folders, locks, small JSON files, and who a process id belongs to."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from squall.embedded.errors import ServiceError
from squall.settings import Settings

# Two readings of a process's start differ by clock adjustments, never by as much as this.
SAME_START_S = 5.0
LOOKS, LOOK_S = 10, 0.05


class Home:
    """The folder that `SQUALL_HOME` names, and what lies where in it."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.home.expanduser().resolve()
        self.run = self.path / "run"
        self.logs = self.path / "logs"

    def make(self) -> "Home":
        """Create the folders."""
        try:
            self.run.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServiceError(f"SQUALL_HOME={self.path} cannot be used ({error.strerror}): choose another one") from None
        if not os.access(self.run, os.W_OK):
            raise ServiceError(f"SQUALL_HOME={self.path} belongs to another user: choose another one")
        return self

    def state(self, name: str) -> Path:
        """Where a service that runs says so."""
        return self.run / f"{name}.json"

    def lock(self, name: str) -> "Lock":
        """A lock between processes of this home."""
        return Lock(self.run / f"{name}.lock")


class Lock:
    """A file lock; the kernel releases it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take_soon(self) -> bool:
        """Take the lock; False where it is held for longer than somebody takes to look whether it is."""
        for _ in range(LOOKS):
            if self.take(wait=False):
                return True
            time.sleep(LOOK_S)
        return False

    def take(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock; False where it is held elsewhere and `wait` is false."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:
            raise ServiceError(f"{self.path} belongs to another user: choose another SQUALL_HOME") from None
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(file)
            return False
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def held(self) -> bool:
        """Whether anybody holds the lock."""
        if not self.path.exists():
            return False
        probe = Lock(self.path)
        free = probe.take(shared=True, wait=False)
        probe.release()
        return not free

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock together with others."""
        self.take(shared=True)
        try:
            yield
        finally:
            self.release()


def write_json(path: Path, content: Any) -> None:
    """Replace the file in one step; readers see the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is no file or no object in it."""
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else None
    return None


def started_at(pid: int) -> float | None:
    """When the process started, in seconds since the epoch; None where it is gone or only its exit status is left."""
    import psutil

    with suppress(psutil.Error, ValueError):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.create_time()
    return None


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that started then under this id still runs; another one under the same id does not count."""
    now = started_at(pid)
    return now is not None and abs(now - started) < SAME_START_S
