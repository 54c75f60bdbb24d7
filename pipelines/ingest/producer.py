"""The one way by which messages reach the broker."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from pipelines.ingest.source import Send
from squall.errors import UserError
from squall.settings import Settings
from squall.topics import MAX_MESSAGE_BYTES, kafka_options

DELIVERY_TIMEOUT_S = 120
# Room for key, headers and framing beside the value.
MAX_VALUE_BYTES = MAX_MESSAGE_BYTES - 64 * 1024


class DeliveryError(UserError):
    """The broker did not acknowledge messages; the message is one line that says why."""


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
                delivery_timeout_ms=DELIVERY_TIMEOUT_S * 1000,
            )
        except KafkaError as error:
            raise DeliveryError(f"no broker answers at {bootstrap}: {error!r}") from None

    def deliver(self, sends: Iterable[Send]) -> int:
        """Send messages and wait until the broker has acknowledged them all; returns how many there were.

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
            for future in futures:
                future.get(timeout=DELIVERY_TIMEOUT_S)
        except KafkaError as error:
            raise DeliveryError(f"the broker did not acknowledge: {error!r}") from None
        return len(futures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._producer.close(timeout=10)
