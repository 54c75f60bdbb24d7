"""Who runs the scheduled tasks: real children, real leases, on a real database."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pipelines.maintenance.maintainer import SQUALL, Maintainer
from squall.cli.incidents import clear_task, raise_task
from squall.db import maintenance as store
from squall.db.partitions import existing_months
from squall.embedded.environment import environment
from squall.embedded.state import started_at
from squall.schedule import TASKS, Task, words
from streams.runtime import Context
from tests.integration.stage import empty, stage
from tests.waiting import wait_until

LIMIT_S = 120
YEARLY = "0 0 1 1 *"
CHILD = """
import os, signal, subprocess, sys, time
from pathlib import Path
how, day = sys.argv[1:]
folder = Path(__file__).parent
with (folder / "seen").open("a") as seen:
    print("begins", how, day, os.getpid(), file=seen)
if how == "fails" and not (folder / "mended").exists():
    sys.exit("squall: the disk is full")
if how == "skips":
    print("nothing to do yet")
    sys.exit(99)
if how == "hangs":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "inner").write_text(str(inner.pid))
    time.sleep(600)
while how == "waits" and not (folder / "go").exists():
    time.sleep(0.05)
with (folder / "seen").open("a") as seen:
    print("ends", how, day, os.getpid(), file=seen)
"""
MAINTAINING = """
import sys
from datetime import timedelta
from pathlib import Path
import squall.schedule
from squall.embedded.signals import Stopped, stoppable
from squall.settings import Settings
from streams.runtime import Context
from squall.db.engine import make_engine
from tests.integration.test_maintainer import maintainer, task
squall.schedule.FIRST_PAUSE = timedelta(milliseconds=100)
home, url, how = sys.argv[1:]
settings = Settings(home=Path(home))
try:
    with stoppable():
        maintainer(Context(settings, make_engine(settings, url)), Path(home), task(how)).run()
except Stopped:
    print("stopped", flush=True)
"""


def task(how: str, limit_s: float = 600) -> Task:
    return Task(how, "", YEARLY, (how, "{day}"), timedelta(seconds=limit_s))


def maintainer(context: Context, folder: Path, *tasks: Task, program: tuple[str, ...] = ()) -> Maintainer:
    def tell(connection: Any, name: str, problem: str | None) -> None:
        if problem is None:
            clear_task(connection, context.settings, name)
        else:
            raise_task(connection, context.settings, name, problem)

    url = context.engine.url.render_as_string(hide_password=False)
    return Maintainer(
        context.engine,
        context.settings,
        environment=environment(context.settings, "", url),
        tell=tell,
        say=lambda line: print(line, flush=True),
        tasks=tasks,
        program=program or (sys.executable, str(folder / "child.py")),
    )


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("maintain"), namespace="") as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing")
    return module_context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "seen").touch()
    return tmp_path


@pytest.fixture
def start(context: Context, folder: Path) -> Iterator[Callable[[str, str], subprocess.Popen[bytes]]]:
    """Run a maintainer of one task as a process; what it says goes to the file of its name."""
    started: list[subprocess.Popen[bytes]] = []
    url = context.engine.url.render_as_string(hide_password=False)

    def go(name: str, how: str) -> subprocess.Popen[bytes]:
        with (folder / name).open("wb") as log:
            command = (sys.executable, "-c", MAINTAINING, str(folder), url, how)
            started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    yield go
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def rows(context: Context, query: str) -> list[tuple[Any, ...]]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def outcomes(context: Context) -> dict[str, tuple[str, int, str]]:
    return {name: (outcome, failures, said) for name, outcome, failures, said in rows(context, _OUTCOMES)}


_OUTCOMES = "SELECT task, outcome, failures, said FROM maintenance"


def incidents(context: Context) -> list[tuple[Any, ...]]:
    return rows(context, "SELECT rule, state FROM incident ORDER BY rule")


def age_incidents(context: Context) -> None:
    """An incident is resolved by what comes a minute later at the earliest."""
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE incident SET opened_at = opened_at - interval '5 minutes'"))


def lines(file: Path, having: str) -> list[str]:
    return [line for line in file.read_text().splitlines() if having in line]


def gone(pid: int) -> bool:
    return started_at(pid) is None


def held(context: Context) -> bool:
    with context.engine.connect() as connection:
        return store.is_held(connection)


def test_what_is_due_runs_once_and_its_end_is_kept(context: Context, folder: Path) -> None:
    one = maintainer(context, folder, task("works"), task("skips"), task("fails"))
    assert one.once() is False
    failed = ("failed", 1, "the disk is full")
    assert outcomes(context) == {"works": ("succeeded", 0, ""), "skips": ("skipped", 0, "nothing to do yet"), "fails": failed}
    day = f"{datetime.now(UTC).year}-01-01"
    assert lines(folder / "seen", "works") == [*lines(folder / "seen", "begins works"), *lines(folder / "seen", "ends works")]
    assert f"begins works {day}" in (folder / "seen").read_text()
    assert one.once() is False
    assert len(lines(folder / "seen", "begins works")) == len(lines(folder / "seen", "begins skips")) == 1
    assert len(lines(folder / "seen", "begins fails")) == 2, "a person who asks again has mended something"
    assert incidents(context) == [("task fails", "firing")]
    age_incidents(context)
    (folder / "mended").touch()
    assert one.once() is True
    assert outcomes(context)["fails"] == ("succeeded", 0, "")
    assert incidents(context) == [("task fails", "resolved")]
    assert not held(context)


def test_a_real_task_makes_partitions(context: Context, folder: Path) -> None:
    retention = next(one for one in TASKS if one.name == "retention")
    assert maintainer(context, folder, retention, program=SQUALL).once() is True
    with context.engine.connect() as connection:
        ahead = datetime.now(UTC) + timedelta(days=31)
        assert (ahead.year, ahead.month) in existing_months(connection)
        assert words(store.standings(connection, datetime.now(UTC)), True, True, datetime.now(UTC)).startswith(
            "calibrate has not run"
        )


def test_a_package_that_is_not_there_skips_its_task(context: Context, folder: Path) -> None:
    missing = Task("leadlag", "", YEARLY, ("leadlag",), timedelta(hours=1), package="no_such_package")
    assert maintainer(context, folder, missing).once() is True
    assert outcomes(context)["leadlag"][0] == "skipped"
    assert "no_such_package is not installed" in outcomes(context)["leadlag"][2]


def test_what_hangs_is_killed_at_its_limit_with_all_that_it_started(context: Context, folder: Path) -> None:
    slow = Task("hangs", "", YEARLY, ("hangs", "{day}"), timedelta(seconds=3))
    assert maintainer(context, folder, slow).once() is False
    assert outcomes(context) == {"hangs": ("failed", 1, "not done after 3 s, and killed")}
    assert gone(int(lines(folder / "seen", "begins")[0].split()[-1]))
    wait_until(lambda: gone(int((folder / "inner").read_text())), "the end of the grandchild", 10)
    assert incidents(context) == [("task hangs", "firing")]


def test_old_periods_are_forgotten(context: Context) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    with context.engine.begin() as connection:
        for number in range(store.KEPT + 20):
            at = first + timedelta(minutes=number)
            assert store.begin(connection, "often", at, at, "here") == 0
            store.end(connection, "often", at, at, "succeeded", 0, "")
        store.begin(connection, "daily", first, first, "here")
    assert rows(context, "SELECT count(*), min(period) FROM maintenance WHERE task = 'often'") == [
        (store.KEPT, first + timedelta(minutes=20))
    ]
    assert rows(context, "SELECT count(*) FROM maintenance WHERE task = 'daily'") == [(1,)]


Start = Callable[[str, str], subprocess.Popen[bytes]]


def test_of_two_one_runs_and_the_other_takes_over_from_the_killed(context: Context, folder: Path, start: Start) -> None:
    first = start("first", "waits")
    wait_until(lambda: lines(folder / "seen", "begins"), "the task", LIMIT_S)
    start("second", "waits")
    wait_until(lambda: lines(folder / "second", "stands by"), "the other's standing by", LIMIT_S)
    assert held(context)
    assert len(lines(folder / "seen", "begins")) == 1
    child = int(lines(folder / "seen", "begins")[0].split()[-1])
    first.kill()
    first.wait()
    wait_until(lambda: gone(child), "the end of the killed one's child", LIMIT_S)
    wait_until(lambda: len(lines(folder / "seen", "begins")) == 2, "the takeover", LIMIT_S)
    (folder / "go").touch()
    wait_until(lambda: outcomes(context).get("waits") == ("succeeded", 0, ""), "the task's end", LIMIT_S)
    assert len(lines(folder / "seen", "ends")) == 1
    assert rows(context, "SELECT count(*) FROM maintenance") == [(1,)]


def test_who_loses_its_session_stops_its_task_and_does_it_again(context: Context, folder: Path, start: Start) -> None:
    process = start("one", "waits")
    wait_until(lambda: lines(folder / "seen", "begins"), "the task", LIMIT_S)
    child = int(lines(folder / "seen", "begins")[0].split()[-1])
    with context.engine.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
    wait_until(lambda: gone(child), "the end of the task", LIMIT_S)
    wait_until(lambda: len(lines(folder / "seen", "begins")) == 2, "another start", LIMIT_S)
    (folder / "go").touch()
    wait_until(lambda: outcomes(context).get("waits") == ("succeeded", 0, ""), "the task's end", LIMIT_S)
    assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_who_is_asked_to_stop_stops_its_task(context: Context, folder: Path, start: Start, number: signal.Signals) -> None:
    process = start("one", "waits")
    wait_until(lambda: lines(folder / "seen", "begins"), "the task", LIMIT_S)
    child = int(lines(folder / "seen", "begins")[0].split()[-1])
    os.kill(process.pid, number)
    assert process.wait(60) == 0, (folder / "one").read_text()
    assert gone(child)
    assert outcomes(context) == {"waits": ("stopped", 0, "")}
    assert not held(context)
    assert incidents(context) == []


def test_a_failing_task_is_tried_again_then_an_incident_and_a_new_start_that_works_ends_it(
    context: Context, folder: Path, start: Start
) -> None:
    first = start("first", "fails")
    wait_until(lambda: outcomes(context).get("fails", ("",))[0] == "failed", "the last try", LIMIT_S)
    assert outcomes(context) == {"fails": ("failed", 4, "the disk is full")}
    assert len(lines(folder / "seen", "begins")) == 4
    assert len(lines(folder / "first", "retrying")) == 3
    assert incidents(context) == [("task fails", "firing")]
    first.terminate()
    first.wait(60)
    age_incidents(context)
    (folder / "mended").touch()
    start("second", "fails")
    wait_until(lambda: outcomes(context)["fails"] == ("succeeded", 0, ""), "success", LIMIT_S)
    assert incidents(context) == [("task fails", "resolved")]


def test_who_is_told_to_leave_it_to_others_idles_and_asks_nothing_of_the_database(context: Context, folder: Path) -> None:
    variables = {
        "SQUALL_MAINTAIN": "false",
        "SQUALL_HOME": str(folder),
        "SQUALL_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/no",
    }
    with (folder / "idle").open("wb") as log:
        process = subprocess.Popen((*SQUALL, "maintain"), env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        wait_until(lambda: lines(folder / "idle", "this one idles"), "its saying so", LIMIT_S)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert len(lines(folder / "idle", "")) == 2
    assert lines(folder / "idle", "stopped (SIGTERM)")
    assert outcomes(context) == {}
