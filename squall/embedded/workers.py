"""Worker processes of a namespace under supervision."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from squall.embedded import Addresses, health
from squall.embedded.environment import environment
from squall.embedded.state import Home
from squall.embedded.supervisor import Child, Program, Supervisor
from squall.settings import Settings

STAGE = 2
START_LIMIT_S = 180.0


def worker_program(settings: Settings, addresses: Addresses, number: int, count: int) -> Program:
    """One of `count` workers: `squall worker` in the settings' namespace."""
    home = Home(settings).make()
    shared = settings.model_copy(update={"workers": count})
    watches: dict[int, health.StallWatch] = {}

    def ready(pid: int) -> bool:
        said = health.read(settings, pid)
        return said is not None and (said.state == "running" or said.state.startswith("waiting"))

    def unhealthy(pid: int) -> str:
        if pid not in watches:
            watches.clear()
            watches[pid] = health.StallWatch(settings.stream.stall_s)
        return watches[pid].observe(health.read(settings, pid), time.monotonic())

    prefix = f"{settings.namespace}-" if settings.namespace else ""
    return Program(
        name=f"worker-{number}",
        command=(sys.executable, "-m", "squall", "worker"),
        log=home.logs / f"{prefix}worker-{number}.log",
        environment=environment(shared, addresses.bootstrap, addresses.database_url),
        before=lambda: health.forget_dead(settings),
        ready=ready,
        unhealthy=unhealthy,
        stage=STAGE,
        start_limit_s=START_LIMIT_S,
    )


@contextmanager
def worker_processes(
    settings: Settings, addresses: Addresses, count: int, *, supervisor: Supervisor | None = None, wait: bool = True
) -> Iterator[list[Child]]:
    """Run workers of the settings' namespace for the duration; those that die or stall are started again.

    Each `Child` has `pid` (None between a death and the next start), `state`, `restarts`, `reason` and
    `program.log`. Workers get the settings by their environment and the given addresses.

    Args:
        wait: return only when each has said once that it runs.

    Raises:
        StartError: a worker does not start; the message names its log.
    """
    supervisor = supervisor or Supervisor()
    children: list[Child] = []
    try:
        for number in range(1, count + 1):
            children.append(supervisor.start(worker_program(settings, addresses, number, count)))
        if wait:
            for child in children:
                child.wait_ready(START_LIMIT_S)
        yield children
    finally:
        supervisor.stop(children)
        health.forget_dead(settings)
