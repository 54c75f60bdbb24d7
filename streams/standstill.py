"""A live watermark that stands still is itself an incident: nothing is decided, so nothing else would say so."""

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from squall.records import minute_of
from squall.settings import Settings
from streams.operational import open_incident, resolve_incidents
from streams.runtime import Context, Send
from streams.watch_store import read_watermark

RULE = "watermark"
SEVERITY = "critical"


class Standstill:
    """Opens an incident when the watermark has not moved for `stream.stall_s` under this worker's eyes, resolves it when it does.

    It goes by this worker's own clock, so that a machine that was off overnight is no alarm; only the live stream has one.
    """

    def __init__(self, context: Context) -> None:
        self._engine = context.engine
        self._settings: Settings = context.settings
        self._seen: datetime | None = None
        self._since = time.monotonic()

    def run(self) -> Sequence[Send]:
        """Look at the watermark once."""
        with self._engine.begin() as connection:
            watermark = read_watermark(connection, self._settings.kafka.partitions)
            if watermark is None:
                return ()
            resolve_incidents(
                connection, self._settings, rule=RULE, severity=SEVERITY, at=watermark, summary="The pipeline moves again"
            )
            if watermark != self._seen:
                self._seen, self._since = watermark, time.monotonic()
            elif time.monotonic() - self._since >= self._settings.stream.stall_s:
                self._open(connection, watermark)
        return ()

    def _open(self, connection: Connection, watermark: datetime) -> None:
        summary = (
            f"Nothing has come through since {minute_of(watermark):%Y-%m-%d %H:%M} UTC: the pipeline stands still, and no surge "
            "can be seen"
        )
        inputs = {"watermark": watermark, "stall_s": self._settings.stream.stall_s}
        open_incident(connection, self._settings, rule=RULE, severity=SEVERITY, at=watermark, summary=summary, inputs=inputs)
