"""The pipeline's page: what flows, and what could not be processed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, text

from squall.db import maintenance
from squall.db.calibrations import Calibration, add_calibrations
from squall.db.lease import Lease
from squall.lines import detector_mark
from squall.schedule import TASKS
from squall.settings import DetectionSettings, Settings
from tests.browser.conftest import Visit
from tests.browser.world import FIRST, NOW


def test_it_says_how_work_flows(visit: Visit) -> None:
    page = visit("/pipeline").page
    tiles = page.locator("#flow-tiles")
    expect(tiles).to_contain_text("Messages waiting12")
    expect(tiles).to_contain_text("Sources in trouble1 of 4")
    expect(tiles).to_contain_text("Late in the last day0")
    expect(tiles).to_contain_text("2.")
    expect(page.locator("#flow-partitions tbody tr")).to_have_count(3)
    expect(page.locator("#flow-workers")).to_contain_text("48,210")
    expect(page.locator("#flow-workers")).to_contain_text("▲ degraded: the GPU's memory does not suffice for batches of 32")
    expect(page.locator("#flow-workers")).to_contain_text("torch bf16 on cuda, batches of 8")
    expect(page.locator("#flow-sources tbody tr").first).to_contain_text("▲ 503 Service Unavailable")
    page.locator("#flow .barlayer .point").first.wait_for(state="attached")
    page.locator("#flow-range").get_by_text("5d", exact=True).click()
    expect(page.locator("#flow .ytitle")).to_have_text("Mentions / 3 h")


def test_dead_letters_are_read_and_sent_again(visit: Visit, world: Engine) -> None:
    page = visit("/pipeline").page
    reason = page.locator(".dead-reason", has_text="published_at")
    expect(reason).to_contain_text("3 waiting")
    reason.locator("summary").click()
    expect(reason.locator(".letter")).to_have_count(3)
    expect(reason.locator("pre").first).to_contain_text("<img src=x onerror=window.pwned=1>")
    assert page.evaluate("() => window.pwned") is None
    reason.get_by_role("button", name="Send 3 again").click()
    expect(page.locator("#redrive-words")).to_contain_text("3 messages will go to their topic again")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#redrive-words")).to_be_hidden()
    reason.get_by_role("button", name="Send 3 again").click()
    page.locator("#redrive-yes").click()
    expect(reason).to_contain_text("3 asked for")
    sent = "UPDATE dead_letter SET redriven_at = now(), asked_at = NULL WHERE asked_at IS NOT NULL RETURNING asked_by"
    with world.begin() as connection:
        assert len(list(connection.execute(text(sent)))) == 3
    expect(reason).to_contain_text("3 sent again")


def test_the_alarm_line_says_what_it_rests_on(visit: Visit, world: Engine) -> None:
    panel = visit("/pipeline").page.locator(".panel-lines")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Not calibrated: warns very seldom. Run squall calibrate")
    mark = detector_mark(DetectionSettings())
    found = Calibration("companies", 1.0, -2.1, FIRST, NOW, 231, 4, 800, 776, mark, "ana")
    with world.begin() as connection:
        add_calibrations(connection, [found])
    try:
        expect(rows.first).not_to_contain_text("Not calibrated")
        expect(rows.first).to_contain_text("0.84")
        expect(rows.first).to_contain_text("Calibrated on 231 days up to")
        expect(rows.last).to_contain_text("Sectors, topics, market")
        expect(rows.last).to_contain_text("Not calibrated")
    finally:
        with world.begin() as connection:
            connection.execute(text("TRUNCATE calibration"))


@contextmanager
def maintained(world: Engine) -> Iterator[Lease]:
    """As if somebody ran the scheduled tasks, of which one has failed and one has never run."""
    lease = Lease(world, maintenance.lease_name(Settings().in_namespace("demo").pg_schema))
    now = datetime.now(UTC)
    assert lease.held()
    ended = {
        "retention": ("succeeded", 0, ""),
        "prices": ("skipped", 0, "SQUALL_PRICES__TICKERS is empty"),
        "calibrate": ("succeeded", 0, ""),
        "drift": ("failed", 4, "cannot reach the database: connection to server at 10.0.0.7, port 5432 failed"),
        "embed": ("retrying", 1, "not done after 60 min, and killed"),
    }
    try:
        with world.begin() as connection:
            for task in TASKS:
                if task.name in ended:
                    period = task.latest(now)
                    maintenance.begin(connection, task.name, period, period, "desk-1")
                    outcome, failures, said = ended[task.name]
                    maintenance.end(
                        connection,
                        task.name,
                        period,
                        period + timedelta(minutes=2),
                        outcome,  # type: ignore[arg-type]
                        failures,
                        said,
                    )
        yield lease
    finally:
        lease.release()
        with world.begin() as connection:
            connection.execute(text("TRUNCATE maintenance"))


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scheduled_tasks_say_how_they_stand(visit: Visit, world: Engine, width: int, scheme: str) -> None:
    with maintained(world) as lease:
        page = visit("/pipeline", width=width, color_scheme=scheme).page
        panel = page.locator(".panel-tasks")
        rows = panel.locator("tbody tr")
        expect(rows).to_have_count(len(TASKS))
        expect(rows.filter(has_text="retention")).to_contain_text("Succeeded")
        expect(rows.filter(has_text="prices")).to_contain_text("Skipped: SQUALL_PRICES__TICKERS is empty")
        expect(rows.filter(has_text="drift")).to_contain_text("▲ Failed: cannot reach the database")
        expect(rows.filter(has_text="embed")).to_contain_text("▲ Failed, is tried again")
        expect(rows.filter(has_text="lead lag")).to_contain_text("Never")
        expect(panel).not_to_contain_text("Nobody")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        lease.release()
        expect(panel).to_contain_text("▲ Nobody runs them at present: squall maintain does")


def test_a_replay_has_no_scheduled_tasks(visit: Visit) -> None:
    expect(visit("/pipeline").page.locator(".panel-tasks")).to_contain_text("A replay has none.")
