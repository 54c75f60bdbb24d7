"""The measured alarm lines. Each holds from an event minute until that of the next one of its family.

A new one holds from the minute after the last decided one: what was decided stays, and can be decided again from these rows.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from squall.acts import decided_until
from squall.errors import UserError
from squall.lines import FAMILIES, Family, Line, Lines, bounds, detector_mark
from squall.settings import DetectionSettings

MINUTE = timedelta(minutes=1)


class Calibration(NamedTuple):
    """A measured line; `squall.db.rule_tables.Calibration` says what each field is."""

    family: Family
    budget: float
    value: float
    first: datetime
    last: datetime
    judged_days: int
    plays: int
    allowed: int
    counted: int
    detector: str
    author: str
    since: datetime | None = None
    computed_at: datetime | None = None
    """Both are known of stored ones."""

    @property
    def false_a_day(self) -> float:
        """Incidents a day that permuted history had at this line."""
        return self.counted / (self.judged_days * self.plays)


class Standing(NamedTuple):
    """Where the line of a family stands, and why there."""

    family: Family
    budget: float
    """What the settings ask for."""
    set_by_hand: float | None
    """The calibration that the settings name; it goes before what was measured."""
    measured: Calibration | None
    """None: nothing that fits has been measured, or the settings go before it."""


# A line for a smaller budget keeps a larger one too. One that another detector was measured with says nothing.
_HELD = """
SELECT DISTINCT ON (family) family, budget, value, first, last, judged_days, plays, allowed, counted, detector, author, since,
       computed_at
FROM calibration
WHERE since <= %(minute)s AND detector = %(detector)s
  AND budget <= CASE family WHEN 'companies' THEN %(companies)s::float8 ELSE %(wider)s::float8 END
ORDER BY family, since DESC, id DESC
"""
_ADD = """
INSERT INTO calibration (since, family, budget, value, first, last, judged_days, plays, allowed, counted, detector, author)
VALUES (%(since)s, %(family)s, %(budget)s, %(value)s, %(first)s, %(last)s, %(judged_days)s, %(plays)s, %(allowed)s, %(counted)s,
        %(detector)s, %(author)s)
"""


def add_calibrations(connection: Connection, found: Sequence[Calibration]) -> datetime:
    """Let measured lines hold from the minute after the last decided one; returns that minute.

    Raises:
        UserError: nothing has been decided yet.
    """
    decided = decided_until(connection)
    if decided is None:
        raise UserError("nothing has been decided yet: there is no history to calibrate on")
    since = decided + MINUTE
    for one in found:
        connection.exec_driver_sql(_ADD, {**one._asdict(), "since": since})
    return since


def lines_at(connection: Connection, minute: datetime, settings: DetectionSettings) -> Lines:
    """The alarm lines by which a minute is decided."""
    plain = bounds(settings)
    measured = {one.family: one.measured for one in standings(connection, minute, settings)}
    return Lines(*(Line(one.budget, one.value) if (one := measured[family]) else plain.of(family) for family in FAMILIES))


def next_lines(connection: Connection, after: datetime) -> datetime | None:
    """The next minute from which another line may hold."""
    query = "SELECT min(since) FROM calibration WHERE since > %(after)s"
    at: datetime | None = connection.exec_driver_sql(query, {"after": after}).scalar()
    return at


def standings(connection: Connection, minute: datetime, settings: DetectionSettings) -> list[Standing]:
    """Where the line of each family stands in a minute."""
    values = {"minute": minute, "detector": detector_mark(settings)}
    values |= {"companies": settings.budget, "wider": settings.wide_budget}
    held = {one.family: one for one in (Calibration(*row) for row in connection.exec_driver_sql(_HELD, values))}
    found = []
    for family in FAMILIES:
        by_hand = settings.calibration if family == "companies" else None
        measured = held.get(family) if by_hand is None else None
        found.append(Standing(family, bounds(settings).of(family).budget, by_hand, measured))
    return found


def words(one: Standing) -> str:
    """Where a line stands, in one sentence for people."""
    asked = f"budget {one.budget:g} a day"
    if one.set_by_hand is not None:
        return f"calibration {one.set_by_hand:g} by SQUALL_DETECTION__CALIBRATION, {asked}"
    found = one.measured
    if found is None:
        return f"not calibrated, warns very seldom, {asked}: `squall calibrate` measures it"
    judged = f"calibrated on {found.judged_days} days up to {found.last.astimezone(UTC):%Y-%m-%d}"
    renewed = f", renewed {found.computed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if found.computed_at else ""
    return f"{judged}, {asked}, {found.false_a_day:.2f} false a day expected{renewed}"
