"""A source that falls silent, asked or sent, opens an incident of its own, and its next article resolves it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dashboard.queries import Reader
from dashboard.reads.pipeline import sources
from squall.records import Tick
from streams.runtime import Context
from streams.scoring import Scoring
from streams.silent_sources import SilentSources
from tests.integration.stage import START, StandIn, empty, messages, stage

FEED = "https://www.wire.example/business.rss"
HOUR = timedelta(hours=1)
SOURCE = "INSERT INTO source (name, kind, address, last_ok_at) VALUES (:name, :kind, :name, now())"
ARTICLE = """
INSERT INTO article (id, source, guid, url, title, body, language, tickers, published_at, fetched_at, event_time, delayed,
                     revision, retracted, signature, story_id, rank)
SELECT md5(:source || at), :source, at, '', 'Kestrel opens a mill', '', 'en', '{}', at, at, at, false,
       0, false, '', md5(:source), 0
FROM generate_series(CAST(:first AS timestamptz), CAST(:last AS timestamptz), CAST(:every AS interval)) AS at
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("silent")) as context:
        yield Context(context.settings.model_copy(update={"namespace": ""}), context.engine)


def write(context: Context, query: str, **values: Any) -> None:
    with context.engine.begin() as connection:
        connection.execute(text(query), values)


def rows(context: Context, query: str) -> list[dict[str, Any]]:
    with context.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def come(context: Context, hours: float) -> None:
    """Let the watermark come so many hours after the start."""
    scoring, partitions = Scoring(context, StandIn()), range(context.settings.kafka.partitions)
    for partition in partitions:
        ticks = (Tick(at=START + hours * HOUR, origin=origin) for origin in partitions)
        scoring.handle(messages(*ticks, partition=partition))


def test_a_silent_feed_is_an_incident_until_it_speaks(live: Context) -> None:
    empty(live, "boeing")
    past, feed = (
        START - timedelta(days=30),
        "INSERT INTO source (name, kind, address, last_ok_at) VALUES (:name, :kind, :name, now())",
    )
    write(live, feed, name=FEED, kind="feed")
    write(live, feed, name="archive", kind="file")
    for source in ("wire.example", "archive"):
        write(live, ARTICLE, source=source, first=past, last=START, every=timedelta(minutes=20))
    looking = SilentSources(live)
    looking.run()
    come(live, 6)
    looking.run()
    assert rows(live, "SELECT * FROM incident") == []
    come(live, 15)
    looking.run()
    looking.run()
    SilentSources(live).run()
    [incident] = rows(live, "SELECT rule, state, severity, opened_at, summary, inputs FROM incident")
    assert (incident["rule"], incident["state"], incident["severity"]) == ("source wire.example", "firing", "high")
    assert incident["opened_at"] == START + 15 * HOUR
    assert "wire.example has brought nothing since" in incident["summary"]
    seen = {row.name: row.silent for row in sources(Reader(live.engine, replay=False))}
    assert seen == {FEED: True, "archive": False}
    assert incident["inputs"]["awaited"] == pytest.approx(45, abs=12)
    write(live, ARTICLE, source="wire.example", first=START + 15.2 * HOUR, last=START + 15.2 * HOUR, every=HOUR)
    come(live, 15.5)
    looking.run()
    assert [row["state"] for row in rows(live, "SELECT state FROM incident")] == ["resolved"]


def test_a_feed_that_is_asked_no_more_is_not_awaited(live: Context) -> None:
    empty(live, "boeing")
    write(live, SOURCE, name=FEED, kind="feed")
    write(live, ARTICLE, source="wire.example", first=START - timedelta(days=30), last=START, every=timedelta(minutes=20))
    looking = SilentSources(live)
    come(live, 15)
    looking.run()
    assert [row["state"] for row in rows(live, "SELECT state FROM incident")] == ["firing"]
    write(live, "UPDATE source SET last_ok_at = now() - interval '1 day'")
    come(live, 16)
    looking.run()
    [resolved] = rows(live, "SELECT state FROM incident")
    assert resolved["state"] == "resolved"


def test_a_source_that_is_sent_to_us_is_awaited_as_a_feed_is(live: Context) -> None:
    empty(live, "boeing")
    past = START - timedelta(days=30)
    for name in ("desk", "archive", "trial"):
        write(live, SOURCE.replace(", last_ok_at", "").replace(", now()", ""), name=name, kind="news")
    for name in ("desk", "archive"):
        write(live, ARTICLE, source=name, first=past, last=START, every=timedelta(minutes=20))
    # Many articles of one day long ago are no habit.
    write(live, ARTICLE, source="trial", first=past, last=past + timedelta(days=1), every=timedelta(minutes=1))
    write(live, "UPDATE article SET ingested_at = event_time + interval '40 minutes' WHERE source <> 'archive'")
    looking = SilentSources(live)
    come(live, 6)
    looking.run()
    assert rows(live, "SELECT * FROM incident") == []
    come(live, 15)
    looking.run()
    [incident] = rows(live, "SELECT rule, state, inputs FROM incident")
    assert (incident["rule"], incident["state"], incident["inputs"]["kind"]) == ("source desk", "firing", "news")
    seen = {row.name: row.silent for row in sources(Reader(live.engine, replay=False))}
    assert seen == {"desk": True, "archive": False, "trial": False}
    write(live, ARTICLE, source="desk", first=START + 15.2 * HOUR, last=START + 15.2 * HOUR, every=HOUR)
    come(live, 15.5)
    looking.run()
    assert [row["state"] for row in rows(live, "SELECT state FROM incident")] == ["resolved"]


def test_whoever_asked_a_feed_no_more_does_not_await_it_as_sent(live: Context) -> None:
    empty(live, "boeing")
    write(live, SOURCE, name=FEED, kind="feed")
    write(live, ARTICLE, source="wire.example", first=START - timedelta(days=30), last=START, every=timedelta(minutes=20))
    write(live, "UPDATE article SET ingested_at = event_time + interval '1 minute'")
    write(live, "UPDATE source SET last_ok_at = now() - interval '1 day'")
    come(live, 15)
    SilentSources(live).run()
    assert rows(live, "SELECT * FROM incident") == []
