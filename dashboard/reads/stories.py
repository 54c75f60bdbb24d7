"""Searching the scored news: stories that match, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.queries import Reader

READ = 2_000
"""Items that are looked at: the newest that match."""
SLICES = tuple(timedelta(days=days) for days in (1, 4, 16, 64))
"""How far back it is searched at once: a frequent word is found in the newest slice, a rare one by its index in all of them."""
INSIDE = 8
"""Items that an opened story shows at most."""
MOODS = {"negative": "s.negative > greatest(s.neutral, s.positive)", "positive": "s.positive > greatest(s.neutral, s.negative)"}
MOODS["neutral"] = "s.neutral >= greatest(s.negative, s.positive)"


@dataclass(frozen=True)
class Search:
    """What is looked for, in [start, stop). Empty: anything."""

    start: datetime
    stop: datetime
    words: str = ""
    topic: str = ""
    """A label."""
    mood: str = ""
    source: str = ""
    companies: Sequence[str] | None = None
    """None: all, and what names none."""
    among: Sequence[str] | None = None
    """Ids of the stories in which it is looked for; None: in all."""

    @property
    def filtered(self) -> bool:
        """Whether more than words and a range choose."""
        return bool(self.topic or self.mood or self.source) or self.companies is not None


@dataclass(frozen=True)
class StoryRow:
    """A story with what of it matched; `stories`, `items`, `read`: of the whole answer."""

    id: str
    title: str
    articles: int
    last_at: datetime
    sentiment: float
    companies: Sequence[str]
    sources: Sequence[str]
    stories: int
    items: int
    read: int
    """Mentions that were looked at."""


@dataclass(frozen=True)
class ItemRow:
    """A scored mention within a story."""

    story_id: str
    at: datetime
    company_id: str | None
    title: str
    url: str
    source: str
    sentiment: float
    topic: str
    relevance: int
    novelty: int


@dataclass(frozen=True)
class Found:
    """Stories that match, the one with the newest match first; `cut`: there are older ones that nobody has counted."""

    rows: Sequence[StoryRow]
    cut: bool


def search(reader: Reader, query: Search, most: int) -> Found:
    """At most `most` stories of the newest `READ` items that match."""
    conditions = ["s.event_time >= :start", "s.event_time < :stop", "NOT s.withdrawn"]
    conditions += ["s.topic = :topic"] if query.topic else []
    conditions += [MOODS[query.mood]] if query.mood in MOODS else []
    conditions += ["s.company_id = ANY(:companies)"] if query.companies is not None else []
    hits = _hits(reader, query) if query.words or query.source or query.among is not None else None
    if hits is None:
        # The newest scores first, and only then what belongs to them: a busy range would be read as a whole.
        among = "score s"
    else:
        among = """unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS hit (id, at)
            JOIN mention n ON n.article_id = hit.id AND n.event_time = hit.at
            JOIN score s ON s.mention_id = n.id AND s.event_time = n.event_time"""
    sql = f"""
    WITH newest AS MATERIALIZED (
        SELECT s.mention_id, s.event_time, s.company_id, (s.positive - s.negative) / 1e6 AS sentiment
        FROM {among} WHERE {" AND ".join(conditions)} ORDER BY s.event_time DESC, s.mention_id LIMIT {READ}),
    found AS (
        SELECT m.story_id, m.article_id, s.mention_id, s.event_time, s.company_id, a.source, s.sentiment FROM newest s
        JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time JOIN article a ON a.id = m.article_id),
    grouped AS (
        SELECT story_id, max(event_time) AS last_at, avg(sentiment)::float8 AS sentiment,
               count(DISTINCT article_id)::int AS items, count(*) AS read,
               array_remove(array_agg(DISTINCT company_id), NULL) AS companies, array_agg(DISTINCT source) AS sources
        FROM found GROUP BY story_id)
    SELECT g.story_id AS id, coalesce(t.title, '') AS title, greatest(t.articles, g.items) AS articles, g.last_at, g.sentiment,
           g.companies, g.sources, count(*) OVER ()::int AS stories, sum(g.items) OVER ()::int AS items,
           sum(g.read) OVER ()::int AS read
    FROM grouped g LEFT JOIN story t ON t.id = g.story_id ORDER BY g.last_at DESC, g.story_id LIMIT :most
    """
    values = {"ids": [one[0] for one in hits or ()], "times": [one[1] for one in hits or ()], "most": most, **_values(query)}
    rows = reader.rows(StoryRow, sql, **values)
    return Found(rows, len(hits or ()) >= READ or bool(rows and rows[0].read >= READ))


def _hits(reader: Reader, query: Search) -> list[tuple[str, datetime]]:
    """Ids and times of the newest articles of the range with the words, of the source, in the stories: `READ` at most."""
    conditions = ["words @@ websearch_to_tsquery('english', :words)"] if query.words else []
    conditions += ["source = :source"] if query.source else []
    conditions += ["story_id = ANY(:among)"] if query.among is not None else []
    sql = f"""
    SELECT id, event_time FROM article WHERE {" AND ".join(conditions)} AND event_time >= :first AND event_time < :last
    ORDER BY event_time DESC LIMIT :most
    """
    found: list[tuple[str, datetime]] = []
    last = query.stop
    for back in (None,) if query.among is not None else (*SLICES, None):
        first = query.start if back is None else max(query.start, query.stop - back)
        values = {**_values(query), "first": first, "last": last, "most": READ - len(found)}
        found += [(row["id"], row["event_time"]) for row in reader.dicts(sql, **values)]
        last = first
        if len(found) >= READ or last <= query.start:
            break
    return found


def inside(reader: Reader, stories: Sequence[str]) -> dict[str, list[ItemRow]]:
    """The newest items of each story, whether they matched or not."""
    sql = f"""
    SELECT story_id, at, company_id, title, url, source, sentiment, topic, relevance, novelty FROM (
        SELECT a.story_id, s.event_time AS at, s.company_id, a.title, a.url, a.source,
               ((s.positive - s.negative) / 1e6)::float8 AS sentiment, s.topic, m.relevance, m.novelty,
               row_number() OVER (PARTITION BY a.story_id ORDER BY s.event_time DESC, s.mention_id) AS place
        FROM article a JOIN mention m ON m.article_id = a.id
        JOIN LATERAL (SELECT * FROM score WHERE mention_id = m.id AND event_time = m.event_time AND NOT withdrawn
                      ORDER BY scored_at DESC LIMIT 1) s ON true
        WHERE a.story_id = ANY(:stories)) ranked WHERE place <= {INSIDE} ORDER BY story_id, place
    """
    found: dict[str, list[ItemRow]] = {}
    for row in reader.rows(ItemRow, sql, stories=list(stories)):
        found.setdefault(row.story_id, []).append(row)
    return found


def source_names(reader: Reader) -> list[str]:
    """Names of the sources that are known, in order."""
    return [row["name"] for row in reader.dicts("SELECT name FROM source ORDER BY name LIMIT 500")]


def _values(query: Search) -> dict[str, Any]:
    return {
        "start": query.start,
        "stop": query.stop,
        "words": query.words,
        "topic": query.topic,
        "source": query.source,
        "companies": list(query.companies or ()),
        "among": list(query.among or ()),
    }
