"""Rows of files and requests as records. A row that is none keeps its content, so that intake can name what is wrong with it."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from pipelines.ingest.source import Send
from squall.records import Bar, News, RecordError, content_id, decode, encode
from squall.sessions import EXCHANGE, available_at
from squall.topics import NEWS, PRICES

NEWS_REQUIRED = ("published_at", "title")
NEWS_COLUMNS = (*NEWS_REQUIRED, "body", "url", "source", "tickers", "guid", "revision", "retracted", "language", "fetched_at")
BAR_REQUIRED = ("ticker", "start", "open", "high", "low", "close", "volume")
BAR_COLUMNS = (*BAR_REQUIRED, "interval", "available_at", "source")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")

Kind = TypeVar("Kind", News, Bar)


class Read(NamedTuple, Generic[Kind]):
    """A row as it goes to the broker. `record` is None where the row is no valid record, and `error` then says why."""

    send: Send
    record: Kind | None
    error: str = ""


def news_from_row(row: Mapping[str, Any], source: str, fetched_at: datetime | None = None) -> Read[News]:
    """A row of news.

    Args:
        row: columns of `NEWS_COLUMNS`; others are ignored, None and empty text count as missing, times without zone are UTC.
        source: name of the source where the row has none.
        fetched_at: where the row has none; None: as published, so that nothing counts as delayed.
    """
    fields = _present(row, NEWS_COLUMNS)
    for name in ("published_at", "fetched_at"):
        _convert(fields, name, as_time)
    for name in ("guid", "url", "source"):
        _convert(fields, name, lambda value: str(value) if isinstance(value, int) else value)
    _convert(fields, "tickers", _as_tickers)
    _convert(fields, "revision", lambda value: int(value) if isinstance(value, str) else value)
    _convert(fields, "retracted", _as_bool)
    fields = {"source": source, **fields}
    if fetched_at or "published_at" in fields:
        fields.setdefault("fetched_at", fetched_at or fields["published_at"])
    try:
        payload = msgspec.json.encode({"kind": "news", "version": 1, **fields}, enc_hook=str)
        news: News = decode(payload, News)
    except RecordError as error:
        return Read(unreadable(payload, NEWS), None, str(error))
    return Read(news_send(news), news)


def bar_from_row(row: Mapping[str, Any], source: str, exchange: str = EXCHANGE) -> Read[Bar]:
    """A row of prices with columns of `BAR_COLUMNS`, read like those of news; `available_at` is filled in where it is missing."""
    fields = _present(row, BAR_COLUMNS)
    for name in ("start", "available_at"):
        _convert(fields, name, as_time)
    for name in ("open", "high", "low", "close", "volume"):
        _convert(fields, name, _as_float)
    fields = {"source": source, **fields}
    payload = msgspec.json.encode({"version": 1, **fields}, enc_hook=str)
    try:
        bar: Bar = decode(payload, Bar)
        known = bar.available_at or available_at(bar.start, bar.interval, exchange)
    except ValueError as error:
        return Read(unreadable(payload, PRICES), None, str(error))
    return Read(bar_send(msgspec.structs.replace(bar, available_at=known)), bar)


def news_send(news: News) -> Send:
    """An article on its way to squall.news, keyed by its id."""
    return Send(NEWS, news.article_id.encode(), encode(news))


def bar_send(bar: Bar) -> Send:
    """A bar on its way to squall.prices, keyed by its ticker."""
    return Send(PRICES, bar.ticker.encode(), encode(bar))


def unreadable(payload: bytes, topic: Any) -> Send:
    """Something that is no record, as it is: whoever reads the topic dead-letters it with topic, offset and reason."""
    return Send(topic, content_id("unreadable", payload.hex()).encode(), payload)


def as_time(value: Any) -> Any:
    """An instant in UTC from a datetime, a date or ISO 8601 text; without zone it is UTC. Anything else stays as it is."""
    if isinstance(value, str):
        text = value.strip()
        text = text[:-4] + "Z" if text.endswith(" UTC") else text
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            return value
    if isinstance(value, datetime):
        if hasattr(value, "to_pydatetime"):
            value = value.to_pydatetime(warn=False)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _present(row: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in columns if row.get(name) not in (None, "")}


def _convert(fields: dict[str, Any], name: str, convert: Any) -> None:
    if name in fields:
        try:
            fields[name] = convert(fields[name])
        except (ValueError, OverflowError):
            return


def _as_float(value: Any) -> Any:
    # Numbers of NumPy are none of JSON's.
    return float(value) if isinstance(value, str | Decimal | Real) and not isinstance(value, bool) else value


def _as_tickers(value: Any) -> Any:
    if isinstance(value, str):
        return [part for part in re.split(r"[\s,;]+", value) if part]
    return value


def _as_bool(value: Any) -> Any:
    text = str(value).strip().lower()
    return True if text in TRUE else False if text in FALSE else value
