"""What became of the scheduled tasks: a row a task and period, the newest of each task kept."""

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.lease import somebody_holds
from squall.db.tables import Base
from squall.schedule import TASKS, Outcome, Run, Standing, Task, due_at

KEPT = 300
"""Periods of a task."""


class Maintenance(Base):
    """A period of a scheduled task."""

    __tablename__ = "maintenance"
    task: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[datetime] = mapped_column(primary_key=True)
    """When it ended, which is when the task was due."""
    started_at: Mapped[datetime]
    """Of the last try, as is what follows."""
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str]
    """One of `squall.schedule.Outcome`."""
    failures: Mapped[int]
    """Tries that failed."""
    said: Mapped[str]
    """The last line that the command wrote, where it did not succeed."""
    host: Mapped[str]
    """The machine that it ran on."""


_COLUMNS = "task, period, started_at, ended_at, outcome, failures, said, host"
_BEGIN = f"""
INSERT INTO maintenance ({_COLUMNS})
VALUES (%(task)s, %(period)s, %(at)s, NULL, 'running', 0, '', %(host)s)
ON CONFLICT (task, period) DO UPDATE
SET started_at = excluded.started_at, ended_at = NULL, outcome = 'running', said = '', host = excluded.host,
    failures = CASE maintenance.outcome WHEN 'failed' THEN 0 ELSE maintenance.failures END
RETURNING failures
"""
_END = """
UPDATE maintenance SET ended_at = %(at)s, outcome = %(outcome)s, failures = %(failures)s, said = %(said)s
WHERE task = %(task)s AND period = %(period)s
"""
_PRUNE = """
DELETE FROM maintenance WHERE task = %(task)s AND period <=
    (SELECT period FROM maintenance WHERE task = %(task)s ORDER BY period DESC OFFSET %(kept)s LIMIT 1)
"""


def lease_name(schema: str) -> str:
    """Name of the lease that the one who runs the tasks of a schema holds."""
    return f"maintenance {schema}"


def begin(connection: Connection, task: str, period: datetime, at: datetime, host: str) -> int:
    """Note that a task runs; returns how often it has failed in this period. What had failed for good begins anew."""
    values = {"task": task, "period": period, "at": at, "host": host}
    return int(connection.exec_driver_sql(_BEGIN, values).scalar_one())


def end(connection: Connection, task: str, period: datetime, at: datetime, outcome: Outcome, failures: int, said: str) -> None:
    """Note how a task's run ended, and forget its oldest ones."""
    values = {"task": task, "period": period, "at": at, "outcome": outcome, "failures": failures, "said": said}
    connection.exec_driver_sql(_END, values)
    connection.exec_driver_sql(_PRUNE, {"task": task, "kept": KEPT})


def last_runs(connection: Connection) -> dict[str, Run]:
    """The newest period of each task, by its name."""
    query = f"SELECT DISTINCT ON (task) {_COLUMNS} FROM maintenance ORDER BY task, period DESC"
    return {row.task: Run(*row) for row in connection.exec_driver_sql(query)}


def standings(connection: Connection, now: datetime, tasks: tuple[Task, ...] = TASKS) -> list[Standing]:
    """How each task stands."""
    runs = last_runs(connection)
    return [Standing(task, runs.get(task.name), due_at(task, runs.get(task.name), now)) for task in tasks]


def is_held(connection: Connection) -> bool:
    """Whether anybody runs the tasks of the connection's schema at present."""
    schema = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    return somebody_holds(connection, lease_name(schema))
