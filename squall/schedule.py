"""The tasks that keep an installation in order: what each runs, when, and when again. Pure.

`dags/` has a DAG of the same name for each, for who runs Airflow; the tests hold the two against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from squall.durations import lasting

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

Outcome = Literal["running", "retrying", "succeeded", "skipped", "failed", "stopped"]
"""`retrying`: it failed and is tried again; `failed`: for good; `stopped`: whoever ran it was asked to stop."""

RETRIES = 3
FIRST_PAUSE = timedelta(minutes=1)
PAUSE_GROWS = 2.0
LONGEST_PAUSE = timedelta(minutes=30)


@dataclass(frozen=True)
class Task:
    """A `squall` command that runs once a period. The names of its fields are those of a cron entry in UTC."""

    name: str
    about: str
    """What it is good for, in a few words for people."""
    cron: str
    """Minute, hour, day, month; no weekday, which crontab and APScheduler count differently. In UTC."""
    words: tuple[str, ...]
    """The command; `{instant}`, `{day}` and `{two_years_before}` are those of the period's end."""
    limit: timedelta
    """A try that takes longer has failed."""
    clears: tuple[Outcome, ...] = ("succeeded",)
    """Outcomes that resolve the incident of an earlier failure."""
    package: str = ""
    """Without this optional package it is skipped."""

    def command(self, period: datetime) -> tuple[str, ...]:
        """The words of the command for the period that ends then."""
        day, before = f"{period:%Y-%m-%d}", f"{period - timedelta(days=730):%Y-%m-%d}"
        return tuple(word.format(instant=f"{period:%Y-%m-%dT%H:%M:%S}", day=day, two_years_before=before) for word in self.words)

    def following(self, at: datetime) -> datetime:
        """When the next period after an instant ends."""
        found: datetime | None = _trigger(self.cron).get_next_fire_time(None, at.astimezone(UTC) + timedelta.resolution)
        if found is None:
            raise ValueError(f"{self.cron} never comes again")
        return found

    def latest(self, now: datetime) -> datetime:
        """When the last period ended that has ended by now."""
        back = timedelta(minutes=1)
        while (at := self.following(now - back)) > now:
            back *= 2
        while (later := self.following(at)) <= now:
            at = later
        return at


TASKS = (
    Task(
        "retention",
        "partitions ahead, old ones dropped",
        "15 3 * * *",
        ("db", "retain", "--as-of", "{instant}", "--json"),
        timedelta(hours=2),
    ),
    Task(
        "prices",
        "daily bars after each close",
        "0 23 * * *",
        ("ingest", "close", "--day", "{day}", "--json"),
        timedelta(hours=1),
    ),
    Task(
        "calibrate",
        "where the alarm lines stand",
        "0 5 * * *",
        ("calibrate", "--days", "120", "--skip-short", "--json"),
        timedelta(hours=6),
        clears=("succeeded", "skipped"),
    ),
    Task(
        "drift",
        "how far news and answers have moved",
        "30 3 * * *",
        ("drift", "--as-of", "{day}", "--json"),
        timedelta(hours=1),
    ),
    Task(
        "lead_lag",
        "whose mood has led its price",
        "0 2 * * *",
        ("leadlag", "--from", "{two_years_before}", "--to", "{day}", "--json"),
        timedelta(hours=2),
        package="statsmodels",
    ),
    Task(
        "embed",
        "search by meaning",
        "*/10 * * * *",
        ("embed", "--most", "20000", "--json"),
        timedelta(hours=1),
    ),
)
"""In the order in which they catch up."""


class Run(NamedTuple):
    """What became of a task's period; `squall.db.maintenance.Maintenance` says what each field is."""

    task: str
    period: datetime
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome
    failures: int
    said: str
    host: str


class Standing(NamedTuple):
    """How a task stands: its last run, and when it is due again."""

    task: Task
    last: Run | None
    next_at: datetime


def pause(failures: int) -> timedelta | None:
    """How long to wait after so many failures of a period; None: it has failed for good."""
    if failures > RETRIES:
        return None
    return min(LONGEST_PAUSE, FIRST_PAUSE * PAUSE_GROWS ** (failures - 1))


def due_at(task: Task, last: Run | None, now: datetime, *, afresh: bool = False) -> datetime:
    """When a task is to run; not after `now`: at once.

    What was missed is due, the last period only. A run without an end is one whose maintainer has died, so only who holds the
    lease may go by this.

    Args:
        afresh: also what has failed for good is due again.
    """
    if last is None:
        return task.latest(now)
    if last.outcome == "retrying":
        return (last.ended_at or last.started_at) + (pause(last.failures) or timedelta(0))
    again = last.outcome in ("running", "stopped") or (afresh and last.outcome == "failed")
    return last.period if again else task.following(last.period)


def period_to_run(task: Task, last: Run | None, now: datetime) -> datetime:
    """The period that a due task runs for: one that is being retried is brought to its end first."""
    return last.period if last and last.outcome == "retrying" else task.latest(now)


def words(standings: Sequence[Standing], held: bool, wanted: bool, now: datetime) -> str:
    """How the tasks stand, in one line for people: the alarm lines, and what is in trouble.

    Args:
        held: somebody runs them.
        wanted: the settings do not leave them to others.
    """
    if not held and not wanted:
        return "left to others (SQUALL_MAINTAIN=false)"
    if not held:
        return "nobody runs the scheduled tasks: `squall maintain` does (where Airflow does, its own pages tell)"
    told = [_one(one, now) for one in standings if one.task.name == "calibrate"]
    told += [
        f"{one.task.name} failed: {one.last.said}"
        for one in standings
        if one.last and one.last.outcome in ("failed", "retrying") and one.task.name != "calibrate"
    ]
    return "; ".join(told)


def _one(one: Standing, now: datetime) -> str:
    name, last = one.task.name, one.last
    then = f"next in {lasting(one.next_at - now)}" if one.next_at > now else "due now"
    if last is None:
        return f"{name} has not run yet, {then}"
    if last.outcome == "running":
        return f"{name} runs for {lasting(now - last.started_at)}"
    ago = f"{lasting(now - (last.ended_at or last.started_at))} ago"
    if last.outcome == "succeeded":
        return f"{name} {ago}, {then}"
    because = f": {last.said}" if last.said else ""
    said = "failed, is tried again" if last.outcome == "retrying" else last.outcome
    return f"{name} {said} {ago}{because}, {then}"


@cache
def _trigger(cron: str) -> "CronTrigger":
    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger.from_crontab(cron, timezone=UTC)
