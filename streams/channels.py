"""The channels that alerts go out on. What `deliver` raises is a failed attempt; the same key means the same delivery again."""

import asyncio
import hashlib
import hmac
import logging
import sys
from datetime import datetime
from typing import IO, NamedTuple, Protocol

import msgspec

from squall.errors import UsageError
from squall.records import Alert
from squall.safety import GuardedClient
from squall.settings import Settings
from streams.alerts import CONSOLE, WEBHOOK, group_key
from streams.messages import alertmanager_payload, body_of, lines_of, link_base, title_of

SIGNATURE = "X-Squall-Signature"


class Delivery(NamedTuple):
    """Alerts that go out together."""

    key: str
    group_key: str
    alerts: tuple[Alert, ...]


class DeliveryError(Exception):
    """A channel did not take a delivery; the message is one line that says why."""


class Channel(Protocol):
    """Where alerts go."""

    def deliver(self, delivery: Delivery) -> None:
        """Deliver some alerts, in their order."""
        ...


class Console:
    """Prints a line an alert, and its heaviest headlines."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def deliver(self, delivery: Delivery) -> None:
        """Print the alerts."""
        for alert in delivery.alerts:
            self._out.write(lines_of(alert) + "\n")
        self._out.flush()


class Webhook:
    """Posts alerts in the form of Alertmanager's webhooks; anything but a 2xx answer is a failure, redirects included.

    `Idempotency-Key` is the same whenever a delivery is tried again. With a secret, `X-Squall-Signature: sha256=…` is the
    HMAC-SHA256 of the body, in hexadecimal.
    """

    def __init__(self, settings: Settings, url: str) -> None:
        notify = settings.notify
        self._url = url
        self._secret = notify.webhook_secret
        self._base = link_base(settings)
        self._http = settings.http.model_copy(update={"allow_private": notify.allow_private, "timeout_s": notify.timeout_s})

    def deliver(self, delivery: Delivery) -> None:
        """Post the alerts."""
        payload = alertmanager_payload(delivery.alerts, channel=WEBHOOK, group_key=delivery.group_key, base=self._base)
        body = msgspec.json.encode(payload)
        headers = {"Content-Type": "application/json", "Idempotency-Key": delivery.key}
        if self._secret is not None:
            headers[SIGNATURE] = f"sha256={signature(body, self._secret.get_secret_value())}"
        asyncio.run(self._post(body, headers))

    async def _post(self, body: bytes, headers: dict[str, str]) -> None:
        async with GuardedClient(self._http, private_setting="SQUALL_NOTIFY__ALLOW_PRIVATE") as client:
            await client.post(self._url, body, headers)


class AppriseChannel:
    """Hands alerts to a service that Apprise knows: mail, Slack, Teams, Telegram and many more."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._url = url
        self._base = link_base(settings)

    def deliver(self, delivery: Delivery) -> None:
        """Send one message with the alerts."""
        from apprise import Apprise, LogCapture, NotifyFormat, NotifyType

        resolved = all(alert.state == "resolved" for alert in delivery.alerts)
        with LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
            service = Apprise()
            if not service.add(self._url):
                raise DeliveryError("Apprise knows no such address")
            sent = service.notify(
                body=body_of(delivery.alerts, self._base),
                title=title_of(delivery.alerts),
                notify_type=NotifyType.SUCCESS if resolved else NotifyType.WARNING,
                body_format=NotifyFormat.TEXT,
            )
            if not sent:
                lines = said.getvalue().strip().splitlines()
                raise DeliveryError(lines[0] if lines else "Apprise could not deliver")


def signature(body: bytes, secret: str) -> str:
    """HMAC-SHA256 of a body, in hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def open_channel(settings: Settings, name: str) -> Channel:
    """The channel of a name.

    Raises:
        UsageError: the settings name none such.
    """
    notify = settings.notify
    if name == CONSOLE:
        return Console(sys.__stdout__ or sys.stdout)
    if name == WEBHOOK and notify.webhook_url is not None:
        return Webhook(settings, notify.webhook_url.get_secret_value())
    if name in notify.apprise:
        return AppriseChannel(settings, notify.apprise[name].get_secret_value())
    known = ", ".join(dict.fromkeys((CONSOLE, *notify.channels)))
    raise UsageError(f"no channel {name!r}: there is {known}; SQUALL_NOTIFY__APPRISE and SQUALL_NOTIFY__WEBHOOK_URL add others")


def example(at: datetime) -> Delivery:
    """A made-up alert, to try a channel with."""
    story = {"title": "An example headline, made up to try this channel", "source": "squall"}
    alert = Alert(
        incident_id="example",
        rule="example",
        scope="market",
        scope_name="Example",
        state="firing",
        severity="info",
        at=at,
        since=at,
        surprise=0.0,
        threshold=0.0,
        summary="This is a test of the channel: nothing has happened",
        evidence=(story,),
    )
    return Delivery(f"example-{at:%Y%m%d%H%M%S}", group_key({"rule": "example"}), (alert,))
