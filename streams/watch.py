"""Watch: decides each closed minute once, and drives the incidents. Any worker can be it; the cursor's row lock says which is."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from squall.db.rules import InForce, begin_rules, next_change, rules_at
from squall.errors import UserError
from streams import incident_store
from streams import watch_store as store
from streams.evidence_store import read_stories
from streams.incident_writer import IncidentWriter
from streams.logic.incidents import Evidence, Watch, at_minute, minute_number
from streams.logic.surge import WindowDetector
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
        settings = self._settings = context.settings
        self._engine = context.engine
        self._partitions = settings.kafka.partitions
        self._lateness = timedelta(seconds=settings.stream.lateness_s)
        self._chunk_rows = chunk_rows
        self._patience_s = patience_s
        self._detector = WindowDetector(settings.rule)
        self._rules: InForce | None = None
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
            rules = self._rules_after(connection, cursor)
            # Other rules are for another transaction.
            change = next_change(connection, cursor + MINUTE)
            end = closed if change is None else min(closed, change - MINUTE)
            if known != cursor or self._rules is None or self._rules.rules.kinds != rules.rules.kinds:
                self._rebuild(connection, rules, cursor)
            self._rules = rules
            store.stop_writers(connection)
            sectors = incident_store.read_sectors(connection)
            watch = Watch(rules.rules, self._detector, sectors, rules.lists)
            steps = watch.resume(
                incident_store.watched_incidents(connection, cursor - watch.reopen_within * MINUTE),
                minute_number(cursor),
                incident_store.read_silences(connection, cursor),
            )
            arrivals, all_read = store.read_minutes(connection, rules.rules.kinds, cursor, end, self._chunk_rows)
            until = minute_number(end) if all_read else max(arrivals)

            def stories(scope: str, minute: int, window: int) -> tuple[Evidence, ...]:
                return read_stories(connection, scope, at_minute(minute) + MINUTE, window * MINUTE)

            steps += watch.run(arrivals, until, stories)
            if steps:
                IncidentWriter(connection, self._settings, rules, sectors).write(steps)
            store.move_cursor(connection, at_minute(until))
        self._at = at_minute(until)
        return self._at < closed

    def _rules_after(self, connection: Connection, cursor: datetime) -> InForce:
        """The rules that the minute after the cursor is decided by."""
        rules = rules_at(connection, cursor + MINUTE)
        if rules is None:
            begin_rules(connection, self._settings)
            rules = rules_at(connection, cursor + MINUTE)
        if rules is None:
            raise UserError("there are no rules")
        return rules

    def _rebuild(self, connection: Connection, rules: InForce, cursor: datetime) -> None:
        settings = self._settings.rule
        recent = settings.window_min + settings.keep_firing_min
        past = store.read_past(connection, rules.rules.kinds, cursor, self._detector.lookback, recent)
        self._detector.rebuild(past.since, past.hours, past.minutes)
        if cursor != store.NEVER:
            log.info("rebuilt", cursor=cursor.isoformat(), scopes=len(past.hours), minutes=len(past.minutes))
