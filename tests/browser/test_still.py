"""Pages that stay still: an update draws what has changed, and leaves scroll, selection and everything else alone."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from dashboard.screenshots import settled
from tests.browser import seed
from tests.browser.conftest import Visit
from tests.browser.world import NOW, item

WATCH = """root => {
    window.drawn = [];
    new MutationObserver((changes) => {
        for (const { target, addedNodes, removedNodes } of changes)
            for (const node of [...addedNodes, ...removedNodes])
                if (node.nodeType === 1 && !target.matches("time")) window.drawn.push(target.nodeName + " " + target.className);
    }).observe(document.querySelector(root), { childList: true, subtree: true });
}"""
SELECT = "part => getSelection().selectAllChildren(document.querySelector(part))"
SELECTED = "() => String(getSelection())"
ORDER = "() => [...document.querySelectorAll('.heat tbody tr')].map(row => row.dataset.row)"


def ticks(page: Any, output: str, times: int) -> None:
    """Wait until the server has answered so many updates of an output."""
    for _ in range(times):
        with page.expect_response(lambda answer: output in (answer.request.post_data or "")) as answered:
            pass
        answered.value.finished()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_without_news_nothing_of_the_first_page_is_drawn_again(visit: Visit) -> None:
    page = visit("/", height=500).page
    settled(page)
    page.evaluate("() => scrollTo(0, 240)")
    ticks(page, "now-movers", 1)
    page.evaluate(WATCH, ".page")
    page.evaluate(SELECT, "#now-movers tbody")
    page.locator("#now-sources .wide-table").evaluate("one => one.focus({ preventScroll: true })")
    words = page.evaluate(SELECTED)
    ticks(page, "now-movers", 2)
    assert page.evaluate("() => window.drawn") == []
    assert page.evaluate(SELECTED) == words != ""
    assert page.evaluate("() => document.activeElement.closest('#now-sources') !== null")
    assert page.evaluate("() => scrollY") == 240


def test_a_new_row_of_the_map_of_mood_leaves_the_others_where_they_are(visit: Visit, world: Engine) -> None:
    page = visit("/").page
    settled(page)
    order = page.evaluate(ORDER)
    assert "/company/quiet-harbour" not in order
    page.evaluate("() => document.querySelectorAll('.heat tbody tr').forEach(row => { row.kept = true; })")
    page.evaluate(SELECT, ".heat tbody")
    last = [
        item("microsoft", NOW - timedelta(minutes=number), f"Microsoft hires {number} clerks", 0.4) for number in range(1, 30)
    ]
    seed.add(world, [*last, item("quiet-harbour", NOW - timedelta(minutes=1), "Quiet Harbour Shipping buys a tug", 0.2)])
    expect(page.locator(".heat tbody tr")).to_have_count(len(order) + 1)
    assert page.evaluate(ORDER) == [*order, "/company/quiet-harbour"]
    assert page.evaluate("() => [...document.querySelectorAll('.heat tbody tr')].filter(row => row.kept).length") == len(order)
    assert "Boeing" in page.evaluate(SELECTED)
    page.reload()
    settled(page)
    assert page.evaluate(ORDER) != [*order, "/company/quiet-harbour"]


def test_news_of_another_company_draws_nothing_on_a_companys_page(visit: Visit, world: Engine) -> None:
    page = visit("/company/apple?from=-1m").page
    settled(page)
    page.evaluate("() => scrollTo(0, 300)")
    page.evaluate(WATCH, ".page")
    clock = page.locator("#clock").inner_text()
    seed.add(world, [item("ibm", NOW + timedelta(minutes=40), "IBM rents a warehouse", 0.3)])
    expect(page.locator("#clock")).not_to_have_text(clock)
    assert page.evaluate("() => window.drawn") == []
    seed.add(world, [item("apple", NOW + timedelta(minutes=41), "Apple opens a shop in Lyon", 0.3)])
    expect(page.locator("#stories .ag-row[row-index='0']")).to_contain_text("Apple opens a shop in Lyon")
    drawn = page.evaluate("() => window.drawn")
    assert [one for one in drawn if re.search("panel-received|panel-words|panel-leads|picker|page-head", one)] == []
    assert page.evaluate("() => scrollY") == 300


@pytest.mark.parametrize("part", ["flow-dead", "flow-sources", "flow-lines"])
def test_without_change_nothing_of_the_pipeline_is_drawn_again(visit: Visit, part: str) -> None:
    page = visit("/pipeline").page
    settled(page)
    ticks(page, "flow-tiles", 1)
    page.evaluate(WATCH, f"#{part}")
    ticks(page, "flow-tiles", 2)
    assert page.evaluate("() => window.drawn") == []
