"""A live watermark that stands still is itself an incident: nothing is decided, so nothing else would say so."""

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from squall.records import Alert, content_id, encode, minute_of
from squall.scopes import MARKET, scope_name
from squall.settings import Settings
from streams import incident_store as store
from streams.alerts import channel_names, group_key
from streams.logic.incidents import at_minute
from streams.runtime import Context, Send
from streams.watch_store import read_watermark

RULE = store.WATERMARK
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
            self._resolve(connection, watermark)
            if watermark != self._seen:
                self._seen, self._since = watermark, time.monotonic()
            elif time.monotonic() - self._since >= self._settings.stream.stall_s:
                self._open(connection, watermark)
        return ()

    def _open(self, connection: Connection, watermark: datetime) -> None:
        minute = minute_of(watermark)
        if store.open_standstills(connection):
            return
        summary = (
            f"Nothing has come through since {minute:%Y-%m-%d %H:%M} UTC: the pipeline stands still, and no surge can be seen"
        )
        key = content_id("incident", RULE, MARKET, minute.isoformat())
        row = {
            "id": key,
            "rule": RULE,
            "rule_version": "1",
            "scope": MARKET,
            "state": "firing",
            "severity": SEVERITY,
            "opened_at": minute,
            "fired_at": minute,
            "resolved_at": None,
            "updated_at": minute,
            "surprise": 0.0,
            "peak_surprise": 0.0,
            "threshold": 0.0,
            "summary": summary,
            "inputs": {"watermark": watermark, "stall_s": self._settings.stream.stall_s},
            "evidence": [],
        }
        if store.insert_incident(connection, row):
            self._tell(connection, key, state="firing", at=minute, since=minute, summary=summary)

    def _resolve(self, connection: Connection, watermark: datetime) -> None:
        minute = minute_of(watermark)
        for incident in store.open_standstills(connection):
            since = at_minute(incident.opened)
            if minute > since:
                values = {"state": "resolved", "resolved_at": minute, "updated_at": minute}
                store.update_incident(connection, incident.id, values)
                self._tell(connection, incident.id, state="resolved", at=minute, since=since, summary="The pipeline moves again")

    def _tell(self, connection: Connection, key: str, *, state: str, at: datetime, since: datetime, summary: str) -> None:
        kind = "fired" if state == "firing" else state
        number = store.add_event(connection, key, at=at, kind=kind, state=state, detail={})
        alert = Alert(
            incident_id=key,
            rule=RULE,
            scope=MARKET,
            scope_name=scope_name(MARKET, {}, {}),
            state=state,
            severity=SEVERITY,
            at=at,
            since=since,
            surprise=0.0,
            threshold=0.0,
            summary=summary,
        )
        for channel in channel_names(self._settings):
            store.add_outbox(connection, key, number, channel, encode(alert), group=group_key({"rule": RULE}))
