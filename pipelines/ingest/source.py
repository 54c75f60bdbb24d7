"""What every source is: batches of messages, and the position to save once the broker has acknowledged them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from squall.topics import Topic

Position = Mapping[str, Any]


class Send(NamedTuple):
    """One message to the broker; without `partition`, the key decides."""

    topic: Topic
    key: bytes | None
    value: bytes
    partition: int | None = None


@dataclass(frozen=True)
class Batch:
    """What a source hands over at once."""

    sends: tuple[Send, ...] = ()
    position: Position = field(default_factory=dict)
    """Where the source goes on after these messages; saved only when all of them are acknowledged."""
    bad: int = 0
    """How many of the messages will be dead-lettered: sent as they are, so that nothing is lost."""
    last_item_at: datetime | None = None
    error: str | None = None
    """Why the source could not be read this time; its position then stays."""


class Source(Protocol):
    """A source of news, prices or charts."""

    @property
    def name(self) -> str:
        """Key of its row in the table `source`."""

    @property
    def kind(self) -> str:
        """What it is: `feed`, `file`, ..."""

    @property
    def address(self) -> str:
        """Where it reads from, without secrets."""

    def batches(self, position: Position) -> AsyncIterator[Batch]:
        """Read on from a saved position (empty: from the beginning)."""
