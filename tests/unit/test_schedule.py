"""The scheduled tasks: what is due when, and that the DAGs do the same."""

import importlib
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import jinja2
import pytest

from squall.schedule import TASKS, Outcome, Run, Standing, Task, due_at, pause, period_to_run, words

DAGS = Path(__file__).parents[2] / "dags"
BY_AIRFLOW_ALONE = {"retrain", "backfill"}
NOW = datetime(2026, 3, 10, 4, 20, tzinfo=UTC)
DAILY = Task("daily", "", "15 3 * * *", ("config",), timedelta(hours=1))
OFTEN = Task("often", "", "*/10 * * * *", ("config",), timedelta(hours=1))


def at(hour: int, minute: int = 0, day: int = 10) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def run(outcome: Outcome, period: datetime, *, task: Task = DAILY, failures: int = 0, said: str = "") -> Run:
    ended = None if outcome == "running" else period + timedelta(minutes=5)
    return Run(task.name, period, period, ended, outcome, failures, said, "here")


# --- what is due when ---


def test_what_never_ran_is_due_for_its_last_period_alone() -> None:
    assert due_at(DAILY, None, NOW) == at(3, 15)
    assert due_at(OFTEN, None, NOW) == at(4, 20)
    assert due_at(DAILY, None, at(3, 14)) == at(3, 15, day=9)


def test_what_was_missed_is_due_once_and_what_is_done_is_not() -> None:
    long_ago = run("succeeded", at(3, 15, day=2))
    assert due_at(DAILY, long_ago, NOW) < NOW
    assert period_to_run(DAILY, long_ago, NOW) == at(3, 15)
    for outcome in ("succeeded", "skipped", "failed"):
        assert due_at(DAILY, run(outcome, at(3, 15)), NOW) == at(3, 15, day=11)


@pytest.mark.parametrize("outcome", ["running", "stopped"])
def test_what_was_broken_off_is_due_at_once(outcome: Outcome) -> None:
    assert due_at(DAILY, run(outcome, at(3, 15)), NOW) <= NOW


def test_who_starts_afresh_tries_what_has_failed_for_good() -> None:
    failed = run("failed", at(3, 15), failures=4)
    assert due_at(DAILY, failed, NOW) > NOW
    assert due_at(DAILY, failed, NOW, afresh=True) <= NOW
    assert due_at(DAILY, run("succeeded", at(3, 15)), NOW, afresh=True) > NOW


def test_a_retry_waits_longer_each_time_and_stays_with_its_period() -> None:
    assert [pause(failures) for failures in (1, 2, 3, 4)] == [timedelta(minutes=minutes) for minutes in (1, 2, 4)] + [None]
    last = run("retrying", at(4, 0), task=OFTEN, failures=2)
    assert last.ended_at
    assert due_at(OFTEN, last, NOW) == last.ended_at + timedelta(minutes=2)
    assert period_to_run(OFTEN, last, NOW) == at(4, 0)


@pytest.mark.parametrize("day", [(2026, 3, 8), (2026, 3, 29), (2026, 10, 25), (2026, 11, 1)], ids=str)
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
def test_a_day_has_one_run_when_clocks_change(day: tuple[int, int, int], zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        midnight = datetime(*day, tzinfo=UTC)
        for task in TASKS:
            step = timedelta(minutes=10) if task.name == "embed" else timedelta(days=1)
            ends = [task.following(midnight - timedelta(days=1))]
            while ends[-1] < midnight + timedelta(days=2):
                ends.append(task.following(ends[-1]))
            assert {later - earlier for earlier, later in pairwise(ends)} == {step}, task.name
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_instant_means_the_same_in_any_zone() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-11)))
    for task in TASKS:
        assert (task.latest(there), task.following(there)) == (task.latest(NOW), task.following(NOW))
        assert task.latest(task.latest(NOW)) == task.latest(NOW) <= NOW < task.following(NOW)


def test_the_line_for_people_names_alarm_lines_and_troubles() -> None:
    calibrate, retention = (next(task for task in TASKS if task.name == name) for name in ("calibrate", "retention"))
    done = Standing(calibrate, run("succeeded", at(5, day=9), task=calibrate), at(5))
    broken = Standing(retention, run("failed", at(3, 15), task=retention, said="disk full"), at(3, 15, day=11))
    assert words([broken, done], True, True, NOW) == "calibrate 23 h ago, next in 40 min; retention failed: disk full"
    assert "nobody runs" in words([broken, done], False, True, NOW)
    assert words([broken, done], False, False, NOW) == "left to others (SQUALL_MAINTAIN=false)"
    short = Standing(calibrate, run("skipped", at(5, day=9), task=calibrate, said="too short"), at(5))
    assert words([short], True, True, NOW) == "calibrate skipped 23 h ago: too short, next in 40 min"
    assert words([Standing(calibrate, None, at(5, day=9))], True, True, NOW) == "calibrate has not run yet, due now"


# --- the DAGs do the same ---


class StandInDag:
    """Remembers what a DAG file asks of Airflow."""

    made: ClassVar[list["StandInDag"]] = []

    def __init__(self, name: str, **asked: Any) -> None:
        self.name, self.asked, self.tasks = name, asked, []  # type: ignore[var-annotated]

    def __enter__(self) -> "StandInDag":
        StandInDag.made.append(self)
        return self

    def __exit__(self, *_: object) -> None: ...


class StandInOperator:
    def __init__(self, **asked: Any) -> None:
        self.asked = asked
        StandInDag.made[-1].tasks.append(self)

    def __rshift__(self, other: Any) -> Any:
        return other

    def __rrshift__(self, _other: Any) -> "StandInOperator":
        return self


@pytest.fixture(scope="module")
def dags() -> Iterator[dict[str, StandInDag]]:
    """The DAG files as they are, in an Airflow that only takes notes."""
    param = SimpleNamespace(Param=lambda default=None, **_about: default)
    timetable = lambda cron, timezone: (cron, timezone)  # noqa: E731
    stand_ins = {
        "airflow": {},
        "airflow.sdk": {"DAG": StandInDag, "Param": param.Param, "CronDataIntervalTimetable": timetable},
        "airflow.providers.standard.operators.bash": {"BashOperator": StandInOperator},
        "airflow.providers.standard.operators.python": {"PythonOperator": StandInOperator},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, content in stand_ins.items():
            for parent in [name.rsplit(".", cut)[0] for cut in range(name.count("."), 0, -1)]:
                patch.setitem(sys.modules, parent, sys.modules.get(parent, ModuleType(parent)))
            module = ModuleType(name)
            vars(module).update(content)
            patch.setitem(sys.modules, name, module)
        patch.syspath_prepend(str(DAGS))
        files = sorted(DAGS.glob("*.py"))
        for file in files:
            patch.delitem(sys.modules, file.stem, raising=False)
        StandInDag.made.clear()
        for file in files:
            importlib.import_module(file.stem)
        tries = sys.modules["squall_tasks"].TRIES
        assert (tries["retries"], tries["retry_exponential_backoff"]) == (3, 2.0)
        assert (tries["retry_delay"], tries["max_retry_delay"]) == (timedelta(minutes=1), timedelta(minutes=30))
        yield {dag.name: dag for dag in StandInDag.made}
        for file in files:
            sys.modules.pop(file.stem, None)


def test_tasks_and_dags_are_the_same_but_for_what_makes_models(dags: dict[str, StandInDag]) -> None:
    assert {task.name for task in TASKS} == dags.keys() - BY_AIRFLOW_ALONE


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_task_is_its_dag_without_airflow(task: Task, dags: dict[str, StandInDag]) -> None:
    dag = dags[task.name]
    asked = dag.tasks[0].asked
    assert dag.asked["schedule"] == (task.cron, "UTC")
    assert asked["execution_timeout"] == task.limit
    clears = {"succeeded": asked["on_success_callback"], "skipped": asked["on_skipped_callback"]}
    assert {outcome for outcome, callback in clears.items() if callback} == set(task.clears)
    assert command(dag, at(3, 15)) == task.command(at(3, 15))


def command(dag: StandInDag, period: datetime) -> tuple[str, ...]:
    """The words that a DAG's first task hands to `squall` for a period."""
    asked = dag.tasks[0].asked
    days = lambda day, count: f"{datetime.fromisoformat(day) + timedelta(days=count):%Y-%m-%d}"  # noqa: E731
    known = {"params": dag.asked["params"], "data_interval_end": period, "macros": SimpleNamespace(ds_add=days)}
    values = {name: jinja2.Template(template).render(known) for name, template in asked["env"].items()}
    line = shlex.split(asked["bash_command"].removeprefix("exec squall "))
    if "--weeks-to" in line:  # for the page that Evidently draws, in Airflow's environment alone
        del line[line.index("--weeks-to") : line.index("--weeks-to") + 2]
    return tuple(values[word[1:]] if word.startswith("$") else word for word in line)
