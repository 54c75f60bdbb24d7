"""The Faust application of a worker: consumes the agents' topics in one consumer group and drives their batch loops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from squall.settings import Settings
from squall.topics import MAX_MESSAGE_BYTES
from streams.health import Health
from streams.runtime import Batch, BatchLoop, BrokerLostError, Message, Send

if TYPE_CHECKING:
    import faust

log = structlog.get_logger("squall.worker")

STAY_S = 3_600.0
"""How long a batch may be in hand before the broker takes its partitions away: an outage of Postgres is waited out."""
READ_AHEAD = 4
"""Batches that are read ahead of the one in hand."""


class WorkerApp:
    """One Faust application. Nothing of it runs before `start`."""

    def __init__(self, settings: Settings, bootstrap: str, group: str, health: Health) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when a loop gives up."""
        self._settings = settings
        self._health = health
        self._loops: list[BatchLoop] = []
        self._app = _faust_app(settings, bootstrap, group)
        assigned: Any = self._app.on_partitions_assigned
        assigned.connect(self._assigned, weak=False)

    async def _assigned(self, _app: Any, assigned: Any, **_: Any) -> None:
        log.info("partitions assigned", partitions=sorted(f"{one.topic}/{one.partition}" for one in assigned))
        self._health.whole("running")

    def add(self, loop: BatchLoop) -> None:
        """Consume the topic of a loop's agent."""
        stream = self._settings.stream
        topic = self._app.topic(
            loop.agent.topic.on_broker(self._settings), key_serializer="raw", value_serializer="raw", allow_empty=True
        )

        async def batches(events: Any) -> AsyncIterator[Batch]:
            async for taken in events.noack_take(stream.batch_max, within=stream.batch_wait_s):
                yield Batch([_message(event) for event in taken], lambda taken=taken: _acknowledge(taken))  # type: ignore[misc]

        async def consume(events: Any) -> None:
            # Whatever left this function would stall the worker for ever: it ends the process instead.
            try:
                await loop.run(batches(events))
            except Exception as error:
                if not self.failure.done():
                    self.failure.set_exception(error)
            await asyncio.Event().wait()

        self._app.agent(topic, name=loop.agent.name, concurrency=1)(consume)
        self._loops.append(loop)

    async def start(self) -> None:
        """Join the group and begin to consume."""
        await self._app.start()

    async def stop(self) -> None:
        """Commit what is acknowledged and leave the group."""
        await self._app.stop()

    @property
    def busy(self) -> bool:
        """Whether a batch is in hand."""
        return any(loop.busy for loop in self._loops)

    @property
    def crashed(self) -> BaseException | None:
        """What Faust died of, where it did."""
        if not self._app.crashed:
            return None
        reason: BaseException | None = self._app.crash_reason
        return reason or RuntimeError("the consumer stopped")

    def lag(self) -> int:
        """Messages on this worker's partitions that are not committed yet."""
        consumer: Any = self._app.consumer
        behind = 0
        for partition in consumer.assignment():
            high = consumer.highwater(partition)
            at = consumer._committed_offset.get(partition) or consumer._read_offset.get(partition) or 0
            behind += max(0, (high or 0) - at)
        return behind

    async def send(self, sends: Sequence[Send]) -> None:
        """See `streams.runtime.Sender`."""
        from aiokafka.errors import KafkaError, MessageSizeTooLargeError
        from faust.exceptions import ProducerSendError

        pending = []
        try:
            producer = await self._app.maybe_start_producer()
            for one in sends:
                topic = one.topic.on_broker(self._settings)
                pending.append(await producer.send(topic, one.key, one.value, one.partition, None, None))
            await asyncio.gather(*pending)
        except (KafkaError, ProducerSendError, OSError, TimeoutError) as error:
            await asyncio.gather(*pending, return_exceptions=True)
            if isinstance(error.__cause__ or error, MessageSizeTooLargeError):
                raise
            raise BrokerLostError(f"{type(error).__name__}: {error}") from error


def _message(event: Any) -> Message:
    raw = event.message
    return Message(raw.topic, raw.partition, raw.offset, raw.key, raw.value, raw.timestamp or 0.0)


def _acknowledge(events: Sequence[Any]) -> None:
    for event in events:
        event.ack()


def _faust_app(settings: Settings, bootstrap: str, group: str) -> "faust.App":
    import faust

    return faust.App(
        group,
        broker=[f"kafka://{server}" for server in bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        datadir=settings.home / "faust",
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MAX_MESSAGE_BYTES,
        producer_max_request_size=MAX_MESSAGE_BYTES,
        producer_compression_type="lz4",
        producer_linger=0.002,
        stream_wait_empty=False,
        stream_buffer_maxsize=READ_AHEAD * settings.stream.batch_max,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=1.0,
        broker_max_poll_interval=STAY_S,
    )


def _credentials(settings: Settings) -> Any:
    import ssl

    from faust import SASLCredentials, SSLCredentials

    kafka = settings.kafka
    secure = kafka.security_protocol.endswith("SSL")
    context = ssl.create_default_context(cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None) if secure else None
    if kafka.security_protocol.startswith("SASL"):
        password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
        return SASLCredentials(
            username=kafka.sasl_username, password=password, ssl_context=context, mechanism=kafka.sasl_mechanism
        )
    return SSLCredentials(context=context) if context else None
