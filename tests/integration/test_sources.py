"""Sources, endpoint and replay's sending against a real broker and a real Postgres."""

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from aiohttp import web
from kafka import KafkaConsumer, TopicPartition
from pydantic import SecretStr
from sqlalchemy import Engine, text

from models.drawing import render_chart
from pipelines.ingest.endpoint import Endpoint, serve
from pipelines.ingest.feeds import Feed
from pipelines.ingest.files import FileSource, read_news
from pipelines.ingest.positions import Positions
from pipelines.ingest.producer import Delivered, DeliveryError, Producer
from pipelines.ingest.replay import ReplayError, prepare, send
from pipelines.ingest.rows import news_from_row
from pipelines.ingest.run import Runner
from pipelines.ingest.source import Batch, Position
from pipelines.ingest.standing import counts, group, has_messages, unacknowledged
from pipelines.ingest.timeline import broken_items, end_of, items_of, merge
from squall.db import migrate
from squall.db.engine import make_engine
from squall.embedded import Addresses, running
from squall.errors import UsageError
from squall.records import Bar, Chart, News, Tick, decode, encode, minute_of
from squall.safety import GuardedClient
from squall.settings import HttpSettings, KafkaSettings, Settings
from squall.topics import CHARTS, NEWS, PRICES, Topic, create_topics
from streams.logic.articles import times_of
from tests.week import generated_bars, generated_week

TOKEN = "a-token-for-the-tests-only"
HTTP = HttpSettings(port=0, token=SecretStr(TOKEN), allow_private=True, max_bytes=200_000, timeout_s=2)
START = datetime(2015, 3, 2, tzinfo=UTC)
END = START + timedelta(days=8)


@dataclass
class Stage:
    """A namespace with its broker, database and producer."""

    settings: Settings
    services: Addresses
    engine: Engine
    producer: Producer

    def read(self, topic: Topic, count: int) -> list[tuple[int, bytes | None, bytes]]:
        """Exactly so many messages of a topic, in order of their offsets: partition, key, value."""
        found = self.read_until(topic, lambda messages: len(messages) >= count)
        assert len(found) == count
        return found

    def read_until(
        self, topic: Topic, enough: Callable[[list[tuple[int, bytes | None, bytes]]], bool]
    ) -> list[tuple[int, bytes | None, bytes]]:
        """The messages of a topic until there are enough, and what follows at once."""
        consumer = KafkaConsumer(bootstrap_servers=self.services.bootstrap, enable_auto_commit=False)
        try:
            name = topic.on_broker(self.settings)
            parts = [TopicPartition(name, number) for number in range(self.settings.kafka.partitions)]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            found: list[tuple[int, bytes | None, bytes]] = []
            for _ in range(100):
                polled = [record for records in consumer.poll(500).values() for record in records]
                found += [(record.partition, record.key, record.value) for record in polled]
                if enough(found) and not polled:
                    return found
            raise AssertionError(f"{len(found)} messages arrived")
        finally:
            consumer.close()

    def sources(self) -> dict[str, Any]:
        with self.engine.connect() as connection:
            return {row["name"]: dict(row) for row in connection.execute(text("SELECT * FROM source")).mappings()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Addresses]]:
    settings = Settings(home=tmp_path_factory.mktemp("sources"), http=HTTP)
    with running(settings) as services:
        yield settings, services


@pytest.fixture
def stage(home: tuple[Settings, Addresses], request: pytest.FixtureRequest) -> Iterator[Stage]:
    settings = home[0].in_namespace(f"t{abs(hash(request.node.name)) % 10**9}")
    engine = make_engine(settings, home[1].database_url)
    migrate.upgrade(engine, settings, START, END)
    create_topics(settings, home[1].bootstrap)
    with Producer(settings, home[1].bootstrap) as producer:
        yield Stage(settings, home[1], engine, producer)
    migrate.drop(engine, settings)
    engine.dispose()


def week_file(folder: Path, articles: int) -> Path:
    path = folder / "week.parquet"
    pd.DataFrame(generated_week(articles)).to_parquet(path)
    return path


# --- files and feeds ---


def test_a_file_arrives_whole_under_the_ids_of_its_articles(stage: Stage, tmp_path: Path) -> None:
    path = week_file(tmp_path, 3_000)
    source = FileSource(path, read_news)
    runner = Runner(stage.producer, Positions(stage.engine))
    [tally] = asyncio.run(runner.run([source]))
    wanted = sorted((read.send.key or b"", read.send.value) for read in read_news(path))
    assert (tally.sent, tally.bad, tally.errors) == (len(wanted), 0, 0)
    assert sorted((key or b"", value) for _, key, value in stage.read(NEWS, len(wanted))) == wanted
    row = stage.sources()[source.name]
    assert (row["items"], row["position"]["rows"], row["last_error"]) == (len(wanted), len(wanted), None)
    [again] = asyncio.run(runner.run([source]))
    assert again.sent == 0
    [all_again] = asyncio.run(Runner(stage.producer, Positions(stage.engine), again=True).run([source]))
    assert all_again.sent == len(wanted)


class Refusing(Producer):
    """A broker that takes a while to come back: it refuses some deliveries."""

    def __init__(self, stage: Stage, refusals: int) -> None:
        super().__init__(stage.settings, stage.services.bootstrap)
        self.refusals = refusals
        self.seen: list[dict[str, Any]] = []
        self.stage = stage

    def deliver(self, sends: Any) -> Delivered:
        self.seen.append(self.stage.sources())
        if self.refusals:
            self.refusals -= 1
            raise DeliveryError("away")
        return super().deliver(sends)


def test_a_position_is_saved_only_after_the_broker_has_acknowledged(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.ingest.run.FIRST_WAIT_S", 0.01)
    path = week_file(tmp_path, 10)
    with Refusing(stage, 3) as producer:
        [tally] = asyncio.run(Runner(producer, Positions(stage.engine)).run([FileSource(path, read_news)]))
    assert producer.seen == [{}] * 4
    assert tally.sent == len(stage.read(NEWS, tally.sent)) > 10


class Gate:
    """A source that, once its first batch is taken, goes on for ever."""

    name = kind = address = "gate"

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        for number in range(10**6):
            read = news_from_row({"published_at": START, "title": f"Item {number}"}, "gate", START)
            yield Batch((read.send,), {"done": number + 1}, last_item_at=START)
            self.begun.set()


def test_what_is_in_hand_is_delivered_and_saved_when_stopped(stage: Stage) -> None:
    async def run() -> int:
        gate = Gate()
        task = asyncio.create_task(Runner(stage.producer, Positions(stage.engine)).run([gate]))
        await asyncio.wait_for(gate.begun.wait(), 20)
        task.cancel()
        return (await task)[0].sent

    sent = asyncio.run(run())
    assert sent >= 1
    assert stage.sources()["gate"]["position"] == {"done": sent}
    stage.read(NEWS, sent)


FEED = """<rss version="2.0"><channel><title>w</title>
<item><title>{}</title><guid isPermaLink="false">1</guid>
<pubDate>Mon, 02 Mar 2015 10:30:00 GMT</pubDate></item></channel></rss>"""


async def listening(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


def test_one_bad_feed_never_stops_the_others(stage: Stage) -> None:
    async def run() -> tuple[str, list[Any], list[Any]]:
        asked: list[str | None] = []

        async def good(request: web.Request) -> web.Response:
            asked.append(request.headers.get("If-None-Match"))
            if asked[-1]:
                return web.Response(status=304)
            return web.Response(
                text=FEED.format("Boeing wins an order"), content_type="application/rss+xml", headers={"ETag": '"1"'}
            )

        async def hanging(_request: web.Request) -> web.Response:
            await asyncio.sleep(60)
            return web.Response()

        app = web.Application()
        app.add_routes([web.get("/good", good), web.get("/hanging", hanging)])
        server, base = await listening(app)
        try:
            async with GuardedClient(HTTP) as client:
                feeds = [Feed(f"{base}/{name}", client, 60, once=True) for name in ("hanging", "good", "missing")]
                runner = Runner(stage.producer, Positions(stage.engine))
                tallies = await runner.run(feeds)
                await runner.run(feeds[1:2])
        finally:
            await server.cleanup()
        return base, tallies, asked

    base, tallies, asked = asyncio.run(run())
    assert [(tally.sent, tally.errors) for tally in tallies] == [(0, 1), (1, 0), (0, 1)]
    assert asked == [None, '"1"']
    rows = stage.sources()
    assert "404" in rows[f"{base}/missing"]["last_error"]
    assert "within 2 s" in rows[f"{base}/hanging"]["last_error"]
    good = rows[f"{base}/good"]
    assert (good["kind"], good["position"], good["items"], good["last_error"]) == ("feed", {"etag": '"1"'}, 1, None)
    assert good["last_item_at"] == datetime(2015, 3, 2, 10, 30, tzinfo=UTC)
    [(_, key, value)] = stage.read(NEWS, 1)
    article = decode(value, News)
    assert (article.title, article.article_id.encode()) == ("Boeing wins an order", key)


# --- the endpoint ---

Ask = Callable[..., Awaitable[httpx.Response]]


async def with_endpoint(endpoint: Endpoint, asks: Callable[[Ask], Awaitable[None]]) -> None:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(endpoint, address.set_result))
    try:
        base = await asyncio.wait_for(address, 10)
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:

            async def ask(path: str, *, token: str | None = TOKEN, **request: Any) -> httpx.Response:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                return await client.post(path, headers=headers | request.pop("headers", {}), **request)

            await asks(ask)
            assert (await client.get("/healthz")).json()["status"] == "ok"
    finally:
        serving.cancel()
        await serving


def article(number: int, **fields: Any) -> dict[str, Any]:
    return {"published_at": "2015-03-02T10:00:00Z", "title": f"Item {number}", "guid": str(number), "source": "desk", **fields}


def test_the_endpoint_answers_when_the_broker_has_acknowledged(stage: Stage) -> None:
    image = render_chart(pd.DataFrame(generated_bars())[:60])

    async def asks(ask: Ask) -> None:
        for body in (article(1), [article(2), article(3)]):
            answer = await ask("/v1/news", json=body)
            assert (answer.status_code, answer.json()["accepted"]) == (202, len(body) if isinstance(body, list) else 1)
        lines = "\n".join(json.dumps(article(number)) for number in (4, 5, 6))
        answer = await ask("/v1/news", content=lines, headers={"Content-Type": "application/x-ndjson"})
        assert answer.json() == {"accepted": 3}
        bar = {"ticker": "IBM", "start": "2015-03-02", "open": 1, "high": 2, "low": 1, "close": 2, "volume": 5}
        assert (await ask("/v1/prices", json=bar)).status_code == 202
        chart = {"ticker": "IBM", "end": "2015-03-02", "image": base64.b64encode(image).decode()}
        assert (await ask("/v1/charts", json=chart)).status_code == 202
        query = {"ticker": "GE", "end": "2015-03-02T15:00:00Z", "interval": "1h"}
        raw = await ask("/v1/charts", params=query, content=image, headers={"Content-Type": "image/png"})
        assert raw.status_code == 202

    endpoint = Endpoint(stage.producer, HTTP)
    asyncio.run(with_endpoint(endpoint, asks))
    assert endpoint.accepted == 9
    articles = [decode(value, News) for _, _, value in stage.read(NEWS, 6)]
    assert {one.guid for one in articles} == set("123456")
    assert all(one.fetched_at > START + timedelta(days=365) for one in articles)
    [(_, key, value)] = stage.read(PRICES, 1)
    assert (key, decode(value, Bar).available_at) == (b"IBM", datetime(2015, 3, 2, 21, tzinfo=UTC))
    charts = {key: decode(value, Chart) for _, key, value in stage.read(CHARTS, 2)}
    assert charts[b"IBM"].image == charts[b"GE"].image == image
    assert charts[b"GE"].available_at == datetime(2015, 3, 2, 16, tzinfo=UTC)


def test_the_endpoint_refuses_with_reasons_and_takes_nothing(stage: Stage) -> None:
    async def asks(ask: Ask) -> None:
        for token in (None, "wrong", TOKEN + "x", "é"):
            headers = {} if token is None else {"Authorization": b"Bearer " + token.encode()}
            answer = await ask("/v1/news", token=None, json=article(1), headers=headers)
            assert answer.status_code == 401
        assert (await ask("/v1/news", content=b"<x/>", headers={"Content-Type": "text/xml"})).status_code == 415
        large = await ask("/v1/news", json=article(1, body="x" * HTTP.max_bytes))
        assert (large.status_code, str(HTTP.max_bytes) in large.json()["error"]) == (413, True)
        mixed = await ask("/v1/news", json=[article(1), article(2, title=""), "text", article(3, published_at="soon")])
        assert mixed.status_code == 422
        found = [(error["index"], error["field"]) for error in mixed.json()["errors"]]
        assert found == [(1, "title"), (2, ""), (3, "published_at")]
        assert all(error["reason"] for error in mixed.json()["errors"])
        for body in (b"{", b"[]", b"\xff", b'{"title": NaN}', b"[" * 100_000):
            answer = await ask("/v1/news", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422, body[:20]
        bad_bar = await ask("/v1/prices", json={"ticker": "IBM", "start": "2015-03-02", "open": -1})
        assert bad_bar.json()["errors"][0]["field"] == "open"
        chart = {"ticker": "IBM", "end": "2015-03-02", "image": base64.b64encode(b"no image").decode()}
        for fields, field in (({}, "image"), ({"image": "***"}, "image"), ({"end": "x"}, "end"), ({"ticker": ""}, "ticker")):
            answer = await ask("/v1/charts", json={**chart, **fields})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        raw = await ask("/v1/charts", params={"ticker": "IBM"}, content=b"x", headers={"Content-Type": "image/png"})
        assert raw.status_code == 422
        assert (await ask("/v1/charts", content=b"x", headers={"Content-Type": "image/gif"})).status_code == 415

    endpoint = Endpoint(stage.producer, HTTP)
    asyncio.run(with_endpoint(endpoint, asks))
    assert endpoint.accepted == 0
    for topic in (NEWS, PRICES, CHARTS):
        stage.read(topic, 0)


def test_the_endpoint_says_when_the_broker_does_not_acknowledge(stage: Stage) -> None:
    async def asks(ask: Ask) -> None:
        answer = await ask("/v1/news", json=article(1))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert (await ask("/v1/news", json=article(1))).status_code == 202

    with Refusing(stage, 1) as producer:
        asyncio.run(with_endpoint(Endpoint(producer, HTTP), asks))
    stage.read(NEWS, 1)


@pytest.mark.parametrize("token", [None, SecretStr(""), SecretStr("short")])
def test_the_endpoint_stays_off_without_a_token(stage: Stage, token: SecretStr | None) -> None:
    with pytest.raises(UsageError, match="SQUALL_HTTP__TOKEN"):
        Endpoint(stage.producer, HTTP.model_copy(update={"token": token})).app()


def test_nobody_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(DeliveryError, match="no broker answers"):
            Producer(Settings(), f"127.0.0.1:{free.getsockname()[1]}")


# --- replay ---


def items_of_week(settings: Settings, articles: int) -> list[Any]:
    return items_of([news_from_row(row, "week") for row in generated_week(articles)], settings)


def by_partition(messages: Sequence[tuple[int, bytes | None, bytes]]) -> dict[int, list[News | Tick | bytes]]:
    found: dict[int, list[News | Tick | bytes]] = {}
    for partition, _, value in messages:
        found.setdefault(partition, []).append(value if value.startswith(b"{no") else decode(value, News | Tick))
    return found


@pytest.mark.parametrize(("speed", "shuffle_s"), [(None, 0), (None, 300), (600_000.0, 0)])
def test_a_replay_keeps_its_promises_in_every_partition(stage: Stage, speed: float | None, shuffle_s: int) -> None:
    lateness = timedelta(seconds=stage.settings.stream.lateness_s)
    items = items_of_week(stage.settings, 400) + broken_items([(START + timedelta(hours=5), b"{nonsense")])
    shown: list[int] = []
    sent = send(
        stage.producer,
        stage.engine,
        stage.settings,
        merge(items, stage.settings, shuffle_s, seed=3),
        speed=speed,
        progress=shown.append,
    )
    assert (sent.news, sent.invalid, sum(shown)) == (len(items), 1, len(items))
    assert sent.articles == {item.article_id for item in items if item.article_id}
    assert sent.end == end_of(max(item.at for item in items), stage.settings)
    end = encode(Tick(at=sent.end))
    partitions = stage.settings.kafka.partitions
    found = by_partition(stage.read_until(NEWS, lambda read: sum(value == end for _, _, value in read) == partitions))
    assert sorted(found) == list(range(partitions))
    for messages in found.values():
        closed = START - timedelta(days=1)
        for message in messages:
            if isinstance(message, Tick):
                closed = max(closed, message.at - lateness - timedelta(minutes=1))
            elif isinstance(message, News):
                assert minute_of(times_of(message, stage.settings.stream).event_time) > closed
        assert messages[-1] == Tick(at=sent.end)
    ticks = {partition: [one for one in messages if isinstance(one, Tick)] for partition, messages in found.items()}
    assert all(one == ticks[0] for one in ticks.values())
    with stage.engine.connect() as connection:
        assert connection.execute(text("SELECT at FROM cursor WHERE name = 'replay-end'")).scalar() == sent.end


def test_five_thousand_items_a_second_are_sent(stage: Stage) -> None:
    # A week's news in a day: the time records of each minute, one a partition, weigh little then.
    items = [item._replace(at=START + (item.at - START) / 7) for item in items_of_week(stage.settings, 10_000)]
    began = time.process_time()
    sent = send(stage.producer, stage.engine, stage.settings, merge(items, stage.settings))
    # Seconds of processor time, since other programs may share the machine.
    assert sent.news / (time.process_time() - began) > 5_000


def test_a_namespace_is_used_once_unless_it_is_made_anew(stage: Stage) -> None:
    settings, services = stage.settings, stage.services
    last = START + timedelta(days=7)
    prepare(settings, services, START, last).dispose()
    items = items_of_week(settings, 50)
    send(stage.producer, stage.engine, settings, merge(items, settings))
    with pytest.raises(ReplayError, match="holds an earlier run: --fresh"):
        prepare(settings, services, START, last)
    consumer = KafkaConsumer(
        NEWS.on_broker(settings), bootstrap_servers=services.bootstrap, group_id=group(settings), auto_offset_reset="earliest"
    )
    for _ in range(100):
        if consumer.poll(200):
            break
    consumer.close()
    engine = prepare(settings, services, START, last, fresh=True)
    assert not has_messages(settings, services.bootstrap, NEWS)
    assert unacknowledged(settings, services.bootstrap, {(NEWS.on_broker(settings), 0): 7}) == 7
    stage.read(NEWS, 0)
    assert counts(engine, settings).articles == 0
    engine.dispose()


def test_a_replay_has_a_name_and_a_span_that_is_kept(stage: Stage) -> None:
    with pytest.raises(ReplayError, match="namespace"):
        prepare(stage.settings.in_namespace(""), stage.services, START, END)
    with pytest.raises(ReplayError, match="RETENTION_DAYS"):
        prepare(stage.settings, stage.services, START, START + timedelta(days=4_000))


def test_the_number_of_partitions_is_that_of_the_settings(home: tuple[Settings, Addresses]) -> None:
    settings = home[0].in_namespace("two").model_copy(update={"kafka": KafkaSettings(partitions=2)})
    engine = prepare(settings, home[1], START, END)
    with Producer(settings, home[1].bootstrap) as producer:
        items = items_of_week(settings, 20)
        send(producer, engine, settings, merge(items, settings))
        found = Stage(settings, home[1], engine, producer).read_until(NEWS, lambda read: len(read) > len(items))
    engine.dispose()
    assert {partition for partition, _, _ in found} == {0, 1}
