"""The negative stories of a scope's window, as they stood at its end."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from squall.db.readback import read_impact
from squall.records import MILLION
from squall.scopes import parse_scope, topic_slug
from streams.logic.incident_types import Evidence

# Negative is what is no less likely negative than anything else. Of a story its heaviest mention speaks; the order is total, so
# that the same rows give the same evidence. Topics are compared as slugs in Python, as SQL has no such function.
# What became known only after a minute was decided stands in the rows; `frozen` then holds what the decision was made from.
_STORIES = """
SELECT * FROM (
    SELECT DISTINCT ON (story_id)
           story_id, article_id, mention_id, company_id, event_time, topic, negative, neutral, positive, weight,
           impact, impact_shares
    FROM (
        SELECT m.story_id, m.article_id, s.mention_id, s.company_id, s.event_time, seen.*
        FROM score s
        JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time
        CROSS JOIN LATERAL (
            SELECT s.topic, s.negative, s.neutral, s.positive, s.weight, s.withdrawn, s.impact, s.impact_shares
            WHERE s.frozen IS NULL
            UNION ALL
            SELECT f.* FROM jsonb_to_record(s.frozen)
            AS f (topic text, negative int, neutral int, positive int, weight int, withdrawn bool,
                  impact int, impact_shares jsonb)
            WHERE s.frozen IS NOT NULL
        ) AS seen
        WHERE s.event_time >= %(first)s AND s.event_time < %(end)s AND NOT s.late {where}
    ) AS counted
    WHERE NOT withdrawn AND weight > 0 AND negative >= greatest(neutral, positive) {topics}
    ORDER BY story_id, weight::bigint * negative DESC, event_time, mention_id
) AS story ORDER BY weight::bigint * negative DESC, event_time, mention_id
"""
_ARTICLES = """
SELECT a.id, coalesce(a.frozen ->> 'title', a.title), a.source, coalesce(a.frozen ->> 'url', a.url),
       (SELECT count(*) FROM article o WHERE o.story_id = a.story_id AND o.event_time < %(end)s)
FROM article a WHERE a.id = ANY(%(ids)s)
"""


def read_stories(connection: Connection, scope: str, end: datetime, window: timedelta) -> tuple[Evidence, ...]:
    """The negative stories that a scope got in the window before `end`, on time, heaviest first."""
    parts = parse_scope(scope)
    where = topics = ""
    values: dict[str, Any] = {"first": end - window, "end": end}
    if parts.company_id:
        where, values = "AND s.company_id = %(company)s", values | {"company": parts.company_id}
    elif parts.sector:
        where, values = "AND s.sector = %(sector)s", values | {"sector": parts.sector}
    if parts.topic:
        labels = connection.exec_driver_sql(
            "SELECT DISTINCT topic FROM score WHERE event_time >= %(first)s AND event_time < %(end)s", values
        ).scalars()
        topics = "AND topic = ANY(%(topics)s)"
        values |= {"topics": [label for label in labels if topic_slug(label) == parts.topic]}
    rows = connection.exec_driver_sql(_STORIES.format(where=where, topics=topics), values).mappings().all()
    found = connection.exec_driver_sql(_ARTICLES, {"ids": [row["article_id"] for row in rows], "end": end})
    articles: dict[str, Any] = {row[0]: row[1:] for row in found}
    return tuple(
        Evidence(
            article_id=row["article_id"],
            story_id=row["story_id"],
            title=articles[row["article_id"]][0],
            source=articles[row["article_id"]][1],
            url=articles[row["article_id"]][2],
            event_time=row["event_time"],
            negative=row["negative"] / MILLION,
            neutral=row["neutral"] / MILLION,
            positive=row["positive"] / MILLION,
            weight=row["weight"] / MILLION,
            story_articles=articles[row["article_id"]][3],
            company=row["company_id"],
            **read_impact(row["impact"], row["impact_shares"]),
        )
        for row in rows
        if row["article_id"] in articles
    )
