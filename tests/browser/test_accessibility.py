"""Every page, asked by axe-core: no serious finding."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from dashboard.components.shell import PAGES
from dashboard.screenshots import settled
from tests.browser import serve
from tests.browser.conftest import Visit

PATHS = [*(page[1] for page in PAGES), "/company/apple", "/scope/sector/technology"]


def serious(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:4]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_have_no_serious_finding(visit: Visit, scheme: str, width: int) -> None:
    watched = visit("/", color_scheme=scheme, width=width)
    findings = {}
    for path in PATHS:
        watched.page.goto(watched.site + path)
        settled(watched.page)
        findings[path] = serious(watched.page)
    assert {path: found for path, found in findings.items() if found} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_log_in_page_has_no_serious_finding(chrome: Any, postgres: serve.Database, world: Any, scheme: str) -> None:
    with serve.dashboard(postgres.url, "demo", SQUALL_DASHBOARD__LOGIN="true") as address:
        context = chrome.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})
        page = context.new_page()
        page.goto(address)
        page.locator("#password").fill("wrong")
        page.locator("#name").fill("nobody")
        page.get_by_role("button", name="Log in").click()
        page.locator("#error").wait_for()
        assert serious(page) == []
        context.close()
