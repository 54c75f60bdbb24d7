"""What a person asked for is sent again, and marked only afterwards."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, text

from squall.db.tables import DeadLetter
from squall.topics import NEWS
from streams.redrive import Redriver
from tests.integration.stage import stage


def test_what_was_asked_for_is_sent_once_and_then_marked(tmp_path: Path) -> None:
    with stage(tmp_path) as context:
        row = {"topic": NEWS.on_broker(context.settings), "partition": 1, "message_offset": 3, "stage": "intake", "error": "bad"}
        rows = [
            {**row, "id": "a", "key": b"k", "payload": b"one", "asked_at": datetime(2015, 1, 1, tzinfo=UTC), "asked_by": "ana"},
            {**row, "id": "b", "key": None, "payload": b"two", "asked_at": datetime(2015, 1, 2, tzinfo=UTC), "asked_by": "ana"},
            {**row, "id": "c", "key": None, "payload": b"three", "asked_at": None, "asked_by": None},
        ]
        with context.engine.begin() as connection:
            connection.execute(insert(DeadLetter), rows)
        redriver = Redriver(context)
        sent = {send.value: (send.topic, send.key, send.partition) for send in redriver.run()}
        assert sent == {b"one": (NEWS, b"k", None), b"two": (NEWS, None, 1)}
        marked = text("SELECT id FROM dead_letter WHERE redriven_at IS NOT NULL ORDER BY id")
        with context.engine.connect() as connection:
            assert list(connection.execute(marked).scalars()) == []
        assert Redriver(context).run() == []
        assert redriver.run() == []
        with context.engine.connect() as connection:
            assert list(connection.execute(marked).scalars()) == ["a", "b"]
