"""The pages as a person sees them, in a real browser, on the invented world."""

import json
import os
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, delete, insert, text

from dashboard.screenshots import settled
from squall.db.model_tables import ModelEpoch
from squall.db.rule_tables import LeadLag
from squall.records import content_id
from tests.browser import seed
from tests.browser.conftest import Visit
from tests.browser.world import MODEL, NOW, item

PATHS = ["/", "/company/apple", "/scope/sector/technology", "/scope/topic/m-a-investments", "/incidents"]
# What lands must be seen within 2 s; a machine that has more to do than cores is given longer.
LIVE_MS = 2_000 if os.getloadavg()[0] < (os.cpu_count() or 1) else 30_000
RAW = [
    "None",
    "NaN",
    "undefined",
    "null",
    "meta-platforms",
    "m-a-investments",
    "company:",
    "sector:",
    "topic:",
    "Invalid Date",
    "1970",
]


def sideways(page: Any) -> int:
    return int(page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth"))


def test_first_line_says_what_is_wrong_and_its_evidence_opens(visit: Visit) -> None:
    page = visit("/").page
    expect(page.locator("#now-verdict")).to_have_text("1 High: Apple")
    expect(page).to_have_title("1 High: Apple · Squall")
    first = page.locator(".incident").first
    expect(first).to_contain_text("High")
    expect(first).to_contain_text("Firing")
    expect(first).to_contain_text("4.2 / 3.0")
    expect(first).to_contain_text("58 min")
    first.locator("button").click()
    expect(first.locator(".evidence tbody tr")).to_have_count(4)
    link = first.locator(".evidence a.headline").first
    assert link.get_attribute("href").startswith("https://")
    assert link.get_attribute("rel") == "noopener noreferrer"
    first.get_by_role("link", name="Open incident").click()
    expect(page.locator("#incident-detail")).to_contain_text("7 negative stories in 6 h")
    expect(page.locator("#incident-detail .evidence tbody tr")).to_have_count(7)
    expect(page.locator("#incident-detail")).to_contain_text("Opened")
    assert page.url.partition("?sel=")[2]


def test_header_says_that_it_is_a_replay_and_when(visit: Visit) -> None:
    page = visit("/").page
    expect(page.locator(".clock")).to_have_text("Replay demo:24 Jan 2013 16:34")
    expect(page.locator("#link-state")).to_have_text("Live")
    assert "21:34:00 UTC" in page.locator("#clock").get_attribute("title")


def test_zone_of_the_viewer_is_used_and_can_be_changed(visit: Visit) -> None:
    page = visit("/", timezone_id="Asia/Tokyo").page
    expect(page.locator("#clock")).to_have_text("25 Jan 2013 06:34")
    page.locator("#zone").click()
    page.get_by_role("option", name="UTC").click()
    expect(page.locator("#clock")).to_have_text("24 Jan 2013 21:34")
    expect(page.locator("#tape .ag-row").first).to_contain_text("24 Jan 21:31")
    page.goto(page.url.partition("?")[0] + "company/apple")
    expect(page.locator("#chart")).to_contain_text("Time (UTC)")


def test_heat_map_prints_signs_and_reads_out_a_cell(visit: Visit) -> None:
    page = visit("/").page
    cell = page.locator(".heat tr", has_text="Apple").locator("td.c").last
    expect(cell).to_have_text("−")
    cell.hover()
    expect(page.locator(".explain")).to_contain_text("Apple, 24 Jan 16:00 + 1 h: mean sentiment −0.")
    expect(page.locator(".heat tr", has_text="Apple").locator("td.opened")).to_have_text("▲")
    expect(page.locator(".heat th[scope=row]").first).to_have_text("Market")
    page.locator("#now-range").get_by_text("1m", exact=True).click()
    expect(page.locator("#now-step")).to_have_text("one cell: 1 day of UTC")
    assert "from=-1m" in page.url


@pytest.mark.parametrize("referred", [True, False])
def test_the_first_layout_holds_the_page_and_without_a_referrer_the_page_follows(visit: Visit, referred: bool) -> None:
    watched = visit("/nothing")
    page = watched.page
    asked: list[str] = []

    def unreferred(route: Any) -> None:
        headers = {name: value for name, value in route.request.headers.items() if name != "referer"}
        route.fulfill(response=route.fetch(headers=headers))

    if not referred:
        page.route("**/_dash-layout", unreferred)
    page.on("request", lambda request: asked.append(str(request.post_data or "")))
    page.goto(watched.site + "/incidents?state=Open")
    settled(page)
    expect(page.locator("#incident-grid .ag-center-cols-container .ag-row")).to_have_count(2)
    assert sum('"page.children"' in body for body in asked) == (0 if referred else 1)
    page.get_by_role("link", name="Now").first.click()
    expect(page.locator("#now-verdict")).to_have_text("1 High: Apple")
    expect(page.locator(".heat td.c").first).to_be_visible()


def test_what_has_a_version_in_its_address_is_loaded_once(visit: Visit) -> None:
    page = visit("/").page
    page.goto(page.url)
    settled(page)
    loaded = page.evaluate("() => performance.getEntriesByType('resource').map(one => [one.name, one.transferSize])")
    scripts = {name: size for name, size in loaded if "/_dash-component-suites/" in name or "?m=" in name}
    assert len(scripts) > 15
    # Whether one without a version is still the same is asked, in 300 bytes.
    assert {name: size for name, size in scripts.items() if size > 300} == {}


def test_hostile_headline_stays_text(visit: Visit) -> None:
    watched = visit("/")
    page = watched.page
    cell = page.locator("#tape .ag-row").first.locator("[col-id=title]")
    expect(cell).to_contain_text('<img src=x onerror="window.pwned=1">')
    expect(cell.locator("a")).to_have_count(0)
    page.goto(watched.site + "/company/apple?from=-6h")
    settled(page)
    index = page.evaluate(
        "() => document.querySelector('#chart .js-plotly-plot').data[1].hovertext.findIndex(text => text.includes('&lt;img'))"
    )
    assert index >= 0
    page.locator("#chart .scatterlayer .points path").nth(index).hover(force=True)
    expect(page.locator("#chart .hoverlayer")).to_contain_text("<img src=x")
    assert page.evaluate("() => window.pwned") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1024, "light"), (1280, "dark"), (2560, "light")])
def test_pages_fit_and_say_nothing_raw(visit: Visit, width: int, scheme: str) -> None:
    watched = visit("/", width=width, color_scheme=scheme)
    page = watched.page
    for path in PATHS:
        page.goto(watched.site + path)
        settled(page)
        assert sideways(page) <= 0, path
        words = page.locator("body").inner_text()
        assert [raw for raw in RAW if raw in words] == [], path
        assert page.locator("html").get_attribute("data-mantine-color-scheme") == scheme
        small = page.evaluate(
            "() => [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3"
            " && n.textContent.trim()) && e.offsetParent && parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.className)"
        )
        assert small == [], path


def test_390_px_shows_the_first_incident_and_two_line_rows(visit: Visit) -> None:
    page = visit("/", width=390, height=844).page
    settled(page)
    assert 0 < page.locator(".incident").first.evaluate("one => one.getBoundingClientRect().bottom") < 844 - 56
    expect(page.locator("#tape .ag-row").first.locator(".lines")).to_contain_text("Apple")
    page.get_by_role("link", name="Incidents").last.click()
    page.locator("#incident-grid .ag-row").nth(4).click()
    expect(page.locator(".detail-panel")).to_contain_text("Facebook")
    expect(page.locator("#incident-grid")).to_be_hidden()
    page.get_by_role("button", name="Back to the list").click()
    expect(page.locator("#incident-grid")).to_be_visible()


def test_a_wide_list_of_incidents_says_why(visit: Visit) -> None:
    first = "#incident-grid .ag-row[row-index='0']"
    page = visit("/incidents", width=2560, height=1300).page
    expect(page.locator(f"{first} [col-id=summary]")).to_have_text("7 negative stories in 6 h, weight 4.1 where 0.3 was expected")
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator(f"{first} [col-id=scope]")).to_have_text("Apple")
    expect(page.locator(f"{first} [col-id=summary]")).to_have_count(0)


def test_incidents_are_filtered_and_the_address_says_so(visit: Visit) -> None:
    watched = visit("/incidents")
    page = watched.page
    rows = page.locator("#incident-grid .ag-center-cols-container .ag-row")
    expect(rows).to_have_count(6)
    page.locator("#incident-state").get_by_text("Open", exact=True).click()
    expect(rows).to_have_count(2)
    assert "state=Open" in page.url
    page.locator("#incident-state").get_by_text("All", exact=True).click()
    page.locator("#incident-words").fill("facebook")
    expect(rows).to_have_count(2)
    page.goto(watched.site + "/incidents?state=Resolved&sev=Medium")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("IBM")


def test_chart_has_one_time_axis_and_incidents_in_a_lane(visit: Visit) -> None:
    page = visit("/company/apple").page
    settled(page)
    axes = page.evaluate(
        "() => Object.keys(document.querySelector('#chart .js-plotly-plot')._fullLayout).filter(k => /^xaxis/.test(k))"
    )
    assert axes == ["xaxis"]
    expect(page.locator("#chart")).to_contain_text("Incidents")
    last = page.evaluate("() => document.querySelector('#chart .js-plotly-plot').data[0].x.at(-1)")
    assert last < "2013-01-25", "a bar that was not complete at the replay's time is shown"
    expect(page.locator(".panel-received img")).to_be_visible()
    assert page.evaluate("() => document.querySelector('.panel-received img').naturalWidth") == 224


def test_a_phone_shows_half_a_year_in_weeks(visit: Visit) -> None:
    page = visit("/company/apple?from=-6m", width=390, height=844).page
    settled(page)
    expect(page.locator("#chart .annotation-text")).to_contain_text("One candle: 7 days")
    shown = page.evaluate("() => document.querySelector('#chart .js-plotly-plot').data.slice(0, 2).map(trace => trace.x)")
    assert 20 < len(shown[0]) < 30
    assert len(shown[1]) <= 18
    places = page.locator("#chart .cartesianlayer .xy .scatterlayer .points path").evaluate_all(
        "marks => marks.map(mark => mark.getBoundingClientRect()).map(box => [box.left, box.right]).sort((a, b) => a[0] - b[0])"
    )
    assert all(one[1] <= two[0] + 1 for one, two in pairwise(places))


def test_picker_leads_to_other_scopes(visit: Visit) -> None:
    page = visit("/company").page
    expect(page.locator("h1")).to_have_text("Apple")
    page.locator("#picker").click()
    page.get_by_role("option", name="Facebook").click()
    expect(page.locator("h1")).to_have_text("Facebook")
    assert page.url.endswith("/company/meta-platforms")
    expect(page.locator("#stories .ag-row").first).to_contain_text("Facebook")


def test_unknown_addresses_say_what_to_do(visit: Visit) -> None:
    watched = visit("/nothing/here")
    page = watched.page
    expect(page.locator(".page")).to_contain_text("There is no page at this address")
    page.goto(watched.site + "/company/no-such-company")
    expect(page.locator(".page")).to_contain_text("Pick one above")
    page.goto(watched.site + "/incidents?sel=unknown")
    expect(page.locator("#incident-detail")).to_contain_text("not in the database")


def test_colours_follow_the_button_and_are_kept(visit: Visit) -> None:
    page = visit("/company/apple", color_scheme="light").page
    settled(page)
    root = page.locator("html")
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")
    expect(page.locator("#chart .main-svg").first).to_have_css("background-color", "rgb(26, 29, 33)")
    page.reload()
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")


def test_what_lands_appears_within_two_seconds_and_leaves_the_reader_alone(visit: Visit, world: Engine) -> None:
    watched = visit("/")
    page = watched.page
    first = page.locator("#tape .ag-row[row-index='0']")
    expect(first).to_contain_text("<img")
    page.locator(".incident button").first.click()
    seed.add(world, [item("ibm", NOW + timedelta(minutes=1), "IBM opens a laboratory in Zurich", 0.4)])
    expect(first).to_contain_text("IBM opens a laboratory in Zurich", timeout=LIVE_MS)
    expect(page.locator("#clock")).to_have_text("24 Jan 2013 16:35", timeout=LIVE_MS)
    expect(page.locator(".incident .evidence").first).to_be_visible()

    page.locator("#tape .ag-body-viewport").evaluate("element => { element.scrollTop = 640; }")
    seed.add(world, [item("ibm", NOW + timedelta(minutes=2), "IBM sells a small unit", -0.2)])
    expect(page.locator("#held")).to_have_text("1 new", timeout=LIVE_MS)
    assert page.locator("#tape .ag-body-viewport").evaluate("element => element.scrollTop") == 640
    page.locator("#held").click()
    expect(first).to_contain_text("IBM sells a small unit", timeout=LIVE_MS)

    seed.incident(world, "microsoft", NOW + timedelta(minutes=2), "firing", "critical")
    expect(page.locator("#now-verdict")).to_have_text("1 Critical, 1 High: Microsoft and Apple", timeout=LIVE_MS)
    expect(page.locator(".incident")).to_have_count(3)


def test_chart_takes_new_items_and_keeps_the_zoom(visit: Visit, world: Engine) -> None:
    page = visit("/company/boeing").page
    settled(page)
    shown = "() => document.querySelector('#chart .js-plotly-plot')._fullLayout.xaxis.range.map(at => at.slice(0, 16))"
    whole = page.evaluate(shown)
    pane = page.locator("#chart .nsewdrag").first.bounding_box()
    across, height = [pane["x"] + pane["width"] * share for share in (0.7, 0.95)], pane["y"] + pane["height"] / 2
    page.mouse.move(across[0], height)
    page.mouse.down()
    page.mouse.move(across[1], height, steps=5)
    page.mouse.up()
    page.wait_for_function(f"whole => String(({shown})()) !== String(whole)", arg=whole)
    zoomed = page.evaluate(shown)
    before = page.evaluate("() => document.querySelector('#chart .js-plotly-plot').data[1].x.length")
    seed.add(world, [item("boeing", NOW + timedelta(minutes=3), "Boeing halts deliveries of one model", -0.9)])
    expect(page.locator("#stories .ag-row[row-index='0']")).to_contain_text("Boeing halts deliveries", timeout=LIVE_MS)
    page.locator("#stories-count").wait_for()
    expect(page.locator("#chart .cartesianlayer .xy .scatterlayer .points path")).to_have_count(before + 1)
    assert page.evaluate(shown) == zoomed


def test_where_another_model_began_to_score_is_marked_and_named(visit: Visit, world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(insert(ModelEpoch), {"since": NOW - timedelta(hours=3), "version": MODEL})
    try:
        watched = visit("/company/apple?from=-6h")
        page = watched.page
        settled(page)
        line = page.locator("#chart .scatterlayer .js-line[style*='stroke-dasharray']")
        expect(line).to_have_count(1)
        box = line.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator("#chart .hoverlayer")).to_contain_text(f"model {MODEL} from here on")
        page.goto(watched.site + "/")
        expect(page.locator(".heat th.epoch")).to_have_count(1)
        page.locator(".heat tbody tr").first.locator("td.epoch").hover()
        expect(page.locator(".explain")).to_contain_text(f"model {MODEL} began to score")
    finally:
        with world.begin() as connection:
            connection.execute(delete(ModelEpoch).where(ModelEpoch.since > NOW - timedelta(days=1)))


def test_lead_and_lag_are_told_with_their_doubt(visit: Visit, world: Engine) -> None:
    page = visit("/company/ibm").page
    expect(page.locator(".panel-leads")).to_contain_text("squall leadlag")
    row = {"company_id": "ibm", "order": 1, "sessions": 118, "coefficient": 0.03, "p": 0.001, "first": NOW, "last": NOW}
    later = {"later_sessions": 80, "later_p": 0.002}
    with world.begin() as connection:
        connection.execute(
            insert(LeadLag),
            [
                {**row, **later, "leads": "mood", "lag": 2, "q": 0.01, "confirmed": True},
                {**row, **later, "leads": "mood", "lag": 3, "q": 0.4, "confirmed": False},
                {**row, **later, "leads": "price", "lag": 1, "q": 0.7, "confirmed": False},
            ],
        )
    try:
        page.goto(page.url)
        panel = page.locator(".panel-leads")
        expect(panel.locator("li")).to_have_text(
            "Mood has led price by 2 sessions, with the same sign; seen again in later sessions."
        )
        expect(panel.locator("tbody tr").nth(1)).to_contain_text("Price → mood")
        expect(panel).to_contain_text("need not be the cause")
    finally:
        with world.begin() as connection:
            connection.execute(delete(LeadLag))


def test_what_stood_around_an_incident_is_shown(visit: Visit, world: Engine) -> None:
    past = {
        "incident": "none",
        "scope": "company:ibm",
        "fired_at": "2013-01-22T10:12:00+00:00",
        "likeness": 0.42,
        "summary": "IBM",
    }
    around = {
        "price": {"close": 450.5, "interval": "1d", "known_at": "2013-01-24T21:00:00+00:00", "change": -0.124},
        "chart": {"id": content_id("chart", "apple"), "end": "2013-01-24T21:00:00+00:00", "words": "The price falls."},
        "others": [{"company": "microsoft", "name": "Microsoft", "stories": 2}],
        "similar": [{**past, "after": {"1h": None, "1d": -0.021, "5d": 0.004}}, {**past, "after": None}],
        "impact": 0.441,
        "modalities": {"text": -0.8, "price": 0.1, "chart": None},
    }
    find = "SELECT id FROM incident WHERE scope = 'company:apple' AND state = 'firing' ORDER BY opened_at DESC LIMIT 1"
    with world.begin() as connection:
        key = connection.execute(text(find)).scalar_one()
        change = "UPDATE incident SET context = CAST(:around AS jsonb) WHERE id = :id"
        connection.execute(text(change), {"around": json.dumps(around), "id": key})
    panel = visit(f"/incidents?sel={key}").page.locator(".panel-context")
    expect(panel).to_contain_text("450.50, −12.4 % on the bar before")
    expect(panel.locator("img")).to_have_js_property("complete", True)
    assert panel.locator("img").evaluate("image => image.naturalWidth") > 0
    expect(panel.locator("p.note")).to_have_text("The price falls.")
    expect(panel).to_contain_text("Risk of a fall44 %")
    expect(panel).to_contain_text("text −0.80, price +0.10")
    expect(panel.get_by_role("link", name="Microsoft")).to_have_attribute("href", "/company/microsoft")
    expect(panel.locator("li").first).to_contain_text("42 % of its words; then the price: 1 day −2.1 %, 5 days +0.4 %")
    expect(panel.locator("li").last).to_contain_text("is not known")


def test_a_companys_stories_say_the_risk_of_a_fall_where_the_price_was_known(visit: Visit, world: Engine) -> None:
    change = """
        UPDATE score SET impact = 441200, impact_shares = CAST(:shares AS jsonb)
        WHERE company_id = 'microsoft' AND event_time = (SELECT max(event_time) FROM score WHERE company_id = 'microsoft')
    """
    for shares, told in (('{"text": 0, "price": 700000, "chart": 0}', "44 %"), ('{"text": 0, "price": null, "chart": null}', "")):
        with world.begin() as connection:
            connection.execute(text(change), {"shares": shares})
        page = visit("/company/microsoft?range=3m").page
        expect(page.locator("#stories .ag-row[row-index='0'] [col-id=fall]")).to_have_text(told)
