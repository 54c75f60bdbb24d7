"""Searching the scored news: stories that match, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.queries import Reader

READ, MATCHES = 2_000, 5_000
"""Matching mentions that are looked at, and articles that hold the words: the newest."""
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


@dataclass(frozen=True)
class StoryRow:
    """A story with what of it matched; `stories`, `items`: of the whole answer."""

    id: str
    title: str
    articles: int
    last_at: datetime
    sentiment: float
    companies: Sequence[str]
    sources: Sequence[str]
    stories: int
    items: int


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


def search(reader: Reader, query: Search, most: int) -> list[StoryRow]:
    """Stories, that with the newest match first; `most` at most."""
    conditions = ["s.event_time >= :start", "s.event_time < :stop", "NOT s.withdrawn"]
    # Without words and source the newest scores are taken before anything is joined: a busy range would be read as a whole.
    conditions += ["s.topic = :topic"] if query.topic else []
    conditions += [MOODS[query.mood]] if query.mood in MOODS else []
    conditions += ["a.source = :source"] if query.source else []
    mention = "mention m ON m.id = s.mention_id AND m.event_time = s.event_time"
    among = f"JOIN {mention} JOIN article a ON a.id = m.article_id" if query.words or query.source else ""
    among += " JOIN hits ON hits.id = a.id" if query.words else ""
    conditions += ["s.company_id = ANY(:companies)"] if query.companies is not None else []
    # The words first, so that a rare one never walks the whole range.
    hits = f"""hits AS MATERIALIZED (
        SELECT id FROM article WHERE words @@ websearch_to_tsquery('english', :words)
        AND event_time >= :start AND event_time < :stop ORDER BY event_time DESC LIMIT {MATCHES}),"""
    sql = f"""
    WITH {hits if query.words else ""} newest AS MATERIALIZED (
        SELECT DISTINCT ON (s.event_time, s.mention_id) s.mention_id, s.event_time, s.company_id,
               (s.positive - s.negative) / 1e6 AS sentiment
        FROM score s {among} WHERE {" AND ".join(conditions)}
        ORDER BY s.event_time DESC, s.mention_id, s.scored_at DESC LIMIT {READ}),
    found AS (
        SELECT m.story_id, m.article_id, s.event_time, s.company_id, a.source, s.sentiment FROM newest s
        JOIN {mention} JOIN article a ON a.id = m.article_id),
    grouped AS (
        SELECT story_id, max(event_time) AS last_at, avg(sentiment)::float8 AS sentiment,
               count(DISTINCT article_id)::int AS items,
               array_remove(array_agg(DISTINCT company_id), NULL) AS companies, array_agg(DISTINCT source) AS sources
        FROM found GROUP BY story_id)
    SELECT g.story_id AS id, coalesce(t.title, '') AS title, greatest(t.articles, g.items) AS articles, g.last_at, g.sentiment,
           g.companies, g.sources, count(*) OVER ()::int AS stories, sum(g.items) OVER ()::int AS items
    FROM grouped g LEFT JOIN story t ON t.id = g.story_id ORDER BY g.last_at DESC, g.story_id LIMIT :most
    """
    return reader.rows(StoryRow, sql, most=most, **_values(query))


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
    }
