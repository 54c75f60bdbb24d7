"""Runs the scheduled tasks: each as a child process at its time, one after another, on one machine of those that could."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import IO

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from squall.db import maintenance as store
from squall.db.lease import Lease
from squall.durations import lasting
from squall.embedded.groups import Reaping, end_group, how_it_ended
from squall.embedded.state import started_at
from squall.errors import SKIPPED
from squall.schedule import TASKS, Outcome, Task, due_at, pause, period_to_run
from squall.settings import Settings

SQUALL = (sys.executable, "-m", "squall")
LOOK_S = 0.2
LEASE_EVERY_S = 1.0
STOP_WAIT_S = 5.0
"""How long a task has to end when it is asked to; less than a supervisor waits for who runs it."""
SAID_CHARACTERS = 300
SHOWN_BYTES = 8192


Tell = Callable[[Connection, str, str | None], None]
"""Told, in the transaction that notes it, that a task has failed for good (with a sentence) or works again (with None)."""


class Maintainer:
    """Runs tasks while it holds the lease; another one that wants it stands by.

    Args:
        environment: of the child processes; addresses of the services among them.
        tell: see `Tell`.
        say: takes each line for people.
        program: what the words of a task's command follow.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        tell: Tell,
        say: Callable[[str], None],
        tasks: Sequence[Task] = TASKS,
        program: Sequence[str] = SQUALL,
    ) -> None:
        self._engine = engine
        self._lease = Lease(engine, store.lease_name(settings.pg_schema))
        self._environment = {**os.environ, **environment}
        self._tell = tell
        self._say = say
        self._tasks = tasks
        self._program = tuple(program)
        self._stop = threading.Event()
        self._reaper = Reaping()

    def run(self, settle_s: float = 0) -> None:
        """Run tasks as they are due, for ever; what a signal raises ends it, and the task that runs then.

        Args:
            settle_s: wait so long before what was missed is caught up.
        """
        standing_by = False
        try:
            while True:
                if self._is_ours():
                    self._say("runs the scheduled tasks")
                    self._serve(datetime.now(UTC) + timedelta(seconds=settle_s))
                    standing_by = False
                elif not standing_by:
                    standing_by = True
                    self._say("another one runs the scheduled tasks, or the database is away: this one stands by")
                time.sleep(LEASE_EVERY_S)
        finally:
            self._lease.release()
            self._reaper.close()

    def once(self) -> bool | None:
        """Run what is due, each once; whether none failed, or None where another one holds the lease."""
        if not self._lease.held():
            return None
        try:
            outcomes = [self._run_due(task, afresh=True, retry=False) for task in self._tasks]
            return "failed" not in outcomes
        finally:
            self._lease.release()
            self._reaper.close()

    def _is_ours(self) -> bool:
        try:
            return self._lease.held()
        except DBAPIError:
            return False

    def _serve(self, first: datetime) -> None:
        """Run tasks for as long as the lease is ours."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._stop.clear()
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

        def look(task: Task, afresh: bool = False) -> None:
            if self._stop.is_set():
                return
            try:
                self._run_due(task, afresh=afresh)
                with self._engine.connect() as connection:
                    again = due_at(task, store.last_runs(connection).get(task.name), datetime.now(UTC))
            except DBAPIError as error:
                self._say(f"{task.name}: the database did not take it: {str(error.orig).splitlines()[0]}")
                again = datetime.now(UTC) + timedelta(minutes=1)
            if again < task.following(datetime.now(UTC)) and not self._stop.is_set():
                scheduler.add_job(look, "date", run_date=again, args=[task], id=f"{task.name} again", replace_existing=True)

        for task in self._tasks:
            scheduler.add_job(look, CronTrigger.from_crontab(task.cron, timezone=UTC), args=[task], id=task.name)
            scheduler.add_job(look, "date", run_date=first, args=[task, True], id=f"{task.name} again")
        scheduler.start()
        try:
            while self._is_ours():
                time.sleep(LEASE_EVERY_S)
            self._say("the database is away: what runs is stopped, and done again later")
        finally:
            self._stop.set()
            scheduler.shutdown(wait=True)

    def _run_due(self, task: Task, *, afresh: bool, retry: bool = True) -> Outcome | None:
        """Run a task if it is due; returns how that ended."""
        now = datetime.now(UTC)
        with self._engine.connect() as connection:
            last = store.last_runs(connection).get(task.name)
        at = due_at(task, last, now, afresh=afresh)
        waits_for_a_try = last is not None and last.outcome == "retrying"
        if at > now and (retry or not waits_for_a_try):
            if not retry:
                self._say(f"{task.name}: done, due again in {lasting(at - now)}")
            return None
        period = period_to_run(task, last, now)
        with self._engine.begin() as connection:
            failures = store.begin(connection, task.name, period, now, socket.gethostname())
        self._say(f"{task.name}: begins, for {period:%Y-%m-%d %H:%M} UTC")
        outcome: Outcome = "stopped"
        said = ""
        try:
            outcome, said = self._child(task, period)
            if outcome == "failed":
                failures += 1
                outcome = "retrying" if retry and pause(failures) else "failed"
        finally:
            self._note(task, period, outcome, failures, said)
        self._say(f"{task.name}: {outcome} after {lasting(datetime.now(UTC) - now)}{f': {said}' if said else ''}")
        return outcome

    def _note(self, task: Task, period: datetime, outcome: Outcome, failures: int, said: str) -> None:
        """Keep how a run ended; one that ended for good is told of."""
        with self._engine.begin() as connection:
            store.end(connection, task.name, period, datetime.now(UTC), outcome, failures, said)
            if outcome == "failed":
                problem = f"The scheduled task {task.name} failed (of {period:%Y-%m-%d %H:%M} UTC): {said}"
                self._tell(connection, task.name, problem)
            elif outcome in task.clears:
                self._tell(connection, task.name, None)

    def _child(self, task: Task, period: datetime) -> tuple[Outcome, str]:
        """Run a task's command to its end, its limit, or until this one has to stop; returns how, and the last line."""
        if task.package and find_spec(task.package) is None:
            return "skipped", f"{task.package} is not installed: `squall {task.words[0]}` says how it comes"
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                (*self._program, *task.command(period)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
            stopped_by = None
            try:
                self._reaper.tell([(1, process.pid, started_at(process.pid) or time.time(), signal.SIGTERM)])
                stopped_by = self._follow(process, task.limit)
            finally:
                end_group(process, signal.SIGTERM, STOP_WAIT_S)
                self._reaper.tell([])
            said = self._show(task, output)
        if stopped_by == "stopped":
            return "stopped", ""
        if stopped_by == "limit":
            return "failed", f"not done after {lasting(task.limit)}, and killed"
        if process.returncode == 0:
            return "succeeded", ""
        return "skipped" if process.returncode == SKIPPED else "failed", said or how_it_ended(process.returncode)

    def _follow(self, process: subprocess.Popen[bytes], limit: timedelta) -> str | None:
        end = time.monotonic() + limit.total_seconds()
        while process.poll() is None:
            if self._stop.wait(LOOK_S):
                return "stopped"
            if time.monotonic() > end:
                return "limit"
        return None

    def _show(self, task: Task, output: IO[bytes]) -> str:
        """Pass on the end of what a task wrote; returns its last line."""
        output.seek(max(0, output.seek(0, os.SEEK_END) - SHOWN_BYTES))
        lines = [line.rstrip() for line in output.read().decode("utf-8", "replace").splitlines() if line.strip()]
        for line in lines:
            self._say(f"{task.name} | {line}")
        return lines[-1].removeprefix("squall: ")[:SAID_CHARACTERS] if lines else ""
