"""RSS and Atom feeds."""

import asyncio
import calendar
import random
import re
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import urljoin
from xml.sax import SAXException

from pipelines.ingest.rows import news_from_row
from pipelines.ingest.source import Batch, Position
from squall.records import content_id, outlet
from squall.safety import FetchError, GuardedClient, is_web_link, without_secrets

JITTER = 0.2
MAX_TEXT = 100_000
MAX_LINK = 2_000
HIDDEN = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
TAG = re.compile(r"<(?:/?[a-zA-Z]|!--|!\[|\?)[^>]*(?:>|$)")


@dataclass(frozen=True)
class Feed:
    """One feed, asked again and again, or once.

    Its articles' source is its host, so that one article in two feeds of a publisher is one article.
    """

    url: str
    client: GuardedClient
    poll_s: float
    once: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    kind: str = "feed"

    @property
    def name(self) -> str:
        """Key of its row in the table `source`: the address without user name and password."""
        return without_secrets(self.url)

    @property
    def address(self) -> str:
        """The same."""
        return self.name

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        """One batch a poll; a poll that failed gives its error and leaves the position."""
        while True:
            try:
                batch = await self._poll(position)
                position = batch.position
            except FetchError as error:
                batch = Batch(position=position, error=str(error))
            yield batch
            if self.once:
                return
            await asyncio.sleep(self.poll_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - spreads the polls

    async def _poll(self, position: Position) -> Batch:
        conditions = {"If-None-Match": position.get("etag"), "If-Modified-Since": position.get("modified")}
        fetched = await self.client.get(self.url, {name: value for name, value in conditions.items() if value})
        if fetched.status == 304:
            return Batch(position=position)
        entries, whole = await asyncio.to_thread(parse, fetched.body, fetched.headers)
        source = outlet(self.url)
        now = self.now()
        reads = [news_from_row(row, source, now) for row in (row_of(entry, fetched.url, now) for entry in entries) if row]
        # A feed that breaks off is asked for again in full.
        marks = {"etag": fetched.headers.get("etag"), "modified": fetched.headers.get("last-modified")} if whole else {}
        return Batch(
            sends=tuple(read.send for read in reads),
            position={name: value for name, value in marks.items() if value},
            bad=sum(read.record is None for read in reads),
            last_item_at=max((read.record.published_at for read in reads if read.record), default=None),
        )


def parse(body: bytes, headers: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], bool]:
    """The entries of a feed, and whether its XML is well-formed to the end.

    Raises:
        FetchError: the body is no feed, or so broken that no entry of it can be read.
    """
    import feedparser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Text would be taken for an address or a path and opened.
            feed = feedparser.parse(BytesIO(body), response_headers={"content-type": headers.get("content-type", "")})
        except Exception as error:
            raise FetchError(f"no feed: {error!r}") from None
    problem = feed.get("bozo_exception")
    whole = not isinstance(problem, SAXException)
    if not feed.entries and not (feed.version and whole):
        raise FetchError(f"no feed: {' '.join(str(problem or 'neither RSS nor Atom').split())}")
    return list(feed.entries), whole


def row_of(entry: Mapping[str, Any], base: str, now: datetime) -> dict[str, Any] | None:
    """An entry as a row of news; None for one without a title or a text that could serve as one.

    Args:
        base: address of the feed, for relative links.
        now: the time of fetching, also the time of publication where the entry has none.
    """
    body = plain_text(_body(entry))
    title = plain_text(str(entry.get("title", ""))) or body[:200]
    if not title:
        return None
    url = _link(entry, base)
    guid = " ".join(str(entry.get("id", "")).split())[:MAX_LINK]
    return {
        "title": title[:MAX_TEXT],
        "body": "" if body == title else body[:MAX_TEXT],
        "url": url,
        # The time of fetching must not become part of an id.
        "guid": guid if guid or url else content_id("entry", title, body),
        "published_at": _published(entry) or now,
    }


def _link(entry: Mapping[str, Any], base: str) -> str:
    link = str(entry.get("link", "")).strip()
    if link == entry.get("id") and not is_web_link(link):
        # The parser takes any guid for a link where the feed does not say that it is none.
        return ""
    try:
        link = urljoin(base, link) if link else ""
    except ValueError:
        return ""
    return link if is_web_link(link) and len(link) <= MAX_LINK else ""


def _published(entry: Mapping[str, Any]) -> datetime | None:
    published = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        return datetime.fromtimestamp(calendar.timegm(published), UTC) if published else None
    except (ValueError, OverflowError, OSError):
        return None


def _body(entry: Mapping[str, Any]) -> str:
    contents = [str(part.get("value", "")) for part in entry.get("content", ())]
    return max([str(entry.get("summary", "")), *contents], key=len)


def plain_text(html: str) -> str:
    """HTML as one line of text: no tags, no scripts, no styles, entities decoded."""
    text = unescape(TAG.sub(" ", HIDDEN.sub(" ", html)))
    return " ".join(text.replace("\x00", "").split())
