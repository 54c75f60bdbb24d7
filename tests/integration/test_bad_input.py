"""Poison among good items, repeats and corrections: the bad is named and kept, the good is unharmed and stands once."""

import json
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from pipelines.ingest.source import Send
from squall.records import Chart, encode
from squall.topics import CHARTS
from tests.harness import BROKERS, Services, replayed, services
from tests.outcome import mood_differences
from tests.week import START, generated_week

GOOD = generated_week(700, seed=5)
AT = "2015-03-03T10:00:00Z"


def poison() -> dict[str, bytes]:
    """Payloads that are no articles, by the reason that must be given."""
    valid = {"kind": "news", "source": "wire", "title": "T", "published_at": AT, "fetched_at": AT}

    def changed(**fields: object) -> bytes:
        return json.dumps({**valid, **fields}).encode()

    return {
        "truncated": changed()[:-5],
        "missing required field `title`": json.dumps({k: v for k, v in valid.items() if k != "title"}).encode(),
        "malformed": changed().replace(b'"T"', b"NaN"),
        "NUL byte": changed(title="a\x00b"),
        "invalid UTF-8": changed(title="abc").replace(b"abc", b"a\xe9c"),
        "length <= ": changed(title="x" * 5_000_000),
        "event time": changed(published_at="2031-01-01T00:00:00Z"),
    }


def huge_image() -> bytes:
    """A PNG of a few bytes whose header claims 10,000 x 10,000 pixels."""
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture(scope="module", params=BROKERS)
def on(request: pytest.FixtureRequest) -> Iterator[Services]:
    with services(request.param) as found:
        yield found


def test_poison_is_named_and_kept_and_the_rest_is_unharmed(on: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    at = START.replace(hour=12)
    payloads = poison()
    with replayed(on, "poison", GOOD, broken=[(at, payload) for payload in payloads.values()], workers=2) as run:
        assert run.counts.articles == len({row["guid"] for row in GOOD})
        with run.engine.connect() as connection:
            rows = connection.execute(text("SELECT topic, message_offset, error, payload FROM dead_letter")).all()
            assert mood_differences(connection) == []
        assert len(rows) == len(payloads)
        for reason, payload in payloads.items():
            (row,) = [row for row in rows if row.payload == payload]
            assert reason in row.error
            assert row.topic == "poison.squall.news"
            assert row.message_offset >= 0

        monkeypatch.setenv("SQUALL_KAFKA__BOOTSTRAP_SERVERS", on.addresses.bootstrap)
        monkeypatch.setenv("SQUALL_DATABASE__URL", on.addresses.database_url)
        from squall.cli import app
        from squall.settings import get_settings

        get_settings.cache_clear()
        try:
            listed = CliRunner().invoke(app, ["deadletters", "list", "--namespace", "poison", "--json"])
            assert listed.exit_code == 0, listed.output
            assert len([json.loads(line) for line in listed.stdout.splitlines()]) == len(payloads)
            redriven = CliRunner().invoke(app, ["deadletters", "redrive", "--namespace", "poison"])
            assert redriven.exit_code == 0, redriven.output
        finally:
            get_settings.cache_clear()
        with run.engine.connect() as connection:
            left = connection.execute(text("SELECT count(*) FROM dead_letter WHERE redriven_at IS NULL")).scalar_one()
        assert left == 0


def test_an_image_that_claims_to_be_huge_is_named(on: Services) -> None:
    chart = Chart(ticker="AAPL", end=datetime(2015, 3, 2, tzinfo=UTC), image=huge_image())
    with replayed(on, "image", GOOD[:5], ahead=[Send(CHARTS, b"AAPL", encode(chart))]) as run, run.engine.connect() as connection:
        (row,) = connection.execute(text("SELECT topic, error FROM dead_letter")).all()
        assert connection.execute(text("SELECT count(*) FROM chart")).scalar_one() == 0
    assert row.topic == "image.squall.charts"
    assert "10000" in row.error.replace(",", "").replace(" ", "")


def test_the_same_message_three_times_is_one_row(on: Services) -> None:
    thrice = [row for row in GOOD[:200] for _ in range(3)]
    with replayed(on, "thrice", thrice, workers=2) as run, run.engine.connect() as connection:
        assert run.counts.articles == len({row["guid"] for row in GOOD[:200]})
        assert connection.execute(text("SELECT count(*) - count(DISTINCT mention_id) FROM score")).scalar_one() == 0
        assert mood_differences(connection) == []


def test_a_correction_brings_new_values_and_moves_the_mood_once(on: Services) -> None:
    first = {**GOOD[0], "title": "$BA crash probe widens as losses mount", "guid": "c", "revision": 1, "retracted": False}
    second = {**first, "title": "$BA wins record order and raises its outlook", "revision": 2}
    with replayed(on, "corrected", [first, second, second, first]) as run, run.engine.connect() as connection:
        (article,) = connection.execute(text("SELECT title, revision FROM article")).all()
        assert (article.title, article.revision) == (second["title"], 2)
        (score,) = connection.execute(text("SELECT negative, positive FROM score")).all()
        assert score.positive > score.negative
        assert mood_differences(connection) == []
        assert connection.execute(text("SELECT sum(mentions) FROM mood WHERE scope = 'company:boeing'")).scalar_one() == 1
