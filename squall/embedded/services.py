"""Broker and database of a home: one process owns each while it runs, all others of the home use it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from squall.embedded import broker, postgres
from squall.embedded.errors import ServiceError
from squall.embedded.state import Home, is_alive, read_json, started_at, write_json
from squall.embedded.supervisor import Program, Supervisor
from squall.settings import Settings

Name = Literal["broker", "database"]

POLL_S = 0.1
START_LIMIT_S = 200.0
ANSWER_LIMIT_S = 30.0


@dataclass(frozen=True)
class Service:
    """An embedded service that runs."""

    name: Name
    address: str
    """Broker: `host:port`. Database: its URL."""
    kind: str
    pid: int
    started: float
    owner: int
    """Id of the process that supervises it."""


def find(home: Home, name: Name) -> Service | None:
    """The service that runs and answers now, whoever owns it; one whose owner is dead is about to be stopped and is none."""
    if not home.lock(name).held():
        return None
    service = _noted(home, name)
    if service is None or not is_alive(service.pid, service.started):
        return None
    return service if _answers(service) else None


def wait_for(home: Home, name: Name) -> Service | None:
    """The same; where its owner lives it is given time to answer, e.g. after a restart."""
    end = time.monotonic() + ANSWER_LIMIT_S
    while (service := find(home, name)) is None:
        if not home.lock(name).held() or time.monotonic() > end:
            return None
        time.sleep(POLL_S)
    return service


@contextmanager
def lease(
    settings: Settings,
    name: Name,
    supervisor: Supervisor,
    *,
    own: bool = False,
    on_ready: Callable[[str], object] = lambda _address: None,
) -> Iterator[Service]:
    """A service for the duration: the one that runs, else one that is started here and stopped at the end.

    What is started here stays until the others who use it are done, unless an exception ends the duration.

    Args:
        own: start it here in any case, after its present owner has finished.
        on_ready: called with the address after each of its starts.

    Raises:
        ServiceError: it does not start.
    """
    home = Home(settings).make()
    owner, users = home.lock(name), home.lock(f"{name}.users")
    waiting = _Waiting(home, name)
    while True:
        if not own:
            with users.shared():
                if found := find(home, name):
                    yield found
                    return
        if owner.take(wait=False):
            break
        waiting.pause()
    in_peace = False
    try:
        stop_stale(home, name)
        service = _start(settings, home, name, supervisor, on_ready)
        yield service
        in_peace = True
    finally:
        if in_peace and not own:
            users.take()
        home.state(name).unlink(missing_ok=True)
        supervisor.stop([child for child in supervisor.children if child.program.name == name])
        users.release()
        owner.release()


def stop_stale(home: Home, name: Name) -> bool:
    """Stop a service whose owner is dead; the caller holds its lock. Returns whether there was one."""
    service = _noted(home, name)
    home.state(name).unlink(missing_ok=True)
    if service is None or not is_alive(service.pid, service.started):
        return False
    for number, wait_s in ((signal.SIGINT if name == "database" else signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(service.pid, number)
        end = time.monotonic() + wait_s
        while is_alive(service.pid, service.started):
            if time.monotonic() > end:
                break
            time.sleep(POLL_S)
        else:
            return True
    raise ServiceError(f"the {name} of an earlier run cannot be stopped: end process {service.pid}")


def _start(settings: Settings, home: Home, name: Name, supervisor: Supervisor, on_ready: Callable[[str], object]) -> Service:
    kind = broker.kind(settings) if name == "broker" else "postgres"
    address = ""

    def note(pid: int) -> None:
        service = Service(name, address, kind, pid, started_at(pid) or time.time(), os.getpid())
        on_ready(address)
        write_json(home.state(name), vars(service))

    program: Program
    program, address = broker.program(settings, home, note) if name == "broker" else postgres.program(home, note)
    child = supervisor.start(program)
    child.wait_ready(START_LIMIT_S)
    service = _noted(home, name)
    if service is None:
        raise ServiceError(f"{home.state(name)} cannot be read")
    return service


def _noted(home: Home, name: Name) -> Service | None:
    content: dict[str, Any] | None = read_json(home.state(name))
    if content is None:
        return None
    with suppress(TypeError):
        return Service(**content)
    return None


def _answers(service: Service) -> bool:
    return broker.answers(service.address) if service.name == "broker" else postgres.answers(service.address)


class _Waiting:
    """Says once, after a while, who is waited for."""

    def __init__(self, home: Home, name: Name) -> None:
        self._home, self._name = home, name
        self._since = time.monotonic()
        self._told = False

    def pause(self) -> None:
        if not self._told and time.monotonic() - self._since > 2:
            self._told = True
            service = _noted(self._home, self._name)
            who = f" (process {service.owner})" if service else ""
            print(f"waiting: another command{who} runs the {self._name} of {self._home.path}", file=sys.stderr)
        time.sleep(POLL_S)
