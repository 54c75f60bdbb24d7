"""Watch: decides each closed minute once, and drives the incidents. Any worker can be it; the cursor's row lock says which is."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from squall.db.calibrations import lines_at, next_lines
from squall.db.minutes import MINUTE, NEVER, epochs_from, read_cursor, stop_writers, version_at
from squall.db.rules import InForce, begin_rules, next_change, rules_at
from squall.errors import UserError
from squall.rules import RuleSet
from squall.scopes import Kind
from streams import detector_store, incident_store
from streams import watch_store as store
from streams.evidence_store import read_stories
from streams.incident_writer import IncidentWriter
from streams.logic.detection import Arrival
from streams.logic.expectation import DAY
from streams.logic.incident_types import Evidence, Gauge, Stories, at_minute, minute_number
from streams.logic.incidents import Watch
from streams.logic.metrics import confirmed, divergence, mean_by_weight
from streams.logic.surge_detector import SurgeDetector
from streams.price_moves import PriceMoves
from streams.runtime import Context, Parts, Periodic, Send
from streams.silent_sources import SilentSources
from streams.standstill import Standstill

INTERVAL_S = 0.5
CHUNK_ROWS = 4000
PATIENCE_S = 5.0
STORE_EVERY = timedelta(hours=6)
ALWAYS: tuple[Kind, ...] = ("company", "sector", "topic", "market")
"""Kinds of scope that the detector always sees; others where a rule asks for them."""
log = structlog.get_logger("squall.watch")


def parts(context: Context) -> Parts:
    """Watch; and on the live stream, what notices that the watermark stands still, or that a source is silent."""
    periodics = [Periodic("watch", INTERVAL_S, Watcher(context).run)]
    if not context.settings.namespace:
        periodics.append(Periodic("standstill", 5.0, Standstill(context).run))
        periodics.append(Periodic("silent sources", 60.0, SilentSources(context).run))
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
        self._detector = SurgeDetector(settings.detection)
        self._stored = NEVER
        """The minute after which the detector's state was stored last."""
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
            cursor, closed = read_cursor(connection), self._closed(connection)
        if closed is None or closed <= cursor:
            self._behind = None
            return False
        if cursor in (self._at, NEVER):
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
            kinds = {*ALWAYS, *rules.rules.kinds}
            epochs = epochs_from(connection, cursor)
            # Other rules, other lines and another model's scores are for another transaction.
            changes = (
                next_change(connection, cursor + MINUTE),
                next_lines(connection, cursor + MINUTE),
                *(one.since for one in epochs if one.since > cursor + MINUTE),
            )
            end = min([closed, *(change - MINUTE for change in changes if change is not None)])
            if known != cursor:
                self._rebuild(connection, cursor)
            version = version_at(epochs, cursor + MINUTE)
            if cursor != NEVER and version is not None and version != version_at(epochs, cursor):
                self._change_over(connection, cursor, kinds, version)
            self._move_lines(connection, cursor)
            stop_writers(connection)
            if epochs_from(connection, cursor) != epochs:
                return True
            sectors = incident_store.read_sectors(connection)
            watch = Watch(rules.rules, self._detector, sectors, rules.lists)
            steps = watch.resume(
                incident_store.watched_incidents(connection, cursor - watch.reopen_within * MINUTE),
                minute_number(cursor),
                incident_store.read_silences(connection, cursor),
            )
            arrivals, until = detector_store.read_arrivals(connection, kinds, cursor, end, self._chunk_rows)

            def stories(scope: str, minute: int, window: int) -> tuple[Evidence, ...]:
                return read_stories(connection, scope, at_minute(minute) + MINUTE, window * MINUTE)

            prices = PriceMoves(connection, cursor, until, {scope for arrived in arrivals.values() for scope in arrived})
            steps += watch.run(arrivals, minute_number(until), stories, self._gauge(rules.rules, prices, stories))
            if steps:
                IncidentWriter(connection, self._settings, rules, sectors).write(steps)
            detector_store.add_decided(connection, arrivals)
            stored = self._store_state(connection, until)
            store.move_cursor(connection, until)
        self._at, self._stored = until, stored
        return until < closed

    def _gauge(self, rules: RuleSet, prices: PriceMoves, stories: Stories) -> Gauge:
        moods = self._detector.moods
        asks_impact = any(condition.metric == "impact" for rule in rules.rules for condition in rule.when)

        def impact(scope: str, minute: int) -> float | None:
            return mean_by_weight((story.impact, story.weight) for story in stories(scope, minute, DAY))

        def gauge(scope: str, minute: int) -> Mapping[str, float | None]:
            mood, price = moods.mood_change(scope, minute), prices.move(scope, minute)
            return {
                "mood_change": mood,
                "topic_change": moods.topic_change(scope, minute),
                "price_move": price,
                "divergence": divergence(mood, price),
                "confirmed": confirmed(mood, price),
                "impact": impact(scope, minute) if asks_impact else None,
            }

        return gauge

    def _store_state(self, connection: Connection, until: datetime) -> datetime:
        """Store the detector's state where that is due; returns the minute of the stored one."""
        if until - self._stored < STORE_EVERY:
            return self._stored
        detector_store.store_state(connection, until, self._detector.export())
        return until

    def _rules_after(self, connection: Connection, cursor: datetime) -> InForce:
        """The rules that the minute after the cursor is decided by."""
        rules = rules_at(connection, cursor + MINUTE)
        if rules is None:
            begin_rules(connection, self._settings)
            rules = rules_at(connection, cursor + MINUTE)
        if rules is None:
            raise UserError("there are no rules")
        return rules

    def _rebuild(self, connection: Connection, cursor: datetime) -> None:
        """Bring the detector to where it stood when the minute of the cursor was decided."""
        detector = self._detector = self._learner(connection, cursor)
        stored = detector_store.read_state(connection)
        self._stored = NEVER
        if cursor == NEVER:
            return
        if stored is not None:
            try:
                detector.restore(stored[1])
                self._stored = stored[0]
            except ValueError as error:
                log.warning("relearning", error=str(error))
        minutes = 0
        for minute, arrivals in self._past(connection, cursor):
            detector.step(minute, arrivals)
            minutes += 1
        log.info("rebuilt", cursor=cursor.isoformat(), state=self._stored.isoformat(), minutes=minutes)

    def _past(self, connection: Connection, cursor: datetime) -> Iterator[tuple[int, Mapping[str, Arrival]]]:
        """What came since the stored state; without one, what the baselines need, as it stands in the rows now."""
        if self._stored != NEVER:
            yield from detector_store.read_decided(connection, self._stored)
            return
        yield from self._again(connection, cursor, ALWAYS, version_at(epochs_from(connection, cursor), cursor))

    def _again(
        self, connection: Connection, cursor: datetime, kinds: Collection[Kind], version: str | None
    ) -> Iterator[tuple[int, Mapping[str, Arrival]]]:
        """What the baselines need of the time up to the cursor, as a model version says it."""
        after = cursor - self._detector.lookback * MINUTE
        while after < cursor:
            arrivals, after = detector_store.read_arrivals(connection, kinds, after, cursor, self._chunk_rows, version)
            yield from arrivals.items()

    def _learner(self, connection: Connection, cursor: datetime) -> SurgeDetector:
        """A detector that has seen nothing, at the lines of the minute of the cursor."""
        return SurgeDetector(self._settings.detection, lines_at(connection, cursor, self._settings.detection))

    def _move_lines(self, connection: Connection, cursor: datetime) -> None:
        """Take the lines by which the minute after the cursor is decided. The state is stored at once, as where models change."""
        lines = lines_at(connection, cursor + MINUTE, self._settings.detection)
        if lines == self._detector.lines:
            return
        self._detector.move_lines(lines, minute_number(cursor + MINUTE))
        self._stored = cursor
        detector_store.store_state(connection, cursor, self._detector.export())
        log.info("moved lines", after=cursor.isoformat(), companies=lines.companies, wider=lines.wider)

    def _change_over(self, connection: Connection, cursor: datetime, kinds: Collection[Kind], version: str) -> None:
        """From the minute after the cursor on another version scores: go by baselines of what that says of the past.

        The state is stored at once, so that whoever rebuilds it gets just this one.
        """
        started = time.monotonic()
        detector = self._learner(connection, cursor)
        for minute, arrivals in self._again(connection, cursor, kinds, version):
            detector.step(minute, arrivals)
        detector.succeed(self._detector, minute_number(cursor))
        self._detector, self._stored = detector, cursor
        detector_store.store_state(connection, cursor, detector.export())
        log.info("changed over", version=version, after=cursor.isoformat(), seconds=round(time.monotonic() - started, 1))
