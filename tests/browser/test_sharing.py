"""What leaves a page: a CSV that no spreadsheet runs, a link that shows the same, the list that the pages are limited to."""

import csv
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, text

from dashboard.scopes import MARKET, scope_path
from dashboard.screenshots import settled
from tests.browser import seed
from tests.browser.conftest import Visit
from tests.browser.world import NOW

FORMULA = '=HYPERLINK("http://evil.example","Boeing")'


@pytest.fixture
def hostile(world: Engine) -> Iterator[None]:
    """An incident whose summary is a formula; the world is as before afterwards."""
    at = NOW - timedelta(minutes=3)
    key = seed.incident(world, "boeing", at, "firing", "medium")
    with world.begin() as connection:
        connection.execute(text("UPDATE incident SET summary = :words WHERE id = :id"), {"words": FORMULA, "id": key})
    yield
    with world.begin() as connection:
        connection.execute(text("DELETE FROM incident WHERE id = :id"), {"id": key})


@pytest.fixture
def hardware(world: Engine) -> Iterator[str]:
    """A list of two companies; the world is as before afterwards."""
    with world.begin() as connection:
        connection.execute(text("INSERT INTO watchlist (name) VALUES ('hardware')"))
        sql = "INSERT INTO watchlist_member (watchlist, company_id, weight) VALUES ('hardware', :company, 1)"
        connection.execute(text(sql), [{"company": "ibm"}, {"company": "microsoft"}])
    yield "hardware"
    with world.begin() as connection:
        connection.execute(text("DELETE FROM watchlist WHERE name = 'hardware'"))


def test_no_cell_of_the_csv_is_a_formula(visit: Visit, hostile: None, tmp_path: Path) -> None:
    page = visit("/incidents").page
    expect(page.locator("#incident-grid .ag-row").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export the grid as CSV").click()
    download.value.save_as(tmp_path / "incidents.csv")
    with (tmp_path / "incidents.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    boeing = next(row for row in rows if row["Scope"] == "Boeing")
    assert boeing["Summary"] == f"'{FORMULA}"
    assert boeing["Opened"] == (NOW - timedelta(minutes=3)).isoformat()
    assert [cell for row in rows for cell in row.values() if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}] == []


def test_keys_shift_the_range_and_the_link_shows_the_same(visit: Visit) -> None:
    # Other tests move the clock of the world that all share.
    watched = visit(f"/company/apple?from=-1d&to={NOW:%Y-%m-%dT%H:%M:%SZ}")
    page = watched.page
    settled(page)
    count = page.locator("#stories-count")
    page.keyboard.press("[")
    expect(page.get_by_role("button", name="Until 23 Jan 16:34: follow")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query) == {"from": ["-1d"], "to": ["2013-01-23T21:34:00Z"]}
    expect(page.locator("#stories .ag-row").first.locator("[col-id=at]")).to_contain_text("23 Jan")
    page.keyboard.press("-")
    expect(page.locator("#range input:checked")).to_have_value("5d")
    expect(count).not_to_have_text("")
    settled(page)
    link = page.evaluate("() => window.squall.link()")
    assert parse_qs(urlsplit(link).query, keep_blank_values=True) == {
        "from": ["-5d"],
        "to": ["2013-01-23T21:34:00Z"],
        "list": [""],
    }
    shared = visit(link.removeprefix(watched.site)).page
    settled(shared)
    expect(shared.locator("#stories-count")).to_have_text(count.inner_text())
    expect(shared.locator("#range input:checked")).to_have_value("5d")
    page.locator("#copy-link").click()
    expect(page.locator("#copied")).to_have_text("The link to this view is copied")
    page.keyboard.press("]")
    expect(page.get_by_role("button", name="Until")).to_have_count(0)
    assert "to=" not in page.url


def test_a_list_limits_every_page_and_stays_in_the_address(visit: Visit, hardware: str) -> None:
    watched = visit(f"/?list={hardware}")
    page = watched.page
    expect(page.locator(".heat th[scope=row]")).to_have_count(3)
    page.get_by_role("link", name="Company", exact=True).click()
    expect(page).to_have_url(f"{watched.site}/company?list={hardware}")
    # Which scope comes first depends on the incidents that other tests have opened.
    expect(page.locator(".who h1")).to_have_text(re.compile("^(Market|IBM|Microsoft)$"))
    page.goto(f"{watched.site}{scope_path(MARKET)}?list={hardware}")
    expect(page.locator(".who h1")).to_have_text("Market")
    companies = page.locator("#stories .ag-row [col-id=company]")
    expect(companies.first).to_be_visible()
    assert set(companies.all_inner_texts()) <= {"IBM", "Microsoft"}
    page.locator("#picker").click()
    options = page.get_by_role("option")
    expect(options.filter(has_text="IBM")).to_have_count(1)
    expect(options.filter(has_text="Apple")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Labels").click()
    for _ in range(3):
        expect(page.locator("#label-card")).to_contain_text("What does it say of")
        assert page.locator("#label-card p").first.inner_text() in {
            f"What does it say of {name}?" for name in ("IBM", "Microsoft")
        }
        title = page.locator(".label-title").inner_text()
        page.keyboard.press("x")
        expect(page.locator(".label-title")).not_to_have_text(title)
    page.goto(watched.site + "/?list=")
    expect(page.locator(".heat th[scope=row]").filter(has_text="Apple")).to_have_count(1)


def test_tables_need_no_sideways_scrolling_at_390_px(visit: Visit) -> None:
    watched = visit("/company/apple", width=390, height=844)
    page = watched.page
    for path in ("/company/apple", "/models", "/pipeline"):
        page.goto(watched.site + path)
        expect(page.locator(".wide-table").first).to_be_visible()
        cut = page.locator(".wide-table").evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth).length")
        assert cut == 0, path
