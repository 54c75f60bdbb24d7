"""A worker process: agents of the stream and periodic tasks, until it is asked to stop or must give up."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import structlog

from squall.embedded import Addresses
from squall.errors import UsageError, UserError
from squall.settings import Settings
from streams.app import WorkerApp
from streams.deadletters import DeadLetterStore
from streams.health import Health
from streams.runtime import BatchLoop, Context, Parts, Surroundings, run_periodic

log = structlog.get_logger("squall.worker")

MODULES = {
    "intake": "streams.intake",
    "market": "streams.market",
    "scoring": "streams.scoring",
    "clock": "streams.clock",
    "watch": "streams.watch",
    "notify": "streams.notify",
    "redrive": "streams.redrive",
}
FINISH_S = 6.0
"""How long a batch in hand has to finish when the worker is asked to stop."""
LEAVE_S = 6.0


class WorkerError(UserError):
    """The worker cannot start; the message says what to do."""


def run(settings: Settings, addresses: Addresses, names: Sequence[str] = (), *, exit_when_stalled: bool = False) -> int:
    """Run a worker until it is asked to stop (SIGTERM, SIGINT) or gives up; returns the exit status.

    Args:
        names: which of `MODULES`; none: all. A worker of some is in a consumer group of its own.
        exit_when_stalled: end the process after `stream.stall_s` with lag and without progress, as `squall up` would do.

    Raises:
        UserError: topics or schema are not as they should be, or a name is unknown.
    """
    if unknown := sorted(set(names) - MODULES.keys()):
        raise UsageError(f"no agent {unknown[0]}: there are {', '.join(MODULES)}")
    health = Health.of_process(settings)
    health.start()
    if exit_when_stalled:
        health.exit_when_stalled(settings.stream.stall_s, leave)
    try:
        context = _context(settings, addresses)
        chosen = [name for name in MODULES if not names or name in names]
        parts = _collect([import_module(MODULES[name]).parts(context) for name in chosen])
        health.about = parts.about
        group = f"{settings.pg_schema}-workers"
        if len(chosen) < len(MODULES):
            group += "-" + "-".join(chosen)
        return asyncio.run(_run(context, addresses, parts, group, health))
    finally:
        health.stop()


def _context(settings: Settings, addresses: Addresses) -> Context:
    from squall.db.engine import make_engine
    from squall.db.migrate import check_revision
    from squall.topics import check_topics

    engine = make_engine(settings, addresses.database_url)
    try:
        check_topics(settings, addresses.bootstrap)
        check_revision(engine, settings)
    except UserError:
        raise
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    return Context(settings, engine)


def _collect(parts: Sequence[Parts]) -> Parts:
    return Parts(
        agents=[agent for one in parts for agent in one.agents],
        periodics=[periodic for one in parts for periodic in one.periodics],
        about=lambda: {name: line for one in parts for name, line in one.about().items()},
    )


async def _run(context: Context, addresses: Addresses, parts: Parts, group: str, health: Health) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(len(parts.agents) + len(parts.periodics) + 2, "part"))
    app = WorkerApp(context.settings, addresses.bootstrap, group, health)
    around = Surroundings(sender=app, progress=health, store_dead=DeadLetterStore(context.engine).store)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, around.stopping.set)
    for agent in parts.agents:
        app.add(BatchLoop(agent, around))
    await app.start()
    tasks = [asyncio.create_task(run_periodic(periodic, around)) for periodic in parts.periodics]
    tasks.append(asyncio.create_task(_watch_over(app, health)))
    log.info("started", group=group, agents=[agent.name for agent in parts.agents], tasks=[one.name for one in parts.periodics])
    ends: list[asyncio.Future[Any]] = [asyncio.create_task(around.stopping.wait()), app.failure]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    error = app.failure.exception() if app.failure.done() else None
    health.whole("failed" if error else "stopping")
    log.log(logging.ERROR if error else logging.INFO, "stopping", error=str(error) if error else None, exc_info=error)
    around.stopping.set()
    await _settle(app, tasks)
    return 1 if error else 0


async def _watch_over(app: WorkerApp, health: Health) -> None:
    while True:
        await asyncio.sleep(1.0)
        if (reason := app.crashed) and not app.failure.done():
            app.failure.set_exception(reason)
        try:
            health.lag(app.lag())
        except Exception as error:
            # Between two assignments the consumer knows no offsets.
            log.debug("lag unknown", error=str(error))


async def _settle(app: WorkerApp, tasks: Sequence["asyncio.Task[None]"]) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + FINISH_S
    while app.busy and loop.time() < until:
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    try:
        await asyncio.wait_for(app.stop(), LEAVE_S)
    except TimeoutError:
        log.warning("left without a word to the broker", busy=app.busy)


def set_up_logs(level: str) -> None:
    """Lines of key=value on standard error, those of libraries from `warning` on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(pid=os.getpid())
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="timestamp=%(asctime)s level=%(levelname)s %(name)s %(message)s"
    )


def leave(status: int) -> None:
    """End the process now: a thread that waits for a database that is away must not hold it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
