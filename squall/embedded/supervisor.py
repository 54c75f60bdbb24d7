"""Keeps processes running: readiness by probing, restart with backoff, one log each, and nothing left behind."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from squall.embedded.groups import Reaping, Record, end_group, how_it_ended
from squall.embedded.state import started_at
from squall.errors import UserError

State = Literal["starting", "running", "backoff", "stopped"]

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_S = 10.0
"""A process that ran for so long had a good start: the next delay begins anew."""
HOPELESS = 4
"""Starts that failed before the first one that succeeded: nobody waits any longer."""
LOG_BYTES = 20 * 1024 * 1024
PROBE_EVERY_S = 0.1
HEALTH_EVERY_S = 1.0


class StartError(UserError):
    """A process did not become ready; the message says which, why, and where its log is."""


def backoff(failures: int) -> float:
    """Seconds to wait before the next start after so many failures in a row."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (max(failures, 1) - 1))


@dataclass(frozen=True)
class Program:
    """What to run, how to know that it is ready and well, and how to stop it."""

    name: str
    command: tuple[str, ...]
    log: Path
    ready: Callable[[int], bool]
    """Whether the process with this id serves; called until it is true."""
    stage: int
    """Order of stopping, the highest first, where the supervisor died."""
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    """Runs before each start."""
    on_ready: Callable[[int], None] = lambda _pid: None
    """Runs after each start, once the process is ready."""
    unhealthy: Callable[[int], str] = lambda _pid: ""
    """Why the process must be restarted; empty where all is well. Called once a second."""
    user: str | None = None
    """The system user to run as; None: ours."""
    folder: Path | None = None
    """The working folder; None: ours."""
    stop_signal: int = signal.SIGTERM
    stop_wait_s: float = 15.0
    start_limit_s: float = 60.0


class Child:
    """One program under supervision, in a thread of its own."""

    def __init__(self, program: Program, changed: Callable[[], None]) -> None:
        self.program = program
        self.state: State = "starting"
        self.restarts = 0
        self.reason = ""
        self.since = time.time()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0
        self._changed = changed
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"supervise {program.name}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Id of the process, None while it does not run."""
        process = self._process
        return process.pid if process is not None else None

    @property
    def record(self) -> Record | None:
        """What the reaper has to know."""
        process = self._process
        return (self.program.stage, process.pid, self._started, int(self.program.stop_signal)) if process else None

    def describe(self) -> dict[str, Any]:
        """The state as plain values."""
        return {
            "name": self.program.name,
            "pid": self.pid,
            "started": self._started,
            "signal": int(self.program.stop_signal),
            "stage": self.program.stage,
            "state": self.state,
            "restarts": self.restarts,
            "since": self.since,
            "reason": self.reason,
            "log": str(self.program.log),
        }

    def wait_ready(self, limit_s: float) -> None:
        """Wait until the process has become ready once.

        Raises:
            StartError: it has not within the limit, or it failed several times.
        """
        end = time.monotonic() + limit_s
        while not self._ready.wait(PROBE_EVERY_S):
            if time.monotonic() > end or self.restarts >= HOPELESS:
                raise StartError(f"{self.program.name} does not start ({self.reason or 'no answer'}): see {self.program.log}")

    def ask_to_stop(self) -> None:
        """Begin to stop; `join` waits for the end."""
        self._stop.set()

    def join(self) -> None:
        """Wait until the process is gone."""
        self._thread.join()

    def _supervise(self) -> None:
        while not self._stop.is_set():
            try:
                self.program.before()
                self._spawn()
                ended = self._watch()
            except Exception as error:  # whatever a probe or a hook raises is a reason to start again, not to give up
                ended = f"{type(error).__name__}: {error}"
            self._end_process()
            if self._stop.is_set():
                break
            self._failures += 1
            self.restarts += 1
            self._set("backoff", ended)
            self._note(f"{ended}; next start in {backoff(self._failures):.1f} s")
            self._stop.wait(backoff(self._failures))
        self._set("stopped", "")

    def _spawn(self) -> None:
        program = self.program
        rotate(program.log)
        with program.log.open("ab") as log:
            self._process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment},
                start_new_session=True,
                cwd=program.folder,
                **_as_user(program.user),
            )
        self._started = started_at(self._process.pid) or time.time()
        self._set("starting", self.reason)

    def _watch(self) -> str:
        """Follow the process until it ends or has to; returns why."""
        program, process = self.program, self._process
        assert process is not None  # noqa: S101 - for the type checker
        begun = time.monotonic()
        while not program.ready(process.pid):
            if process.poll() is not None:
                return how_it_ended(process.returncode)
            if time.monotonic() - begun > program.start_limit_s:
                return f"not ready within {program.start_limit_s:.0f} s"
            if self._stop.wait(PROBE_EVERY_S):
                return ""
        program.on_ready(process.pid)
        self._set("running", "")
        self._ready.set()
        next_health = time.monotonic() + HEALTH_EVERY_S
        while not self._stop.wait(PROBE_EVERY_S):
            if process.poll() is not None:
                return how_it_ended(process.returncode)
            if time.monotonic() < next_health:
                continue
            next_health = time.monotonic() + HEALTH_EVERY_S
            if time.monotonic() - begun > STEADY_S:
                self._failures = 0
            rotate(program.log)
            if why := program.unhealthy(process.pid):
                return why
        return ""

    def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        end_group(process, self.program.stop_signal, self.program.stop_wait_s)
        self._process = None
        self._changed()

    def _set(self, state: State, reason: str) -> None:
        if state != self.state:
            self.since = time.time()
        self.state, self.reason = state, reason
        self._changed()

    def _note(self, text: str) -> None:
        with suppress(OSError), self.program.log.open("a", encoding="utf-8") as log:
            log.write(f"--- supervisor: {text}\n")


class Supervisor:
    """Runs programs until it is stopped; when its process dies, a process beside it stops them."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._reaper = Reaping()
        self._lock = threading.Lock()

    def start(self, program: Program) -> Child:
        """Run a program from now on."""
        with self._lock:
            child = Child(program, self._tell_reaper)
            self.children.append(child)
        return child

    def stop(self, children: Iterable[Child] | None = None) -> None:
        """Stop some or all of the programs, at the same time, and wait until they are gone."""
        chosen = list(self.children) if children is None else list(children)
        for child in chosen:
            child.ask_to_stop()
        for child in chosen:
            child.join()
        with self._lock:
            self.children = [child for child in self.children if child not in chosen]
            if not self.children:
                self._reaper.close()

    def _tell_reaper(self) -> None:
        with self._lock:
            self._reaper.tell([record for child in self.children if (record := child.record)])


def rotate(log: Path) -> None:
    """Move a log that has grown long to `<name>.1`; a process that appends to it goes on in the emptied file."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def _as_user(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    import pwd

    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
