"""Notify: delivers what the outbox holds to the channels in force. May tell twice, never not at all."""

from collections.abc import Sequence

import msgspec
import structlog

from squall.records import Alert, encode
from squall.topics import ALERTS
from streams import outbox_store as store
from streams.alerts import TOPIC, channel_names
from streams.channels import Channel, Delivery, open_channel
from streams.outbox_store import Batch
from streams.runtime import Context, Parts, Periodic, Send

INTERVAL_S = 0.5
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 300.0
TOPIC_BATCHES = 100
log = structlog.get_logger("squall.notify")


def parts(context: Context) -> Parts:
    """One task a channel, so that a slow one keeps no other waiting."""
    settings = context.settings
    periodics = [Periodic("notify topic", INTERVAL_S, TopicNotifier(context).run)]
    periodics += [
        Periodic(f"notify {name}", INTERVAL_S, Notifier(context, name, open_channel(settings, name)).run)
        for name in channel_names(settings)
        if name != TOPIC
    ]
    return Parts(periodics=tuple(periodics))


class Notifier:
    """Delivers the notifications of one channel, a group at a time, with no transaction open meanwhile."""

    def __init__(self, context: Context, name: str, channel: Channel) -> None:
        self._engine = context.engine
        self._settings = context.settings.notify
        self._name = name
        self._channel = channel

    def run(self) -> Sequence[Send]:
        """Deliver all that is due."""
        while True:
            with self._engine.begin() as connection:
                batch = store.claim(connection, self._name, self._settings.lease_s)
            if batch is None:
                return ()
            self._deliver(batch)

    def _deliver(self, batch: Batch) -> None:
        try:
            self._channel.deliver(Delivery(batch.key, batch.group_key, _alerts(batch)))
        except Exception as error:
            again = pause(batch.attempts) if batch.attempts < self._settings.max_attempts else None
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
            log.warning("not delivered", channel=self._name, attempt=batch.attempts, again_in_s=again, error=reason)
            with self._engine.begin() as connection:
                store.mark_failed(connection, batch, reason, again)
            return
        with self._engine.begin() as connection:
            store.mark_delivered(connection, batch)


class TopicNotifier:
    """Sends alerts to squall.alerts: what `run` returns is sent before it runs again, and only then marked as delivered."""

    def __init__(self, context: Context) -> None:
        self._engine = context.engine
        self._lease_s = context.settings.notify.lease_s
        self._sent: list[Batch] = []

    def run(self) -> Sequence[Send]:
        """Mark what was sent, and claim what is to be sent next."""
        claimed: list[Batch] = []
        with self._engine.begin() as connection:
            for sent in self._sent:
                store.mark_delivered(connection, sent)
            while len(claimed) < TOPIC_BATCHES and (batch := store.claim(connection, TOPIC, self._lease_s)) is not None:
                claimed.append(batch)
        self._sent = claimed
        return [Send(ALERTS, alert.incident_id.encode(), encode(alert)) for batch in claimed for alert in _alerts(batch)]


def pause(attempts: int) -> float:
    """Seconds until the next attempt after so many failed ones: doubling, up to five minutes."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (attempts - 1)))


def _alerts(batch: Batch) -> tuple[Alert, ...]:
    return tuple(msgspec.convert(payload, Alert) for payload in batch.payloads)
