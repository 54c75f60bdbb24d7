"""A measured line is taken up at one minute, by whoever watches, with any restarts; old decisions stay. On a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from squall.db.calibrations import Calibration, add_calibrations, lines_at, standings
from squall.lines import Family, Line, Lines, detector_mark
from squall.settings import DetectionSettings, StreamSettings
from streams.runtime import Context
from streams.watch import Watcher
from tests.integration.stage import START, empty, stage
from tests.integration.test_watch import LATENESS, burst, close, decided, rows, score, send_ticks, week

MINUTE = timedelta(minutes=1)
DAY = 24 * 60
DETECTION = DetectionSettings()
CHANGE = 5 * DAY
END = 9 * DAY


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    stream = StreamSettings(lateness_s=60 * LATENESS)
    with stage(tmp_path_factory.mktemp("lines"), namespace="lines", stream=stream) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing", "ibm")
    return module_context


def measured(value: float, family: Family = "companies", budget: float = 1.0, detector: str = "") -> Calibration:
    mark = detector or detector_mark(DETECTION)
    return Calibration(family, budget, value, START - 90 * DAY * MINUTE, START, 59, 4, 180, 175, mark, "ana")


def add(context: Context, *found: Calibration) -> datetime:
    with context.engine.begin() as connection:
        return add_calibrations(connection, found).astimezone(UTC)


def holding(context: Context, settings: DetectionSettings = DETECTION, minute: datetime = START + END * MINUTE) -> Lines:
    with context.engine.connect() as connection:
        return lines_at(connection, minute, settings)


def weak() -> list[tuple[int, int]]:
    """When short bursts begin, and how many stories they have: too few for the bound."""
    return [(2 * DAY, 3), (CHANGE - 8, 3), (6 * DAY, 3), (7 * DAY, 3)]


def play(context: Context) -> datetime:
    """Nine days in which the line falls on the fifth; returns from when on."""
    found = week(count=300)
    for start, count in weak():
        found += burst(count, start, "ibm")
    score(context, found)
    close(context, CHANGE + LATENESS)
    since = add(context, measured(-2.0), measured(-0.5, "wider", 0.2))
    close(context, END)
    return since


def test_a_line_is_taken_up_at_its_minute_and_changes_nothing_before(context: Context) -> None:
    found = week(count=300)
    score(context, found)
    close(context, CHANGE + LATENESS)
    before = rows(context, "SELECT id, scope, opened_at, threshold FROM incident ORDER BY id")
    since = add(context, measured(-2.0), measured(-0.5, "wider", 0.2))
    assert since == START + CHANGE * MINUTE
    assert rows(context, "SELECT max(at) AS at FROM cursor") == [{"at": since - MINUTE}]
    close(context, END)
    after = rows(context, "SELECT id, scope, opened_at, threshold FROM incident ORDER BY id")
    assert before
    assert [row for row in after if row["opened_at"] < since] == before
    lines = rows(context, "SELECT scope, opened_at >= '2015-03-07' AS new, inputs ->> 'line' AS line FROM incident")
    companies = {row["new"]: float(row["line"]) for row in lines if row["scope"].startswith("company:")}
    assert companies[True] == pytest.approx(companies[False] - 2.0)


def test_the_fall_of_a_line_opens_nothing_by_itself(context: Context) -> None:
    play(context)
    with_it = rows(context, "SELECT opened_at FROM incident WHERE scope = 'company:ibm' ORDER BY 1")
    opened = [int((row["opened_at"] - START) / MINUTE) for row in with_it]
    assert not any(CHANGE <= minute < CHANGE + 720 for minute in opened)
    assert not any(minute < CHANGE for minute in opened)
    assert any(minute >= 6 * DAY for minute in opened)


def test_the_same_incidents_follow_from_the_rows_however_it_is_run(context: Context) -> None:
    play(context)
    whole = decided(context)
    kept = rows(context, "SELECT * FROM calibration ORDER BY id")
    for chunk in (7, 4000):
        with context.engine.begin() as connection:
            for table in ("incident_event", "outbox", "incident", "cursor", "decided_minute", "detector_state"):
                connection.execute(text(f"TRUNCATE {table} CASCADE"))
        Watcher(context, chunk_rows=chunk, patience_s=0).run()
        assert decided(context) == whole
    assert rows(context, "SELECT * FROM calibration ORDER BY id") == kept


def test_those_who_restart_at_every_step_decide_as_one(context: Context) -> None:
    play(context)
    whole = decided(context)
    with context.engine.begin() as connection:
        calibrations = rows(context, "SELECT * FROM calibration ORDER BY id")
        for table in ("incident_event", "outbox", "incident", "cursor", "decided_minute", "detector_state", "watermark"):
            connection.execute(text(f"TRUNCATE {table} CASCADE"))
    for minutes in (1 * DAY, CHANGE - 30, CHANGE + LATENESS - 1, CHANGE + LATENESS, CHANGE + LATENESS + 1, 6 * DAY + 60, END):
        send_ticks(context, minutes)
        Watcher(context, chunk_rows=50, patience_s=0).run()
    assert rows(context, "SELECT * FROM calibration ORDER BY id") == calibrations
    assert decided(context) == whole


def test_what_fits_holds_and_the_settings_go_before_it(context: Context) -> None:
    close(context, 60)
    plain = holding(context)
    since = add(context, measured(-2.0), measured(-1.0, detector="v1"), measured(-3.0, budget=10.0))
    assert holding(context) == Lines(Line(1.0, -2.0), plain.wider)
    assert holding(context, minute=since - MINUTE) == plain
    # A line for a smaller budget keeps a larger one; one for a larger budget does not keep a smaller one.
    assert holding(context, DetectionSettings(budget=20)) == Lines(Line(10.0, -3.0), plain.wider)
    assert holding(context, DetectionSettings(budget=5)) == Lines(Line(1.0, -2.0), plain.wider)
    assert holding(context, DetectionSettings(budget=0.1)) == Lines(Line(0.1), plain.wider)
    assert holding(context, DetectionSettings(guard_days=3)) == plain
    by_hand = DetectionSettings(calibration=0.0)
    assert holding(context, by_hand) == plain
    add(context, measured(-2.5))
    assert holding(context).companies == Line(1.0, -2.5)
    with context.engine.connect() as connection:
        companies, wider = standings(connection, since, by_hand)
        assert (companies.set_by_hand, companies.measured, wider.measured) == (0.0, None, None)
        found = standings(connection, since, DETECTION)[0].measured
    assert found is not None
    assert (found.author, found.value) == ("ana", -2.5)
    assert found.false_a_day == pytest.approx(175 / 236)
