"""Market and dead letters against a real Postgres, and what is sent again against a real broker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import text

from squall.companies import TickerIndex, load_companies
from squall.embedded import running
from squall.records import Bar, Chart, DeadLetter, decode, encode
from squall.topics import CHARTS, PRICES, create_topics, kafka_options
from streams.deadletters import ON_TOPIC_BYTES, DeadLetterStore, RedriveError
from streams.market import Bars, Charts
from streams.runtime import Context, Dead, Message
from tests.integration.stage import START, empty, stage


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("market")) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    return module_context


@pytest.fixture(scope="module")
def tickers() -> TickerIndex:
    return TickerIndex(load_companies())


def bar(ticker: str = "BA", *, day: int = 0, close: float = 100.0, **fields: Any) -> bytes:
    values = {"open": 100.0, "high": 110.0, "low": 90.0, "volume": 5.0, "start": START + timedelta(days=day)}
    return encode(Bar(**{**values, "ticker": ticker, "close": close, **fields}))


def batch(topic: str, *values: bytes, first: int = 0) -> list[Message]:
    return [Message(topic, 0, first + number, b"k", value) for number, value in enumerate(values)]


def rows(context: Context, query: str) -> list[Any]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def picture(width: int = 40, height: int = 30) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "white").save(file, "PNG")
    return file.getvalue()


def test_a_bar_is_stored_once_known_from_its_close_and_replaced_by_a_newer_one(context: Context, tickers: TickerIndex) -> None:
    agent = Bars(context.engine, tickers)
    agent.handle(batch(PRICES.name, bar(), bar()))
    agent.handle(batch(PRICES.name, bar()))
    close = datetime(2015, 3, 2, 21, tzinfo=UTC)
    assert rows(context, "SELECT company_id, ticker, close, available_at FROM bar") == [("boeing", "BA", 100.0, close)]
    stored_at = rows(context, "SELECT ingested_at FROM bar")
    agent.handle(batch(PRICES.name, bar()))
    assert rows(context, "SELECT ingested_at FROM bar") == stored_at
    agent.handle(batch(PRICES.name, bar(close=101.0)))
    assert rows(context, "SELECT close FROM bar") == [(101.0,)]
    assert rows(context, "SELECT ingested_at FROM bar") > stored_at


def test_of_two_share_classes_the_first_by_ticker_stays_in_any_order(context: Context, tickers: TickerIndex) -> None:
    later, first = bar("GOOGL", close=109.0, day=60), bar("GOOG", close=91.0, day=60)
    found = []
    for order in ([later, first], [first, later]):
        agent = Bars(context.engine, tickers)
        for value in order:
            agent.handle(batch(PRICES.name, value))
        found.append(rows(context, "SELECT ticker, close FROM bar"))
        with context.engine.begin() as connection:
            connection.execute(text("TRUNCATE bar"))
    assert found == [[("GOOG", 91.0)]] * 2


def test_bad_bars_are_dead_with_their_reason(context: Context, tickers: TickerIndex) -> None:
    bad = {
        bar("NOSUCH"): "unknown ticker NOSUCH as of 2015-03-02",
        bar(close=200.0): "between low and high",
        bar(interval="fortnight"): "interval",
        bar(available_at=START - timedelta(days=1)): "before its own time",
        bar().replace(b'"close":100.0', b'"close":-1'): "close",
        bar().replace(b'"close":100.0', b'"close":NaN'): "malformed",
        b"": "truncated",
    }
    outcome = Bars(context.engine, tickers).handle(batch(PRICES.name, *bad, bar()))
    assert len(outcome.dead) == len(bad)
    for dead, reason in zip(outcome.dead, bad.values(), strict=True):
        assert reason in dead.error
    assert rows(context, "SELECT count(*) FROM bar") == [(1,)]


def test_charts_are_checked_and_stored_once(context: Context, tickers: TickerIndex) -> None:
    good = encode(Chart(ticker="BA", end=START, image=picture()))
    huge = encode(Chart(ticker="BA", end=START, image=picture(5_000, 10)))
    junk = encode(Chart(ticker="BA", end=START, image=b"GIF89a"))
    agent = Charts(context.engine, tickers)
    outcome = agent.handle(batch(CHARTS.name, good, huge, junk, good))
    agent.handle(batch(CHARTS.name, good))
    assert [dead.error for dead in outcome.dead] == [
        "image of 5000x10 pixels, 4096x4096 at most",
        "neither a PNG nor a JPEG image",
    ]
    assert rows(context, "SELECT company_id, width, height, media_type, image FROM chart") == [
        ("boeing", 40, 30, "image/png", picture())
    ]


def test_dead_letters_are_stored_once_and_cut_only_on_the_topic(context: Context) -> None:
    store = DeadLetterStore(context.engine)
    long = Message("squall.news", 1, 7, None, b"x" * (ON_TOPIC_BYTES + 1))
    for _ in range(2):
        sends = store.store("intake", [Dead(long, "too \x00 long")])
    letter = decode(sends[0].value, DeadLetter)
    assert len(letter.payload) == ON_TOPIC_BYTES
    assert "payload of" in letter.error
    found = store.list(10)
    assert [(one.topic, one.partition, one.offset, one.stage, one.error, one.size) for one in found] == [
        ("squall.news", 1, 7, "intake", "too \\0 long", ON_TOPIC_BYTES + 1)
    ]


def test_dead_letters_are_sent_again_byte_for_byte_and_marked(context: Context) -> None:
    from kafka import KafkaConsumer, KafkaProducer

    with running(context.settings, database=False) as services:
        create_topics(context.settings, services.bootstrap)
        topic = PRICES.on_broker(context.settings)
        store = DeadLetterStore(context.engine)
        store.store("market-bars", [Dead(message, "odd") for message in batch(topic, b"\xff\x00 not json", b"")])
        options = kafka_options(context.settings, services.bootstrap)
        producer = KafkaProducer(**options, acks="all")
        sent = list(store.redrive(producer))
        assert all(letter.redriven_at for letter in sent)
        assert store.list(10, waiting_only=True) == []
        assert list(store.redrive(producer)) == []
        with pytest.raises(RedriveError, match="no dead letter nothing"):
            list(store.redrive(producer, ["nothing"]))
        producer.close()
        consumer = KafkaConsumer(topic, **options, auto_offset_reset="earliest", consumer_timeout_ms=60_000)
        received = {(message.key, message.value) for _, message in zip(range(2), consumer, strict=False)}
        consumer.close()
    assert received == {(b"k", b"\xff\x00 not json"), (b"k", b"")}
