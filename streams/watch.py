"""Watch: decides each closed minute once, and drives the incidents. Any worker can be it; the cursor's row lock says which is."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from squall.db.readback import read_names
from squall.records import Alert, encode
from squall.scopes import scope_name
from streams import watch_store as store
from streams.evidence_store import read_stories
from streams.logic.incidents import EVIDENCE_ROWS, Evidence, Incident, Step, Watch, at_minute, inputs, minute_number, summary
from streams.logic.surge import Rule, WindowDetector
from streams.notify import channel_names
from streams.runtime import Context, Parts, Periodic, Send
from streams.standstill import Standstill

INTERVAL_S = 0.5
CHUNK_ROWS = 4000
PATIENCE_S = 5.0
MINUTE = timedelta(minutes=1)
log = structlog.get_logger("squall.watch")


def parts(context: Context) -> Parts:
    """Watch; and on the live stream, what notices that the watermark stands still."""
    periodics = [Periodic("watch", INTERVAL_S, Watcher(context).run)]
    if not context.settings.namespace:
        periodics.append(Periodic("standstill", 5.0, Standstill(context).run))
    return Parts(periodics=tuple(periodics))


class Watcher:
    """Reads closed minutes in chunks, decides them, and commits incidents, outbox and cursor together.

    Args:
        chunk_rows: mood rows a transaction at most, but for a minute that has more.
        patience_s: how long the cursor may stand behind closed minutes before another worker takes over, which must
            rebuild what it knows.
    """

    def __init__(self, context: Context, *, chunk_rows: int = CHUNK_ROWS, patience_s: float = PATIENCE_S) -> None:
        settings = context.settings
        self._engine = context.engine
        self._partitions = settings.kafka.partitions
        self._lateness = timedelta(seconds=settings.stream.lateness_s)
        self._channels = channel_names(settings)
        self._rule = Rule(settings.rule)
        self._chunk_rows = chunk_rows
        self._patience_s = patience_s
        self._detector = WindowDetector(settings.rule)
        self._watch = Watch(self._rule, self._detector)
        self._at: datetime | None = None
        """The last minute that the detector has taken in; None: it must be rebuilt."""
        self._behind: tuple[datetime, float] | None = None

    def run(self) -> Sequence[Send]:
        """Decide all minutes that are closed by now."""
        while self._is_my_turn():
            if not self._decide_chunk():
                break
        return ()

    def _is_my_turn(self) -> bool:
        with self._engine.connect() as connection:
            cursor, closed = store.read_cursor(connection), self._closed(connection)
        if closed is None or closed <= cursor:
            self._behind = None
            return False
        if cursor in (self._at, store.NEVER):
            return True
        # Another worker decided last, and knows the past already: it goes first while it lives.
        if self._behind is None or self._behind[0] != cursor:
            self._behind = cursor, time.monotonic()
        return time.monotonic() - self._behind[1] >= self._patience_s

    def _closed(self, connection: Connection) -> datetime | None:
        """The last minute that the watermark has closed."""
        watermark = store.read_watermark(connection, self._partitions)
        return None if watermark is None else at_minute(minute_number(watermark - self._lateness) - 1)

    def _decide_chunk(self) -> bool:
        """Decide some closed minutes in one transaction; returns whether there may be more."""
        known, self._at = self._at, None
        with self._engine.begin() as connection:
            cursor = store.claim_cursor(connection)
            closed = self._closed(connection)
            if cursor is None or closed is None or closed <= cursor:
                self._at = known
                return False
            if known != cursor:
                self._rebuild(connection, cursor)
            store.stop_writers(connection)
            self._watch.resume(store.open_incidents(connection, self._rule.name), minute_number(cursor))
            arrivals, all_read = store.read_minutes(connection, self._rule.kinds, cursor, closed, self._chunk_rows)
            until = minute_number(closed) if all_read else max(arrivals)
            steps = self._watch.run(arrivals, until, lambda scope, minute: self._stories(connection, scope, minute))
            self._write(connection, steps)
            store.move_cursor(connection, at_minute(until))
        self._at = at_minute(until)
        return not all_read

    def _rebuild(self, connection: Connection, cursor: datetime) -> None:
        settings = self._rule.settings
        recent = settings.window_min + settings.keep_firing_min
        past = store.read_past(connection, self._rule.kinds, cursor, self._detector.lookback, recent)
        self._detector.rebuild(past.since, past.hours, past.minutes)
        if cursor != store.NEVER:
            log.info("rebuilt", cursor=cursor.isoformat(), scopes=len(past.hours), minutes=len(past.minutes))

    def _stories(self, connection: Connection, scope: str, minute: int) -> tuple[Evidence, ...]:
        return read_stories(connection, scope, at_minute(minute) + MINUTE, self._rule.settings.window_min * MINUTE)

    def _write(self, connection: Connection, steps: Sequence[Step]) -> None:
        if not steps:
            return
        companies, topics = read_names(connection)
        opened: dict[str, dict[str, Any]] = {}
        changed: dict[str, dict[str, Any]] = {}
        for step in steps:
            key = step.incident.id
            if step.kind == "opened":
                opened[key] = self._row(step, scope_name(step.incident.scope, companies, topics))
                continue
            row = opened[key] if key in opened else changed.setdefault(key, {})
            row |= _numbers(step.incident)
            if step.kind == "fired":
                row |= self._frozen(step, scope_name(step.incident.scope, companies, topics))
        # What resolved is written first: only one incident of a scope may be open.
        for key, row in changed.items():
            store.update_incident(connection, key, row)
        for row in opened.values():
            store.insert_incident(connection, row)
        for step in steps:
            self._record(connection, step, scope_name(step.incident.scope, companies, topics))

    def _row(self, step: Step, name: str) -> dict[str, Any]:
        incident, settings = step.incident, self._rule.settings
        return {
            "id": incident.id,
            "rule": self._rule.name,
            "rule_version": self._rule.version,
            "scope": incident.scope,
            "severity": settings.severity,
            "opened_at": at_minute(incident.opened),
            "threshold": settings.fire,
            **_numbers(incident),
            **self._frozen(step, name),
        }

    def _frozen(self, step: Step, name: str) -> dict[str, Any]:
        """The columns that stay as they were when the incident opened, and then when it fired."""
        stories = len(step.stories)
        return {
            "summary": summary(name, self._rule.settings, step.signal, stories),
            "inputs": inputs(self._rule, step.signal, stories),
            "evidence": step.stories[:EVIDENCE_ROWS],
        }

    def _record(self, connection: Connection, step: Step, name: str) -> None:
        if step.kind == "updated":
            return
        incident, signal = step.incident, step.signal
        at = at_minute(signal.minute)
        detail = {"surprise": signal.surprise, "mass": round(signal.mass, 6), "expected": signal.expected}
        number = store.add_event(connection, incident.id, at=at, kind=step.kind, state=incident.state, detail=detail)
        if step.kind == "opened" or incident.fired is None:
            return
        stories = len(step.stories)
        alert = Alert(
            incident_id=incident.id,
            rule=self._rule.name,
            scope=incident.scope,
            scope_name=name,
            state=incident.state,
            severity=self._rule.settings.severity,
            at=at,
            since=at_minute(incident.opened),
            surprise=signal.surprise,
            threshold=self._rule.settings.fire,
            summary=summary(name, self._rule.settings, signal, stories) if step.kind == "fired" else f"{name}: back to normal",
            evidence=tuple(_plain(story) for story in step.stories[:EVIDENCE_ROWS]),
        )
        store.add_outbox(connection, incident.id, number, self._channels, encode(alert))
        log.info("incident", kind=step.kind, scope=incident.scope, at=at.isoformat(), surprise=signal.surprise)


def _numbers(incident: Incident) -> dict[str, Any]:
    return {
        "state": incident.state,
        "fired_at": None if incident.fired is None else at_minute(incident.fired),
        "resolved_at": None if incident.resolved is None else at_minute(incident.resolved),
        "updated_at": at_minute(incident.updated),
        "surprise": incident.surprise,
        "peak_surprise": incident.peak,
    }


def _plain(story: Evidence) -> dict[str, Any]:
    return {name: getattr(story, name) for name in story.__struct_fields__}
