"""Nothing in a headline, address, name or note can run. The payloads are our own, of the well-known kinds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, insert

from dashboard.screenshots import settled
from squall.db import incident_tables, model_tables, tables
from tests.browser import seed, serve
from tests.browser.conftest import Visit
from tests.browser.world import NOW, item

RUN = "window.pwned=1"
PAYLOADS = (
    f"<script>{RUN}</script>",
    f'"><script>{RUN}</script>',
    f"</title></style></textarea></script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x></svg>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<a href='javascript:{RUN}'>read on</a>",
    f"<a href=java&#x09;script:{RUN}>read on</a>",
    f"<form action=javascript:{RUN}><button>go</button></form>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}></style></mglyph></table></mtext></math>",
    f"<style>@import 'javascript:{RUN}';</style><link rel=stylesheet href=//evil.example/x.css>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    f"<object data='data:text/html,<script>parent.{RUN}</script>'></object>",
    f"' onmouseover='{RUN}' x='",
    f'" autofocus onfocus="{RUN}',
    f"[read on](javascript:{RUN})",
    f"![x](x' onerror='{RUN})",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"javascript:{RUN}//",
    "\u202egnihtyna",
)
LINKS = (
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f" javascript:{RUN}",
    f"java\tscript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"vbscript:{RUN}",
    "//evil.example/x",
    f"https://harbour.example/'onmouseover='{RUN}",
)
COMPANY = "acme"


@dataclass(frozen=True)
class Trap:
    address: str
    incident: str


@pytest.fixture(scope="module")
def trap(postgres: serve.Database) -> Iterator[Trap]:
    engine = serve.filled(postgres.url, "hostile", with_items=False)
    with engine.begin() as connection:
        name = f"Acme <img src=x onerror={RUN}>"
        connection.execute(
            insert(tables.Company), {"id": COMPANY, "name": name, "sector": f"<svg onload={RUN}>", "country": "US"}
        )
        connection.execute(insert(tables.Listing), {"company_id": COMPANY, "ticker": f"<b onclick={RUN}>", "exchange": "X"})
        connection.execute(
            insert(model_tables.ModelVersion), {"version": PAYLOADS[0], "manifest": {"topic_labels": [PAYLOADS[3]]}}
        )
    pairs = [(words, LINKS[number % len(LINKS)]) for number, words in enumerate(PAYLOADS)]
    seed.add(
        engine,
        [
            item(COMPANY, NOW - timedelta(minutes=number), words, -0.8, url=link, source=words, topic=PAYLOADS[3])
            for number, (words, link) in enumerate(pairs)
        ],
    )
    with engine.begin() as connection:
        marks = {"news_partition": 0, "mentions_partition": 0, "at": NOW}
        connection.execute(insert(tables.Watermark), marks)
    incident = _incident(engine)
    engine.dispose()
    with serve.dashboard(postgres.url, "hostile") as address:
        yield Trap(address, incident)


def _incident(engine: Engine) -> str:
    evidence = [
        {"title": words, "url": LINKS[number % len(LINKS)], "source": words, "event_time": words, "weight": 0.5}
        for number, words in enumerate(PAYLOADS)
    ]
    row: dict[str, Any] = {
        **{"id": "i-1", "rule": PAYLOADS[1], "rule_version": PAYLOADS[4], "scope": f"company:{COMPANY}", "company_id": COMPANY},
        **{"state": "firing", "severity": "high", "opened_at": NOW, "fired_at": NOW, "updated_at": NOW, "surprise": 4.0},
        **{"peak_surprise": 4.0, "threshold": 3.0, "summary": PAYLOADS[5], "evidence": evidence},
        "inputs": {words: words for words in PAYLOADS},
    }
    events = [
        {
            "incident_id": "i-1",
            "number": n,
            "at": NOW,
            "kind": words,
            "state": "firing",
            "actor": words,
            "detail": {"note": words},
        }
        for n, words in enumerate(PAYLOADS, 1)
    ]
    with engine.begin() as connection:
        connection.execute(insert(incident_tables.Incident), row)
        connection.execute(insert(incident_tables.IncidentEvent), events)
    return "i-1"


PATHS = ("/", f"/company/{COMPANY}", "/incidents?sel=i-1", "/stories", "/pipeline", "/labels", "/models")
PLACES = ("/company/{}", "/scope/topic/{}", "/incidents?sel={}&q={}&state={}&sev={}", "/stories?q={}", "/?from={}&tz={}&list={}")
ACTIVE = "img[src=x], iframe, object, embed, meta[http-equiv=refresh], [onerror], [onload], [onfocus]"
TARGETS = "() => [...document.querySelectorAll('a[href], area[href], form[action]')].map(one => one.href || one.action)"


@pytest.mark.parametrize("path", PATHS)
def test_what_came_from_outside_stays_text(visit: Visit, trap: Trap, path: str) -> None:
    page = visit(path, at=trap.address).page
    settled(page)
    if path == "/":
        page.locator(".incident button").first.click()
    for element in page.locator("time, .page a, .page td, .ag-cell, .points path").all()[:150]:
        element.dispatch_event("mouseover")
    assert page.evaluate("() => window.pwned") is None
    assert page.locator(ACTIVE).count() == 0
    links = page.evaluate(TARGETS)
    assert [link for link in links if not link.startswith(("http://", "https://"))] == []
    assert [link for link in links if "evil.example" in link] == []


@pytest.mark.parametrize("place", PLACES)
def test_addresses_do_not_run(visit: Visit, trap: Trap, place: str) -> None:
    page = visit("/", at=trap.address, strict=False).page
    for words in (PAYLOADS[0], PAYLOADS[3], PAYLOADS[4], PAYLOADS[8], PAYLOADS[21], PAYLOADS[26]):
        page.goto(trap.address + place.replace("{}", quote(words, safe="")))
        page.locator(".page").wait_for()
        assert page.evaluate("() => window.pwned") is None
        assert page.locator(ACTIVE).count() == 0
