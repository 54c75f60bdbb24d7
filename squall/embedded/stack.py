"""Everything of one home under one supervisor: broker, database, workers, dashboard. `squall up` and the demo run it."""

import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from squall.embedded import Addresses, postgres
from squall.embedded.broker import free_ports, is_free
from squall.embedded.environment import environment
from squall.embedded.errors import ServiceError
from squall.embedded.services import lease
from squall.embedded.state import Home, Lock, is_alive, read_json, started_at, write_json
from squall.embedded.supervisor import Child, Program, Supervisor
from squall.embedded.workers import STAGE, worker_processes
from squall.settings import Settings

REPORT_EVERY_S = 0.5
STALE_LIMIT_S = 15.0
MAINTAIN = "maintain"
SETTLE_S = 60
"""Workers and dashboard have started by then."""


@dataclass
class Stack:
    """What runs."""

    settings: Settings
    addresses: Addresses
    supervisor: Supervisor
    workers: list[Child]
    dashboard: Child | None
    dashboard_url: str
    """Empty where there is no dashboard."""

    def describe(self) -> dict[str, Any]:
        """The state as plain values; `squall status` reads them."""
        return {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "namespace": self.settings.namespace,
            "broker": self.addresses.bootstrap,
            "broker_kind": self.addresses.broker_kind,
            "database_url": masked(self.addresses.database_url),
            "dashboard": self.dashboard_url,
            "processes": [child.describe() for child in self.supervisor.children],
        }


def masked(url: str) -> str:
    """A database URL without its password."""
    from sqlalchemy import make_url

    parsed = make_url(url)
    return parsed.render_as_string(hide_password=True) if parsed.password else url


@contextmanager
def stack(
    settings: Settings,
    *,
    workers: int,
    dashboard: bool,
    prepare: Callable[[Settings, Addresses], None],
    on_broker: Callable[[str], object] = lambda _bootstrap: None,
    maintain: bool = False,
    wipe: bool = False,
) -> Iterator[Stack]:
    """Run everything for the duration. The workers may still be starting when it begins.

    Args:
        prepare: makes schema and topics, before workers and dashboard start.
        on_broker: called with its address after each start of an embedded broker.
        maintain: run the scheduled tasks, too.
        wipe: remove all that the home held before.

    Raises:
        ServiceError: another one runs in this home, or a part does not start.
    """
    home = Home(settings).make()
    lock = home.lock("up")
    if not lock.take_soon():
        raise ServiceError(f"it runs already in {home.path}{_by(home)}: `squall down` stops it")
    supervisor = Supervisor()
    with ExitStack() as cleanup:
        cleanup.callback(lock.release)
        stop_stale_children(home)
        if wipe:
            _wipe(home)
        cleanup.callback(home.state("up").unlink, missing_ok=True)
        addresses = _services(settings, supervisor, cleanup, on_broker)
        prepare(settings, addresses)
        page, url = None, ""
        if dashboard:
            program, url = _dashboard_program(settings, addresses, home)
            page = supervisor.start(program)
            cleanup.callback(supervisor.stop, [page])
        if maintain:
            program = _maintain_program(settings, addresses, home)
            cleanup.callback(supervisor.stop, [supervisor.start(program)])
        running = worker_processes(settings, addresses, workers, supervisor=supervisor, wait=False)
        one = Stack(settings, addresses, supervisor, cleanup.enter_context(running), page, url)
        cleanup.enter_context(_reporting(home, one))
        yield one


def _services(settings: Settings, supervisor: Supervisor, cleanup: ExitStack, on_broker: Callable[[str], object]) -> Addresses:
    url = settings.database.url.get_secret_value() if settings.database.url else ""
    bootstrap, kind = settings.kafka.bootstrap_servers or "", "external"
    if not url:
        url = cleanup.enter_context(lease(settings, "database", supervisor, own=True)).address
    elif not postgres.answers(url):
        raise ServiceError(f"no Postgres answers at {masked(url)}: SQUALL_DATABASE__URL names it")
    if not bootstrap:
        service = cleanup.enter_context(lease(settings, "broker", supervisor, own=True, on_ready=on_broker))
        bootstrap, kind = service.address, service.kind
    return Addresses(bootstrap, url, kind)


def _dashboard_program(settings: Settings, addresses: Addresses, home: Home) -> tuple[Program, str]:
    host, port = settings.dashboard.host, settings.dashboard.port or free_ports(1)[0]
    if not is_free(port):
        raise ServiceError(f"port {port} is taken: set SQUALL_DASHBOARD__PORT (0: any free one), or leave the dashboard out")
    chosen = settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"port": port})})
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared, not bound
    program = Program(
        name="dashboard",
        command=(sys.executable, "-m", "dashboard"),
        log=home.logs / "dashboard.log",
        environment=environment(chosen, addresses.bootstrap, addresses.database_url),
        ready=lambda _pid: serves(url),
        stage=STAGE,
        stop_wait_s=5,
        start_limit_s=180,
    )
    return program, url


def _maintain_program(settings: Settings, addresses: Addresses, home: Home) -> Program:
    return Program(
        name=MAINTAIN,
        command=(sys.executable, "-m", "squall", "maintain", "--settle", str(SETTLE_S)),
        log=home.logs / "maintain.log",
        environment=environment(settings, addresses.bootstrap, addresses.database_url),
        ready=lambda _pid: True,
        stage=STAGE,
    )


def serves(url: str) -> bool:
    """Whether the dashboard at this address is well."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:  # an HTTP error is one, too
        return False


@contextmanager
def _reporting(home: Home, one: Stack) -> Iterator[None]:
    done = threading.Event()

    def report() -> None:
        while not done.wait(REPORT_EVERY_S):
            with suppress(OSError):
                write_json(home.state("up"), one.describe())

    write_json(home.state("up"), one.describe())
    thread = threading.Thread(target=report, name="report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _by(home: Home) -> str:
    content = read_json(home.state("up"))
    return f" (process {content['pid']})" if content and "pid" in content else ""


def stop_stale_children(home: Home) -> list[str]:
    """Stop what a run that was killed left behind; the caller holds its lock. Returns the names of what was stopped."""
    content = read_json(home.state("up")) or {}
    left = [one for one in content.get("processes", []) if one["pid"] and is_alive(one["pid"], one["started"])]
    names = [str(one["name"]) for one in left]
    for stage in sorted({one["stage"] for one in left}, reverse=True):
        alive = [one for one in left if one["stage"] == stage]
        for forced in (False, True):
            for one in alive:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(one["pid"], signal.SIGKILL if forced else one["signal"])
            end = time.monotonic() + STALE_LIMIT_S
            while alive and time.monotonic() < end:
                alive = [one for one in alive if is_alive(one["pid"], one["started"])]
                time.sleep(0.05)
    home.state("up").unlink(missing_ok=True)
    return names


def _wipe(home: Home) -> None:
    """Remove what the home holds, once nobody uses it; the locks stay, others may be waiting for them."""
    import shutil

    from squall.embedded.services import stop_stale

    held: list[Lock] = []
    try:
        for name in ("database", "broker"):
            lock = home.lock(name)
            if not lock.take_soon():
                raise ServiceError(f"another command uses the {name} of {home.path}: end it first")
            held.append(lock)
            stop_stale(home, "database" if name == "database" else "broker")
        for entry in home.path.iterdir():
            if entry == home.run:
                for inner in home.run.iterdir():
                    if inner.is_dir():
                        shutil.rmtree(inner)
                    elif inner.suffix != ".lock":
                        inner.unlink()
            elif entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    finally:
        for lock in held:
            lock.release()
    home.make()
