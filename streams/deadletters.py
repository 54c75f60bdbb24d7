"""Dead letters: messages that could not be processed, stored with their bytes and the reason, and sent again on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from squall.db.tables import DeadLetter as DeadLetterTable
from squall.errors import UserError
from squall.records import DeadLetter, encode
from squall.topics import DEADLETTERS
from streams.runtime import Dead, Send

if TYPE_CHECKING:
    from kafka import KafkaProducer

log = structlog.get_logger("squall.deadletters")

ON_TOPIC_BYTES = 4 * 1024 * 1024
"""Longer payloads are cut on squall.deadletters, where they grow by a third as JSON; the table keeps every byte."""
ERROR_LENGTH = 500
COLUMNS = (
    *(DeadLetterTable.id, DeadLetterTable.topic, DeadLetterTable.partition, DeadLetterTable.message_offset),
    *(DeadLetterTable.stage, DeadLetterTable.error, DeadLetterTable.size, DeadLetterTable.received_at),
    DeadLetterTable.redriven_at,
)


class RedriveError(UserError):
    """A dead letter could not be sent again; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A dead letter without its bytes; `size` is their number."""

    id: str
    topic: str
    partition: int
    offset: int
    stage: str
    error: str
    size: int
    received_at: datetime
    redriven_at: datetime | None


class DeadLetterStore:
    """Stores the dead letters of one namespace."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store(self, stage: str, dead: Sequence[Dead]) -> Sequence[Send]:
        """Store dead letters, once each however often they come; returns the messages for squall.deadletters.

        A transaction of its own, before the batch is acknowledged: the batch may come again, and its dead letters with it.
        """
        letters = [_letter(stage, one) for one in dead]
        rows = [
            {
                "id": letter.id,
                "topic": letter.topic,
                "partition": letter.partition,
                "message_offset": letter.offset,
                "stage": letter.stage,
                "error": letter.error,
                "key": one.message.key,
                "payload": letter.payload,
            }
            for letter, one in zip(letters, dead, strict=True)
        ]
        with self._engine.begin() as connection:
            for row in rows:
                connection.execute(insert(DeadLetterTable).values(row).on_conflict_do_nothing())
        for letter in letters:
            log.warning("dead letter", topic=letter.topic, partition=letter.partition, offset=letter.offset, error=letter.error)
        return [Send(DEADLETTERS, None, encode(_cut(letter))) for letter in letters]

    def list(self, limit: int, *, waiting_only: bool = False) -> list[Stored]:
        """The newest dead letters, newest first; `waiting_only`: those that were not sent again yet."""
        table = DeadLetterTable
        query = select(*COLUMNS).order_by(table.received_at.desc(), table.id).limit(limit)
        if waiting_only:
            query = query.where(table.redriven_at.is_(None))
        with self._engine.connect() as connection:
            return [Stored(*row) for row in connection.execute(query)]

    def count(self) -> int:
        """How many there are."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(DeadLetterTable)).scalar_one()

    def redrive(self, producer: "KafkaProducer", ids: Sequence[str] = ()) -> Iterator[Stored]:
        """Send dead letters again, as they were, to the topic that they came from; yields each once the broker has it.

        Args:
            ids: which; none: all that were not sent again yet.

        Raises:
            RedriveError: the broker refuses one, or an id is unknown; those before it are sent and marked.
        """
        wanted = ids or [letter.id for letter in reversed(self.list(1_000_000, waiting_only=True))]
        for one in wanted:
            with self._engine.begin() as connection:
                row = connection.execute(select(DeadLetterTable.__table__).where(DeadLetterTable.id == one)).mappings().first()
                if row is None:
                    raise RedriveError(f"no dead letter {one}: `squall deadletters list` shows what there is")
                _send_again(producer, row)
                moved = update(DeadLetterTable).where(DeadLetterTable.id == one).values(redriven_at=func.now())
                letter = Stored(*connection.execute(moved.returning(*COLUMNS)).one())
            yield letter


def _send_again(producer: "KafkaProducer", row: Any) -> None:
    from kafka.errors import KafkaError

    key = None if row["key"] is None else bytes(row["key"])
    # A keyless message goes back to its partition: time records name theirs.
    partition = row["partition"] if key is None else None
    try:
        producer.send(row["topic"], key=key, value=bytes(row["payload"]), partition=partition).get(timeout=60)
    except (KafkaError, AssertionError) as error:
        raise RedriveError(f"dead letter {row['id']} to {row['topic']}: {type(error).__name__}: {error}") from error


def _letter(stage: str, dead: Dead) -> DeadLetter:
    message = dead.message
    return DeadLetter(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        stage=stage,
        error=dead.error.replace("\x00", "\\0")[:ERROR_LENGTH],
        payload=message.value or b"",
    )


def _cut(letter: DeadLetter) -> DeadLetter:
    if len(letter.payload) <= ON_TOPIC_BYTES:
        return letter
    return DeadLetter(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        stage=letter.stage,
        error=f"{letter.error} (payload of {len(letter.payload)} bytes cut here; the table dead_letter has it)",
        payload=letter.payload[:ON_TOPIC_BYTES],
    )
