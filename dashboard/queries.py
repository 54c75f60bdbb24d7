"""Everything the pages read from Postgres. Each query is bounded, and reads an index or a small table."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine, text

from dashboard.evidence import read_evidence
from dashboard.kept import Kept
from dashboard.moods import Moods, span_rows, span_times
from dashboard.ranges import POINTS, STEPS, Buckets
from dashboard.rows import OPEN, BarRow, ChartRow, EventRow, IncidentRow, Mood, NewsRow, Pulse
from dashboard.scopes import MARKET, Names, topic_slug
from squall.acts import list_silences
from squall.db.minutes import Epoch

Row = TypeVar("Row")
Value = TypeVar("Value")
NAMES_FOR_S, PULSE_FOR_S = 30.0, 0.4
_OPEN = "state IN ({})".format(", ".join(f"'{state}'" for state in OPEN))
"""Written out, as the index of the open ones asks."""
_BRIEF = (
    "id, rule, rule_version, scope, company_id, state, severity, opened_at, fired_at, acknowledged_at, resolved_at, updated_at, "
    "surprise, peak_surprise, threshold, summary, verdict"
)
EPOCHS = 40
"""Changes of the model that a range shows at most."""
MONDAY = datetime(2001, 1, 1, tzinfo=UTC)
SEEN = 200
"""How many of the newest rows a revision number covers: more than a page shows."""

# The newest first, and what belongs to them afterwards: joined before the limit, a busy range would be read as a whole.
_NEWS = """
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (s.event_time, s.mention_id) s.mention_id, s.event_time, s.company_id, s.late,
           s.negative, s.neutral, s.positive, s.topic, s.weight, s.model_version,
           CASE WHEN s.impact_shares ->> 'price' IS NOT NULL THEN s.impact END AS impact
    FROM score s WHERE s.event_time >= :start AND s.event_time < :stop AND NOT s.withdrawn {where}
    ORDER BY s.event_time DESC, s.mention_id, s.scored_at DESC LIMIT :most)
SELECT s.mention_id, s.event_time AS at, s.company_id, a.title, a.url, a.source, a.delayed, s.late,
       s.negative, s.neutral, s.positive, s.topic, m.relevance, m.novelty, s.weight, m.story_id,
       coalesce(t.articles, 1) AS articles, s.model_version, s.impact
FROM newest s
JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time
JOIN article a ON a.id = m.article_id
LEFT JOIN story t ON t.id = m.story_id
ORDER BY s.event_time DESC, s.mention_id
"""

_PULSE = f"""
WITH stand AS (SELECT (SELECT min(at) FROM watermark) AS watermark, (SELECT max(event_time) FROM score) AS last_item),
     clock AS (SELECT CASE WHEN :replay THEN greatest(watermark, last_item) ELSE now() END AS at, last_item FROM stand)
SELECT at AS clock, last_item,
       (SELECT count(*) || '-' || coalesce(max(xmin::text::bigint), 0) FROM incident) AS incidents,
       (SELECT md5(string_agg(mention_id || decision || model_version, ',')) FROM (
            SELECT mention_id, decision, model_version FROM score
            ORDER BY event_time DESC, mention_id LIMIT {SEEN}) newest) AS news,
       (SELECT md5(string_agg(concat_ws(':', minute, late, mentions, items, negative, positive), ',')) FROM (
            SELECT * FROM mood WHERE scope = :scope ORDER BY minute DESC, late LIMIT {SEEN}) newest) AS scope,
       (SELECT count(*) || '-' || max(available_at) FROM bar
            WHERE company_id = :company AND available_at <= clock.at) AS bars
FROM clock
"""


class Reader:
    """Reads one namespace.

    Args:
        replay: the namespace is a replay or demo, whose time is that of its events; otherwise time is the time of day.
    """

    def __init__(self, engine: Engine, *, replay: bool) -> None:
        self._engine = engine
        self.replay = replay
        self._kept = Kept()
        self._moods = Moods(engine, self._kept)

    def rows(self, kind: type[Row], sql: str, **values: Any) -> list[Row]:
        """Rows of a query as objects of a kind."""
        with self._engine.connect() as connection:
            return [kind(**row) for row in connection.execute(text(sql), values).mappings()]

    def dicts(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of a query as they are."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql), values).mappings()]

    def shared(self, key: Hashable, fresh_s: float, read: Callable[[], Value], old_s: float = 600.0) -> Value:
        """What is the same for all viewers: read when first asked for, then anew in the background when older than `fresh_s`."""
        return self._kept.get(key, fresh_s, read, old_s=old_s)

    @property
    def engine(self) -> Engine:
        """For what a page writes."""
        return self._engine

    def ping(self) -> None:
        """Ask the database for an answer; raises what the driver raises."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def pulse(self, scope: str = MARKET) -> Pulse:
        """Event time, and a revision number of each thing that pages show; `scope` is the one on the page.

        All who ask within a moment share one answer.
        """
        return self._kept.get(("pulse", scope), PULSE_FOR_S, lambda: self._read_pulse(scope), old_s=PULSE_FOR_S)

    def _read_pulse(self, scope: str) -> Pulse:
        company = scope.removeprefix("company:") if scope.startswith("company:") else ""
        row = self.dicts(_PULSE, scope=scope, company=company, replay=self.replay)[0]
        revisions = {name: str(row[name]) for name in ("incidents", "news")}
        revisions["scope"] = f"{row['scope']} {row['bars']}"
        return Pulse(row["clock"], row["last_item"], revisions)

    def clock(self) -> datetime | None:
        """Where the pages' `now` is."""
        if not self.replay:
            return datetime.now(UTC)
        row = self.dicts("SELECT greatest((SELECT min(at) FROM watermark), (SELECT max(event_time) FROM score)) AS at")[0]
        at: datetime | None = row["at"]
        return at

    def newer(self, than: datetime) -> int:
        """How many scored mentions have come after an event time, counted up to 100."""
        sql = "SELECT count(*) AS n FROM (SELECT 1 FROM score WHERE event_time > :than LIMIT 100) newest"
        return int(self.dicts(sql, than=than)[0]["n"])

    def names(self) -> Names:
        """Names of companies and topics; read again after half a minute."""
        return self._kept.get("names", NAMES_FOR_S, self._read_names, old_s=2 * NAMES_FOR_S)

    def _read_names(self) -> Names:
        companies = self.dicts("SELECT id, name, sector FROM company")
        listings = self.dicts("SELECT company_id, ticker FROM listing ORDER BY until NULLS LAST, id")
        manifests = self.dicts("SELECT manifest FROM model_version ORDER BY first_used_at")
        tickers: dict[str, str] = {}
        for row in reversed(listings):
            tickers[row["company_id"]] = row["ticker"]
        return Names(
            {row["id"]: row["name"] for row in companies},
            tickers,
            {row["id"]: row["sector"] for row in companies if row["sector"]},
            {topic_slug(label): label for row in manifests for label in topic_labels(row["manifest"])},
        )

    def known_scopes(self, most: int = 2000) -> list[str]:
        """The scopes that have had news and have a page of their own, in order; read again after half a minute."""
        sql = """
        WITH RECURSIVE s AS (
            (SELECT scope FROM mood_day ORDER BY scope LIMIT 1)
            UNION ALL
            SELECT (SELECT scope FROM mood_day WHERE scope > s.scope ORDER BY scope LIMIT 1) FROM s WHERE s.scope IS NOT NULL
        )
        SELECT scope FROM s WHERE scope IS NOT NULL AND scope NOT LIKE '%/%' LIMIT :most
        """
        return self._kept.get(("scopes", most), NAMES_FOR_S, lambda: [row["scope"] for row in self.dicts(sql, most=most)])

    def members(self, watchlist: str) -> list[str]:
        """Ids of a watch-list's companies."""
        sql = "SELECT company_id FROM watchlist_member WHERE watchlist = :name ORDER BY company_id LIMIT 5000"
        return [row["company_id"] for row in self.dicts(sql, name=watchlist)]

    def has_company(self, company_id: str) -> bool:
        """Whether the company is in the table."""
        return bool(self.dicts("SELECT 1 FROM company WHERE id = :id", id=company_id))

    def mood(self, scope: str, window: Buckets) -> list[Mood]:
        """One row a bucket in which the scope had news."""
        return self._moods.series([scope], window)

    def heat(self, window: Buckets, most: int, only: Sequence[str] | None = None) -> list[Mood]:
        """The same for the market and the companies of which most was said in the window; `only`: of these companies."""
        return self._moods.series(self._moods.busiest(window, most, only), window)

    def epochs(self, start: datetime, stop: datetime) -> list[Epoch]:
        """Which model version has scored from which minute on: those that began after `start` and not after `stop`, by time."""
        sql = "SELECT since, version FROM model_epoch WHERE since > :start AND since <= :stop ORDER BY since DESC LIMIT :most"
        return self.rows(Epoch, sql, start=start, stop=stop, most=EPOCHS)[::-1]

    def mentions(self, scope: str, since: datetime, stop: datetime) -> int:
        """How many mentions the scope had, up to and with the minute that begins at `stop`."""
        sql = f"SELECT sum(mentions) AS n FROM {span_rows('scope = :scope')}"
        return int(self.dicts(sql, scope=scope, **span_times(since, stop + timedelta.resolution))[0]["n"] or 0)

    def news(
        self, scope: str, start: datetime, stop: datetime, most: int = 100, only: Sequence[str] | None = None
    ) -> list[NewsRow]:
        """The newest scored mentions of a scope from `start` to before `stop`; for the market each article's every mention.

        Args:
            only: of these companies.
        """
        kind, _, name = scope.partition(":")
        where = {"company": "AND s.company_id = :name", "sector": "AND s.sector = :name", "topic": "AND s.topic = ANY(:labels)"}
        labels = [name, self.names().topics.get(name, name)]
        values: dict[str, Any] = {"start": start, "stop": stop, "most": most, "name": name, "labels": labels}
        among = "" if only is None else " AND s.company_id = ANY(:only)"
        return self.rows(NewsRow, _NEWS.format(where=where.get(kind, "") + among), **values, only=list(only or ()))

    def bars(self, company_id: str, start: datetime, stop: datetime, most: int = POINTS) -> list[BarRow]:
        """Bars that were complete before `stop`, of several intervals the finest that has such bars.

        More than `most` are merged to ones of a round length, weeks from Monday, which stay the same as time goes on.
        """
        where = "company_id = :id AND interval = :interval AND available_at > :start AND available_at <= :stop"
        values: dict[str, Any] = {"id": company_id, "start": start, "stop": stop}
        counted = self.dicts(
            "SELECT interval, count(*) AS n, min(start) AS first, max(start) AS last, "
            "min(available_at - start) AS step FROM bar "
            "WHERE company_id = :id AND available_at > :start AND available_at <= :stop GROUP BY interval ORDER BY step",
            **values,
        )
        if not counted:
            return []
        found = counted[0]
        values["interval"] = found["interval"]
        columns = 'start, available_at AS "end", open, high, low, close, volume, ticker, interval'
        if found["n"] <= most:
            return self.rows(BarRow, f"SELECT {columns} FROM bar WHERE {where} ORDER BY start", **values)
        span = found["last"] - found["first"]
        values["step"] = next((step for step in STEPS if span / step < most), STEPS[-1])
        values["origin"] = MONDAY
        sql = f"""
        SELECT min(start) AS start, max(available_at) AS "end", (array_agg(open ORDER BY start))[1] AS open,
               max(high) AS high, min(low) AS low, (array_agg(close ORDER BY start DESC))[1] AS close,
               sum(volume) AS volume, (array_agg(ticker ORDER BY start DESC))[1] AS ticker, min(interval) AS interval,
               CAST(:step AS interval) AS merged
        FROM bar WHERE {where} GROUP BY date_bin(:step, start, :origin) ORDER BY 1
        """
        return self.rows(BarRow, sql, **values)

    def last_bar(self, company_id: str, stop: datetime) -> BarRow | None:
        """The company's newest bar that was complete at `stop`."""
        sql = """
        SELECT start, available_at AS "end", open, high, low, close, volume, ticker, interval FROM bar
        WHERE company_id = :id AND available_at <= :stop ORDER BY available_at DESC LIMIT 1
        """
        return next(iter(self.rows(BarRow, sql, id=company_id, stop=stop)), None)

    def last_chart(self, company_id: str, stop: datetime) -> ChartRow | None:
        """The newest chart image of the company that was there at `stop`."""
        sql = """
        SELECT id, "end", available_at, interval, width, height, source FROM chart
        WHERE company_id = :id AND available_at <= :stop ORDER BY available_at DESC LIMIT 1
        """
        return next(iter(self.rows(ChartRow, sql, id=company_id, stop=stop)), None)

    def chart_image(self, chart_id: str) -> tuple[bytes, str] | None:
        """Bytes and media type of a chart."""
        rows = self.dicts("SELECT image, media_type FROM chart WHERE id = :id", id=chart_id)
        return (bytes(rows[0]["image"]), rows[0]["media_type"]) if rows else None

    def incidents(
        self,
        *,
        scope: str | None = None,
        start: datetime | None = None,
        only_open: bool = False,
        most: int = 500,
        only: Sequence[str] | None = None,
        brief: bool = False,
    ) -> list[IncidentRow]:
        """Incidents, newest first, with their evidence; `start`: those that were open at or after it; `only`: of companies.

        What was pending and passed without firing was told to nobody, and is left out.

        Args:
            brief: without inputs and evidence, which are most of a row.
        """
        conditions = [_OPEN if only_open else f"(fired_at IS NOT NULL OR {_OPEN})"]
        if only is not None:
            conditions.append("company_id = ANY(:only)")
        if scope:
            conditions.append("(scope = :scope OR scope LIKE :inner)")
        if start:
            conditions.append("(resolved_at IS NULL OR resolved_at >= :start)")
        columns = _BRIEF if brief else f"{_BRIEF}, inputs, evidence"
        rows = self.dicts(
            f"SELECT {columns} FROM incident WHERE {' AND '.join(conditions)} ORDER BY opened_at DESC, id LIMIT :most",
            scope=scope,
            inner=f"{scope}/%",
            start=start,
            only=list(only or ()),
            most=most,
        )
        return self._with_evidence(rows)

    def incident(self, incident_id: str) -> IncidentRow | None:
        """One incident."""
        return next(iter(self._with_evidence(self.dicts("SELECT * FROM incident WHERE id = :id", id=incident_id))), None)

    def around(self, incident_id: str) -> Mapping[str, Any]:
        """What was frozen beside an incident's evidence."""
        rows = self.dicts("SELECT context FROM incident WHERE id = :id", id=incident_id)
        return rows[0]["context"] if rows else {}

    def last_resolved(self) -> IncidentRow | None:
        """Of the incidents that had fired the one that was resolved last."""
        sql = "SELECT * FROM incident WHERE fired_at IS NOT NULL AND resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT 1"
        return next(iter(self._with_evidence(self.dicts(sql))), None)

    def events(self, incident_id: str) -> list[EventRow]:
        """The audit of an incident, in order."""
        sql = "SELECT at, kind, state, actor, detail, recorded_at FROM incident_event WHERE incident_id = :id ORDER BY number"
        return self.rows(EventRow, sql, id=incident_id)

    def silences(self) -> list[dict[str, Any]]:
        """All silences, the newest first, as `squall.acts.list_silences` tells them."""
        with self._engine.connect() as connection:
            return list_silences(connection)

    def _with_evidence(self, rows: Sequence[Mapping[str, Any]]) -> list[IncidentRow]:
        names = {one.name for one in fields(IncidentRow)}
        return [
            replace(
                IncidentRow(**{name: value for name, value in row.items() if name in names and name != "evidence"}),
                evidence=read_evidence(row.get("evidence") or []),
            )
            for row in rows
        ]


def topic_labels(manifest: Mapping[str, Any]) -> list[str]:
    """Labels of the topics in a model's manifest; none where it has none."""
    labels = manifest.get("topic_labels")
    return [str(label) for label in labels] if isinstance(labels, list) else []
