"""The rest of the invented world: sources, dead letters, notifications, a worker's health."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, text

from squall.db import tables
from squall.embedded.state import write_json
from squall.records import content_id
from tests.browser.world import NOW, SOURCES

FAILED = "ValidationError: published_at of article '{}' is 400 days ahead"
HOSTILE_PAYLOAD = b'{"title": "<img src=x onerror=window.pwned=1>", "published_at": "2014-02-30"}'


def pipeline(engine: Engine) -> None:
    today = datetime.now(UTC)
    letters = [
        {
            "id": content_id("dead", str(number)),
            "topic": "demo.squall.news",
            "partition": number % 2,
            "message_offset": 1200 + number,
            "stage": "intake",
            "error": FAILED.format(number) if number < 3 else "DecodeError: not JSON",
            "key": f"key-{number}".encode(),
            "payload": HOSTILE_PAYLOAD if number < 3 else bytes(range(120, 250)),
            "received_at": today - timedelta(minutes=9 * number + 2),
        }
        for number in range(4)
    ]
    sources = [
        {"name": name, "kind": "feed", "address": f"https://{number}.example/feed", "items": 240 - 31 * number}
        | {"last_item_at": NOW - timedelta(minutes=7 * number), "last_ok_at": today - timedelta(seconds=20)}
        for number, name in enumerate(SOURCES)
    ]
    sources[2] |= {"last_error": "503 Service Unavailable", "last_error_at": today, "last_ok_at": today - timedelta(minutes=9)}
    with engine.begin() as connection:
        connection.execute(insert(tables.DeadLetter), letters)
        for row in sources:
            connection.execute(insert(tables.Source), row)
        connection.execute(insert(tables.Cursor), {"name": "watch", "at": NOW - timedelta(minutes=3)})
        connection.execute(
            text(
                "INSERT INTO outbox (incident_id, number, channel, payload, delivered_at) "
                "SELECT incident_id, number, 'topic', '{}', CASE WHEN number < 3 THEN now() END FROM incident_event"
            )
        )


def worker(home: Path) -> None:
    """A health file from the time to come, so that it stays fresh for as long as the tests run."""
    said = {"pid": 4711, "at": time.time() + 86400, "state": "running", "lag": 12, "processed": 48210, "redelivered": 256}
    about = {"scores on": "torch bf16 on cuda, batches of 8"}
    about["degraded"] = "the GPU's memory does not suffice for batches of 32"
    write_json(home / "run" / "demo" / "worker-4711.json", said | {"progress_at": time.time() - 1, "about": about})
