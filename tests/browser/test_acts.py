"""What a person does to an incident, by mouse and by key, and who is said to have done it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, text

from dashboard.screenshots import settled
from tests.browser import seed
from tests.browser.conftest import Visit
from tests.browser.world import NOW


@pytest.fixture
def own(world: Engine) -> Iterator[str]:
    """An incident that only one test touches; the world is as before afterwards."""
    yield seed.incident(world, "boeing", NOW, "firing", "medium")
    with world.begin() as connection:
        connection.execute(text("DELETE FROM incident WHERE scope = 'company:boeing' AND opened_at = :at"), {"at": NOW})
        connection.execute(text("DELETE FROM silence"))


def pressed(page: Any, key: str) -> None:
    """Press a key when no question is open any more; again where its button was just being drawn anew."""
    expect(page.locator("#act-yes")).to_be_hidden()
    page.keyboard.press(key)
    with suppress(AssertionError):
        expect(page.locator("#act-yes")).to_be_visible(timeout=30_000)
        return
    page.keyboard.press(key)
    expect(page.locator("#act-yes")).to_be_visible()


def audit(world: Engine, incident: str) -> list[tuple[Any, ...]]:
    query = "SELECT kind, actor FROM incident_event WHERE incident_id = :id AND actor <> 'squall' ORDER BY number"
    with world.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), {"id": incident})]


def test_acknowledge_note_silence_and_false_with_undo(visit: Visit, world: Engine, own: str) -> None:
    page = visit(f"/incidents?sel={own}").page
    settled(page)
    detail = page.locator("#incident-detail")
    expect(detail).to_contain_text("Boeing")
    detail.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#act-question")).to_contain_text("cannot be taken back")
    page.locator("#act-yes").click()
    expect(detail).to_contain_text("Acknowledged by local")
    expect(detail.get_by_role("button", name="Acknowledge")).to_be_disabled()

    pressed(page, "n")
    page.locator("#act-yes").click()
    expect(page.locator("#act-error")).to_contain_text("a word is needed")
    page.locator("#act-text").fill("Their press office <b>denies</b> it")
    page.locator("#act-yes").click()
    expect(detail.locator(".timeline")).to_contain_text("“Their press office <b>denies</b> it”")

    pressed(page, "s")
    page.locator("#act-lasts").get_by_text("1 day", exact=True).click()
    page.locator("#act-text").fill("Known, a recall")
    page.locator("#act-yes").click()
    expect(detail.locator(".standing", has_text="Silenced until 25 Jan")).to_contain_text("“Known, a recall”")
    page.locator(".done-line").get_by_role("button", name="Undo").click()
    expect(detail.locator(".standing", has_text="Silenced until")).to_have_count(0)

    pressed(page, "f")
    page.locator("#act-text").fill("Old news told again")
    page.locator("#act-yes").click()
    expect(detail.locator(".standing", has_text="false alarm")).to_contain_text("“Old news told again”")
    page.locator(".done-line").get_by_role("button", name="Undo").click()
    expect(detail.locator(".standing", has_text="false alarm")).to_have_count(0)
    kinds = ["acknowledged", "note", "silenced", "unsilenced", "marked_false", "unmarked_false"]
    assert audit(world, own) == [(kind, "local") for kind in kinds]

    page.goto(page.url.partition("/incidents")[0] + "/audit")
    rows = page.locator(".audit tbody tr")
    expect(rows.first).to_contain_text("Took back that it was false")
    noted = rows.filter(has_text="Their press office <b>denies</b> it")
    expect(noted).to_have_count(1)
    expect(noted).to_contain_text("Added a note")
    expect(rows.filter(has_text="Acknowledged").first).to_contain_text("Boeing")
    page.locator("#audit-kind").click()
    page.get_by_role("option", name="Labels").click()
    expect(rows.filter(has_text="Acknowledged")).to_have_count(0)
    assert "kind=Labels" in page.url


def test_what_another_does_is_seen(visit: Visit, own: str) -> None:
    page = visit(f"/incidents?sel={own}").page
    expect(page.locator("#incident-detail .state")).to_have_text("Firing")
    second = visit(f"/incidents?sel={own}").page
    settled(second)
    pressed(second, "a")
    second.locator("#act-yes").click()
    expect(page.locator("#incident-detail")).to_contain_text("Acknowledged by local")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("#incident-detail .detail-head h2")).not_to_have_text("Boeing")
