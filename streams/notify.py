"""Notify: delivers what the outbox holds to the channels in force. May tell twice, never not at all."""

import sys
from collections.abc import Sequence
from typing import IO, Any, Protocol

import msgspec
import structlog

from squall.records import Alert, encode
from squall.topics import ALERTS
from streams import outbox_store as store
from streams.alerts import CONSOLE, TOPIC, WEBHOOK, channel_names
from streams.outbox_store import Notification
from streams.runtime import Context, Parts, Periodic, Send

INTERVAL_S = 0.5
TIMEOUT_S = 10.0
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 300.0
TOPIC_BATCH = 100
GLYPHS = {"critical": "◆", "high": "▲", "medium": "●", "info": "○"}
log = structlog.get_logger("squall.notify")


def parts(context: Context) -> Parts:
    """One task a channel, so that a slow one keeps no other waiting."""
    settings = context.settings
    channels: dict[str, Channel] = {CONSOLE: Console(sys.__stdout__ or sys.stdout)}
    if settings.notify.webhook_url:
        channels[WEBHOOK] = Webhook(settings.notify.webhook_url.get_secret_value())
    periodics = [Periodic("notify topic", INTERVAL_S, TopicNotifier(context).run)]
    periodics += [
        Periodic(f"notify {name}", INTERVAL_S, Notifier(context, name, channels[name]).run)
        for name in channel_names(settings)
        if name != TOPIC
    ]
    return Parts(periodics=tuple(periodics))


class Channel(Protocol):
    """Where alerts go. Whatever it raises is a failed attempt."""

    def deliver(self, alert: Alert, key: str) -> None:
        """Deliver one alert; the same key means the same alert again."""
        ...


class Console:
    """Prints a line an alert, and its heaviest headlines."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def deliver(self, alert: Alert, key: str) -> None:  # noqa: ARG002 - a line needs no key
        """Print the alert."""
        self._out.write(alert_text(alert) + "\n")
        self._out.flush()


class Webhook:
    """Posts each alert as JSON; anything but a 2xx answer is a failure."""

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, alert: Alert, key: str) -> None:
        """Post the alert."""
        import httpx

        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        httpx.post(self._url, content=encode(alert), headers=headers, timeout=TIMEOUT_S).raise_for_status()


def alert_text(alert: Alert, headlines: int = 3) -> str:
    """An alert as people read it on a terminal."""
    glyph = GLYPHS.get(alert.severity, "○")
    lines = [f"{glyph} {alert.severity.upper()} {alert.state}  {alert.at:%Y-%m-%d %H:%M} UTC  {alert.summary}"]
    for story in alert.evidence[:headlines]:
        lines.append(f"    {story['title']} ({story['source']})")
    return "\n".join(lines)


class Notifier:
    """Delivers the notifications of one channel, one at a time, with no transaction open meanwhile."""

    def __init__(self, context: Context, name: str, channel: Channel) -> None:
        self._engine = context.engine
        self._settings = context.settings.notify
        self._name = name
        self._channel = channel

    def run(self) -> Sequence[Send]:
        """Deliver all that is due."""
        while True:
            with self._engine.begin() as connection:
                claimed = store.claim(connection, self._name, self._settings.lease_s, 1)
            if not claimed:
                return ()
            self._deliver(claimed[0])

    def _deliver(self, one: Notification) -> None:
        try:
            self._channel.deliver(_alert(one.payload), f"{one.incident_id}-{one.number}")
        except Exception as error:
            again = pause(one.attempts) if one.attempts < self._settings.max_attempts else None
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
            log.warning("not delivered", channel=self._name, attempt=one.attempts, again_in_s=again, error=reason)
            with self._engine.begin() as connection:
                store.mark_failed(connection, one.id, reason, again)
            return
        with self._engine.begin() as connection:
            store.mark_delivered(connection, [one.id])


class TopicNotifier:
    """Sends alerts to squall.alerts: what `run` returns is sent before it runs again, and only then marked as delivered."""

    def __init__(self, context: Context) -> None:
        self._engine = context.engine
        self._lease_s = context.settings.notify.lease_s
        self._sent: list[int] = []

    def run(self) -> Sequence[Send]:
        """Mark what was sent, and claim what is to be sent next."""
        with self._engine.begin() as connection:
            if self._sent:
                store.mark_delivered(connection, self._sent)
            claimed = store.claim(connection, TOPIC, self._lease_s, TOPIC_BATCH)
        self._sent = [one.id for one in claimed]
        return [Send(ALERTS, one.incident_id.encode(), encode(_alert(one.payload))) for one in claimed]


def pause(attempts: int) -> float:
    """Seconds until the next attempt after so many failed ones: doubling, up to five minutes."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (attempts - 1)))


def _alert(payload: dict[str, Any]) -> Alert:
    return msgspec.convert(payload, Alert)
