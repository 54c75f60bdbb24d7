"""Incidents of the system itself: something that should run does not. One is open at a time for each rule."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from squall.records import Alert, content_id, encode, minute_of
from squall.scopes import MARKET, scope_name
from squall.settings import Settings
from streams import incident_store as store
from streams.alerts import channel_names, group_key
from streams.logic.incident_types import at_minute


def open_incident(
    connection: Connection, settings: Settings, *, rule: str, severity: str, at: datetime, summary: str, inputs: dict[str, Any]
) -> bool:
    """Open an incident and notify, unless one of this rule is open; returns whether it did."""
    minute = minute_of(at)
    if store.operational_incidents(connection, rule):
        return False
    key = content_id("incident", rule, MARKET, minute.isoformat())
    row = {
        "id": key,
        "rule": rule,
        "rule_version": store.OPERATIONAL,
        "scope": MARKET,
        "state": "firing",
        "severity": severity,
        "opened_at": minute,
        "fired_at": minute,
        "resolved_at": None,
        "updated_at": minute,
        "surprise": 0.0,
        "peak_surprise": 0.0,
        "threshold": 0.0,
        "summary": summary,
        "inputs": inputs,
        "evidence": [],
    }
    if not store.insert_incident(connection, row):
        return False
    _tell(connection, settings, key, rule, severity, state="firing", at=minute, since=minute, summary=summary)
    return True


def resolve_incidents(connection: Connection, settings: Settings, *, rule: str, severity: str, at: datetime, summary: str) -> int:
    """Resolve the open incidents of a rule that began before this minute, and notify; returns how many."""
    minute = minute_of(at)
    resolved = 0
    for incident in store.operational_incidents(connection, rule):
        since = at_minute(incident.opened)
        if minute > since:
            store.update_incident(connection, incident.id, {"state": "resolved", "resolved_at": minute, "updated_at": minute})
            _tell(connection, settings, incident.id, rule, severity, state="resolved", at=minute, since=since, summary=summary)
            resolved += 1
    return resolved


def _tell(
    connection: Connection,
    settings: Settings,
    key: str,
    rule: str,
    severity: str,
    *,
    state: str,
    at: datetime,
    since: datetime,
    summary: str,
) -> None:
    kind = "fired" if state == "firing" else state
    number = store.add_event(connection, key, at=at, kind=kind, state=state, detail={})
    alert = Alert(
        incident_id=key,
        rule=rule,
        scope=MARKET,
        scope_name=scope_name(MARKET, {}, {}),
        state=state,
        severity=severity,
        at=at,
        since=since,
        surprise=0.0,
        threshold=0.0,
        summary=summary,
    )
    for channel in channel_names(settings):
        store.add_outbox(connection, key, number, channel, encode(alert), group=group_key({"rule": rule}))
