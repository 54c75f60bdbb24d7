"""A source that brings nothing, at an hour when it mostly does, is an incident of the system itself.

Awaited are feeds that are asked, and sources whose articles are sent to us, mostly as they happen: by requests, or by whoever
writes to the topic. What files have brought long after it happened is no source that could fall silent.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from squall.records import minute_of, outlet
from squall.settings import Settings
from streams import incident_store
from streams.logic.expectation import DAY, HOUR
from streams.logic.incident_types import at_minute, minute_number
from streams.logic.source_silence import LEAST_DAYS, Rhythm, line, rhythm_of
from streams.operational import open_incident, resolve_incidents
from streams.runtime import Context, Send
from streams.watch_store import read_watermark

SEVERITY = "high"
ASKED_WITHIN = timedelta(hours=6)
"""A feed that nobody has asked for so long is awaited no more."""
LATE = 2 * HOUR
"""What comes later than that is seen with the next day."""
_FEEDS = """
SELECT address, coalesce(greatest(last_ok_at, last_error_at) > now() - %(within)s, false) FROM source WHERE kind = 'feed'
"""
_SENT = """
SELECT source FROM article WHERE event_time >= %(since)s
GROUP BY source HAVING 2 * count(*) FILTER (WHERE ingested_at < published_at + %(late)s) > count(*)
   AND count(DISTINCT date_trunc('day', event_time, 'UTC')) >= %(days)s
"""
_SPOKEN = "SELECT source, event_time FROM article WHERE source = ANY(%(names)s) AND event_time >= %(since)s ORDER BY event_time"


def rule_of(source: str) -> str:
    """The name under which its silence is an incident."""
    return f"source {source}"


class SilentSources:
    """Opens an incident for each source that is silent by its own past, and resolves it with its next article.

    It goes by the watermark: what the stream has not come to is not missed. One worker at a time looks; the past is read once a
    day, and then what came since.
    """

    def __init__(self, context: Context) -> None:
        self._engine = context.engine
        self._settings: Settings = context.settings
        self._day = -1
        self._looked = 0
        self._sent: set[str] = set()
        """Sources named by articles that mostly came as they happened, on `LEAST_DAYS` days."""
        self._rhythms: dict[str, Rhythm | None] = {}
        self._last: dict[str, int] = {}

    def run(self) -> Sequence[Send]:
        """Look at all sources once."""
        with self._engine.begin() as connection:
            lock = "SELECT pg_try_advisory_xact_lock(hashtext('sources ' || current_schema()))"
            if not connection.exec_driver_sql(lock).scalar_one():
                return ()
            watermark = read_watermark(connection, self._settings.kafka.partitions)
            if watermark is not None:
                self._look(connection, minute_number(minute_of(watermark)))
        return ()

    def _look(self, connection: Connection, now: int) -> None:
        feeds: dict[str, bool] = {}
        for address, asked in connection.exec_driver_sql(_FEEDS, {"within": ASKED_WITHIN}):
            name = outlet(address)
            feeds[name] = asked or feeds.get(name, False)
        names = self._learn(connection, feeds, now)
        known = {name: rhythm for name in names if (rhythm := self._rhythms.get(name)) is not None}
        open_rules = incident_store.open_operational(connection, rule_of(""))
        silent = {}
        for name, rhythm in known.items():
            since = self._last[name]
            if since < now:
                surprise = float(rhythm.surprise([since, now], self._settings.detection.exchange)[0])
                if surprise >= line(rhythm, len(known), self._settings.stream.source_budget):
                    silent[rule_of(name)] = name
        for rule in open_rules - silent.keys():
            self._resolve(connection, rule, now, awaited=rule.removeprefix(rule_of("")) in known)
        for rule in silent.keys() - open_rules:
            name = silent[rule]
            self._open(connection, name, known[name], now, kind="feed" if name in feeds else "news")

    def _learn(self, connection: Connection, feeds: Mapping[str, bool], now: int) -> list[str]:
        """Read what is new of the past; returns the sources that are awaited.

        Args:
            feeds: by the name of their articles' source, whether anybody asks them.
        """
        today = now // DAY * DAY
        asked = {name for name, is_asked in feeds.items() if is_asked}
        if self._day != today or not asked <= self._rhythms.keys():
            self._day, self._last = today, {}
            since = today - (self._settings.detection.baseline_days + 1) * DAY
            values = {"since": at_minute(since), "late": timedelta(minutes=LATE), "days": LEAST_DAYS}
            self._sent = set(connection.exec_driver_sql(_SENT, values).scalars())
            names = sorted(asked | (self._sent - feeds.keys()))
            past = self._spoken(connection, names, since)
            exchange = self._settings.detection.exchange
            self._rhythms = {name: rhythm_of([at for at in past[name] if at < today], today, exchange) for name in names}
        else:
            names = sorted(asked | (self._sent - feeds.keys()))
            past = self._spoken(connection, names, min(self._looked, now) - LATE)
        self._looked = now
        for name, minutes in past.items():
            if minutes:
                self._last[name] = max(self._last.get(name, 0), minutes[-1])
        return names

    def _spoken(self, connection: Connection, names: Sequence[str], since: int) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {name: [] for name in names}
        for name, at in connection.exec_driver_sql(_SPOKEN, {"names": list(names), "since": at_minute(since)}):
            found[name].append(minute_number(minute_of(at)))
        return found

    def _open(self, connection: Connection, name: str, rhythm: Rhythm, now: int, *, kind: str) -> None:
        since = self._last[name]
        awaited = float(rhythm.awaited([since, now], self._settings.detection.exchange)[0])
        summary = (
            f"{name} has brought nothing since {at_minute(since):%Y-%m-%d %H:%M} UTC, when by its past about {awaited:.0f} "
            "articles were due: what it would say is not seen"
        )
        open_incident(
            connection,
            self._settings,
            rule=rule_of(name),
            severity=SEVERITY,
            at=at_minute(now),
            summary=summary,
            inputs={
                "source": name,
                "kind": kind,
                "since": at_minute(since),
                "awaited": round(awaited, 1),
                "a_day": round(rhythm.level, 1),
            },
        )

    def _resolve(self, connection: Connection, rule: str, now: int, *, awaited: bool) -> None:
        summary = f"{rule.removeprefix(rule_of(''))} {'speaks again' if awaited else 'is awaited no more'}"
        resolve_incidents(connection, self._settings, rule=rule, severity=SEVERITY, at=at_minute(now), summary=summary)
