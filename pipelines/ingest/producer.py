"""The one way by which messages reach the broker."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pipelines.ingest.source import Send
from squall.errors import UserError
from squall.settings import Settings
from squall.topics import MAX_MESSAGE_BYTES, kafka_options

DELIVERY_TIMEOUT_S = 120
BOOTSTRAP_TIMEOUT_S = 10
# Room for key, headers and framing beside the value.
MAX_VALUE_BYTES = MAX_MESSAGE_BYTES - 64 * 1024


Place = tuple[str, int]


class DeliveryError(UserError):
    """The broker did not acknowledge messages; the message is one line that says why."""


@dataclass
class Delivered:
    """What the broker has acknowledged."""

    count: int = 0
    ends: dict[Place, int] = field(default_factory=dict)
    """By topic on the broker and partition: the offset after the last message."""

    def reached(self, place: Place, end: int) -> None:
        """Note that a place was filled up to an offset."""
        self.ends[place] = max(end, self.ends.get(place, 0))

    def add(self, more: "Delivered") -> None:
        """Note what else was delivered."""
        self.count += more.count
        for place, end in more.ends.items():
            self.reached(place, end)


class Producer:
    """An idempotent kafka-python producer. Thread-safe; used as a context manager.

    Raises:
        DeliveryError: no broker answers.
    """

    def __init__(self, settings: Settings, bootstrap: str) -> None:
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        self._settings = settings
        try:
            self._producer = KafkaProducer(
                **kafka_options(settings, bootstrap),
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                linger_ms=20,
                batch_size=256 * 1024,
                max_request_size=MAX_MESSAGE_BYTES,
                bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_S * 1000,
                delivery_timeout_ms=DELIVERY_TIMEOUT_S * 1000,
            )
        except KafkaError as error:
            raise DeliveryError(f"no broker answers at {bootstrap}: {error!r}") from None

    def deliver(self, sends: Iterable[Send]) -> Delivered:
        """Send messages and wait until the broker has acknowledged them all.

        Raises:
            DeliveryError: at least one of them was not acknowledged; the others may have been.
        """
        from kafka.errors import KafkaError

        try:
            futures = [
                self._producer.send(
                    send.topic.on_broker(self._settings), key=send.key, value=send.value, partition=send.partition
                )
                for send in sends
            ]
            self._producer.flush(timeout=DELIVERY_TIMEOUT_S)
            places = [future.get(timeout=DELIVERY_TIMEOUT_S) for future in futures]
        except KafkaError as error:
            raise DeliveryError(f"the broker did not acknowledge: {error!r}") from None
        delivered = Delivered(len(places))
        for place in places:
            delivered.reached((place.topic, place.partition), place.offset + 1)
        return delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._producer.close(timeout=10)
