"""What every page gets: the database, and the viewer's circumstances."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote
from zoneinfo import ZoneInfo

from flask import has_request_context, request
from sqlalchemy import Connection, Engine

from dashboard import access
from dashboard.queries import Reader
from dashboard.ranges import PRESETS, instant, zone
from dashboard.server import Link
from dashboard.theme import SCHEMES, Palette
from models.explainer import Explainer

COOKIE = "squall"
SIZES = ("narrow", "medium", "wide", "huge")
"""How wide the browser's window is: from 0, 768, 1200 and 1800 px."""
Stretch = tuple[datetime, datetime, datetime]
"""Begin and end of a range, and where its news ends."""
ENOUGH = 25
"""Mentions that a range should hold to be the first that is shown."""


@dataclass(frozen=True)
class Context:
    """What the pages are made from."""

    reader: Reader
    link: Link
    namespace: str
    writer: Engine
    """Nothing but `changing` uses it; the reader's connections cannot write."""
    explainer: Explainer

    @contextmanager
    def changing(self, act: str, subject: str, what: str, **detail: Any) -> Iterator[Connection]:
        """A transaction in which the person who makes the request changes something; ends with the line of the audit.

        Args:
            act: one of `access.ACTS`.
            subject: id of what is changed.
            what: `acknowledge`, `add` …
            detail: what else the audit keeps.

        Raises:
            access.Forbidden: the person may not; the message tells them why.
        """
        with access.changing(self.writer, act, subject, what, detail) as connection:
            yield connection

    @property
    def replay(self) -> bool:
        """Whether time is that of a replay's events."""
        return bool(self.namespace)


@dataclass(frozen=True)
class Viewer:
    """The browser's zone, scheme and width, as its script wrote them into a cookie before the first paint."""

    zone: ZoneInfo
    scheme: str
    size: str
    list: str = ""
    """Name of the watch-list that the pages are limited to; empty: none."""

    @property
    def palette(self) -> Palette:
        """Colours of the scheme."""
        return SCHEMES[self.scheme]


def viewer() -> Viewer:
    """The viewer of the request that is being answered; UTC, light and wide where the cookie says nothing."""
    raw: Any = {}
    if has_request_context():
        try:
            raw = json.loads(unquote(request.cookies.get(COOKIE, "")))
        except ValueError:
            raw = {}
    raw = raw if isinstance(raw, dict) else {}
    scheme = raw.get("scheme") if raw.get("scheme") in SCHEMES else "light"
    size = raw.get("size") if raw.get("size") in SIZES else "wide"
    return Viewer(zone(str(raw.get("tz") or "UTC")[:60]), str(scheme), str(size), str(raw.get("list") or "")[:80])


def actor() -> str:
    """Name of the person who makes the request, as it is kept with what they do; empty outside of a request."""
    who = access.person()
    return who.name if who else ""


def may(act: str) -> bool:
    """Whether the person may act: one of `access.ACTS`."""
    who = access.person()
    return who is not None and who.may(act)


def limit_to(context: Context) -> list[str] | None:
    """Companies of the watch-list that the viewer has chosen; None: no list, everything."""
    name = viewer().list
    return None if not name else context.reader.members(name)


def asked(search: str | None, name: str) -> str:
    """A parameter of the page's address; empty where it is not given."""
    return parse_qs((search or "").lstrip("?")).get(name, [""])[0][:200]


def stretch(preset: str | None, until: str | None, now: datetime) -> Stretch:
    """A preset's length up to `until`, or up to now; what is dated ahead of now is shown while the range follows the clock."""
    stands = instant(until)
    end = min(stands, now) if stands else now
    return end - span_of(preset), end, end if stands else now + timedelta(days=1)


def first_range(context: Context, search: str | None, scope: str, now: datetime | None, least: str) -> str:
    """The preset that the address asks for, else the shortest from `least` on that holds enough news to see something."""
    wish = asked(search, "from").lstrip("-")
    if wish in PRESETS:
        return wish
    names = list(PRESETS)
    fitting = names[names.index(least) :]
    if now is None:
        return least
    for name in fitting:
        if context.reader.mentions(scope, now - PRESETS[name], now) >= ENOUGH:
            return name
    return fitting[-1] if context.replay else least


def span_of(preset: str | None) -> timedelta:
    """Length of a preset; a day for what is none."""
    return PRESETS.get(preset or "", PRESETS["1d"])
