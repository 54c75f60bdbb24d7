"""Empty, broken and healing databases. Each test has a dashboard or a Postgres of its own."""

import json

from playwright.sync_api import expect

from dashboard.screenshots import settled
from tests.browser import seed, serve
from tests.browser.conftest import Visit


def test_pages_say_what_to_do_before_there_is_news_and_fill_by_themselves(visit: Visit, postgres: serve.Database) -> None:
    engine = serve.filled(postgres.url, "empty", with_items=False)
    with serve.dashboard(postgres.url, "empty") as address:
        watched = visit("/", at=address)
        page = watched.page
        expect(page.locator("h1")).to_have_text("Nothing to judge yet")
        for path in ("/company", "/incidents", "/scope/market"):
            page.goto(address + path)
            expect(page.locator(".empty .next").first).not_to_be_empty()
        page.goto(address)
        expect(page.locator("h1")).to_have_text("Nothing to judge yet")
        seed.fill(engine)
        expect(page.locator("#now-verdict")).to_have_text("1 High: Apple")
        page.close()


def test_database_without_tables_says_how_to_make_them(visit: Visit, postgres: serve.Database) -> None:
    with serve.dashboard(postgres.url, "nowhere") as address:
        page = visit("/", at=address, strict=False).page
        expect(page.locator(".page-failed")).to_contain_text("squall db upgrade")
        expect(page.locator("#banner")).to_contain_text("squall db upgrade")


def test_dead_database_is_told_and_heals(visit: Visit) -> None:
    with serve.database() as postgres:
        engine = serve.filled(postgres.url, "demo")
        with serve.dashboard(postgres.url, "demo") as address:
            page = visit("/", at=address, strict=False).page
            settled(page)
            engine.dispose()
            postgres.stop()
            expect(page.locator("#banner")).to_contain_text("The database does not answer")
            expect(page.locator("#link-state")).to_contain_text("Database down since")
            expect(page.locator("#now-verdict")).to_have_text("1 High: Apple")
            health = json.loads(serve.wait_for(address + "/healthz"))
            assert health["status"] == "ok"
            assert "does not answer" in health["database"]
            page.get_by_role("link", name="Incidents").first.click()
            expect(page.locator(".page-failed")).to_contain_text("The database does not answer")
            postgres.start()
            expect(page.locator("#banner")).to_be_hidden()
            expect(page.locator("#incident-grid .ag-row").first).to_be_visible()
            expect(page.locator("#link-state")).to_have_text("Live")


def test_answers_carry_headers_and_no_script_runs_inline(site: str) -> None:
    import urllib.request

    with urllib.request.urlopen(site, timeout=10) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in script
    assert json.loads(serve.wait_for(site + "/healthz")) == {"status": "ok", "database": "ok"}
