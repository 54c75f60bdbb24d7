from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from dashboard.screenshots import browser, chromium
from tests.browser import serve


@pytest.fixture(scope="package")
def postgres() -> Iterator[serve.Database]:
    with serve.database() as found:
        yield found


@pytest.fixture(scope="package")
def world(postgres: serve.Database) -> Engine:
    return serve.filled(postgres.url, "demo")


@pytest.fixture(scope="package")
def site(postgres: serve.Database, world: Engine) -> Iterator[str]:
    with serve.dashboard(postgres.url, "demo") as address:
        yield address


@pytest.fixture(scope="package")
def chrome() -> Iterator[Any]:
    """While it is open, its event loop holds the thread that the asynchronous tests of other folders need."""
    if chromium() is None:
        pytest.skip("no Chromium on this machine: install the package `chromium`")
    with browser() as opened:
        yield opened


# Long, because a busy machine is no error: what must be fast says so itself.
expect.set_options(timeout=180_000)


class Watched:
    """A page whose every complaint and every request are noted."""

    def __init__(self, page: Any, site: str) -> None:
        self.page = page
        self.site = site
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    @property
    def strangers(self) -> list[str]:
        """Requests that left the host."""
        return [url for url in self.requests if not url.startswith((self.site, "data:", "blob:"))]


Visit = Callable[..., Watched]


@pytest.fixture
def visit(chrome: Any, site: str) -> Iterator[Visit]:
    """Opens an address in a fresh profile; afterwards nothing may have complained or left the host."""
    opened: list[tuple[Any, Watched, bool]] = []

    def go(path: str = "/", *, at: str = "", width: int = 1280, height: int = 900, strict: bool = True, **more: Any) -> Watched:
        options = {"timezone_id": "America/New_York", "locale": "en-GB", **more}
        context = chrome.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(120_000)
        watched = Watched(context.new_page(), at or site)
        opened.append((context, watched, strict))
        watched.page.goto((at or site) + path)
        watched.page.locator(".page").wait_for()
        return watched

    yield go
    for context, _, _ in opened:
        with suppress(Exception):
            context.close()
    for _, watched, strict in opened:
        assert watched.strangers == []
        assert not strict or watched.complaints == []
