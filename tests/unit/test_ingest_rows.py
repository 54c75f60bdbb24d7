from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pandas as pd
import pytest

from pipelines.ingest.rows import as_time, bar_from_row, news_from_row
from squall.records import Bar, News, RecordError, decode
from squall.topics import NEWS, PRICES

NEWS_ROW = {"published_at": "2012-05-21T10:21:00Z", "title": "Shares slip on the second day"}
BAR_ROW = {"ticker": "FB", "start": "2012-05-21", "open": 36.5, "high": 36.7, "low": 33.0, "close": 34.0, "volume": 168_192_700}
MORNING = datetime(2012, 5, 21, 10, 21, tzinfo=UTC)


def news(**fields: Any) -> News:
    read = news_from_row({**NEWS_ROW, **fields}, "wire")
    assert read.record is not None, read.error
    assert decode(read.send.value, News) == read.record
    return read.record


def test_a_short_row_is_filled_in() -> None:
    assert news() == News(source="wire", title=NEWS_ROW["title"], published_at=MORNING, fetched_at=MORNING)
    read = news_from_row(NEWS_ROW, "wire")
    assert read.record is not None
    assert read.send.topic is NEWS
    assert read.send.key == read.record.article_id.encode()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("AAPL, GOOG", ("AAPL", "GOOG")),
        ("AAPL GOOG;MSFT", ("AAPL", "GOOG", "MSFT")),
        (["AAPL"], ("AAPL",)),
        ("", ()),
        (None, ()),
    ],
)
def test_tickers(written: Any, read: tuple[str, ...]) -> None:
    assert news(tickers=written).tickers == read


def test_text_columns_of_a_csv_file_become_what_they_mean() -> None:
    article = news(revision="2", retracted="True", guid=418157151946035200, url="", body=None, unknown="x")
    assert (article.revision, article.retracted, article.guid, article.url) == (2, True, "418157151946035200", "")


@pytest.mark.parametrize(
    "written",
    [
        "2012-05-21T10:21:00Z",
        "2012-05-21 10:21:00",
        "2012-05-21T12:21:00+02:00",
        " 2012-05-21 10:21:00 UTC ",
        "2012-05-21T10:21:00.000Z",
        datetime(2012, 5, 21, 10, 21),
        pd.Timestamp("2012-05-21 10:21", tz="UTC"),
        pd.Timestamp("2012-05-21 06:21", tz="America/New_York"),
    ],
)
def test_times(written: Any) -> None:
    assert as_time(written) == MORNING
    assert type(as_time(written)) is datetime


def test_a_day_is_its_midnight_in_utc() -> None:
    assert as_time("2012-05-21") == as_time(date(2012, 5, 21)) == datetime(2012, 5, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": ["a", "list"]}, "title"),
        ({"title": "a NUL \x00 byte"}, "title"),
        ({"published_at": "yesterday"}, "published_at"),
        ({"published_at": None}, "published_at"),
        ({"published_at": 1337595660}, "published_at"),
        ({"revision": "second"}, "revision"),
        ({"revision": 0}, "revision"),
        ({"retracted": "perhaps"}, "retracted"),
        ({"tickers": 7}, "tickers"),
        ({"body": {"text": "nested"}}, "body"),
    ],
)
def test_a_row_that_is_no_article_is_sent_so_that_its_fault_is_named(fields: dict[str, Any], field: str) -> None:
    read = news_from_row({**NEWS_ROW, "url": "https://news.example/1", **fields}, "wire")
    assert read.record is None
    assert field in read.error
    assert b"https://news.example/1" in read.send.value
    with pytest.raises(RecordError, match=field):
        decode(read.send.value, News)


def test_a_row_cannot_pass_for_a_time_record() -> None:
    read = news_from_row({"kind": "tick", "at": "2030-01-01T00:00:00Z"}, "wire")
    assert read.record is None
    assert msgspec.json.decode(read.send.value)["kind"] == "news"


def test_a_bar_is_known_from_its_close() -> None:
    read = bar_from_row(BAR_ROW, "file")
    assert read.send.topic is PRICES
    assert read.send.key == b"FB"
    bar: Bar = decode(read.send.value, Bar)
    assert bar.start == datetime(2012, 5, 21, tzinfo=UTC)
    assert bar.available_at == datetime(2012, 5, 21, 20, tzinfo=UTC)
    assert (bar.close, bar.volume, bar.interval, bar.source) == (34.0, 168_192_700.0, "1d", "file")


def test_a_bar_keeps_the_time_that_its_row_gives() -> None:
    read = bar_from_row({**BAR_ROW, "available_at": "2012-05-22 06:00"}, "file")
    assert decode(read.send.value, Bar).available_at == datetime(2012, 5, 22, 6, tzinfo=UTC)


def test_numbers_written_as_text_or_decimals() -> None:
    read = bar_from_row({**BAR_ROW, "open": "36.5", "close": Decimal("34.00")}, "file")
    assert read.record is not None
    assert (read.record.open, read.record.close) == (36.5, 34.0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"close": "n/a"}, "close"),
        ({"close": float("nan")}, "close"),
        ({"close": "inf"}, "close"),
        ({"low": -1}, "low"),
        ({"start": "last week"}, "start"),
        ({"interval": "fortnight"}, "interval"),
        ({"ticker": ""}, "ticker"),
    ],
)
def test_a_row_that_is_no_bar(fields: dict[str, Any], field: str) -> None:
    read = bar_from_row({**BAR_ROW, **fields}, "file")
    assert read.record is None
    assert field in read.error
