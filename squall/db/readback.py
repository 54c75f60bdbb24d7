"""What has become of the news: incidents and scored mentions, as plain rows with names for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from squall.errors import UserError
from squall.records import MILLION
from squall.scopes import scope_name, topic_slug
from squall.settings import Settings

Row = dict[str, Any]


def require_schema(connection: Connection, settings: Settings) -> None:
    """Make sure that the settings' namespace has been run here.

    Raises:
        UserError: it has not; the message names those that have.
    """
    query = (
        "SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE c.relname = 'incident' ORDER BY 1"
    )
    schemas = list(connection.exec_driver_sql(query).scalars())
    if settings.pg_schema in schemas:
        return
    names = ["live" if name == "squall" else name.removeprefix("squall_") for name in schemas]
    there = f"there is {', '.join(names)}" if names else "`squall up`, `squall demo` or `squall replay` makes one"
    wanted = f"no namespace {settings.namespace!r}" if settings.namespace else "no live namespace"
    raise UserError(f"{wanted} in this database: {there}")


def read_names(connection: Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Names of companies by id, and labels of topics by slug."""
    companies = {row.id: row.name for row in connection.exec_driver_sql("SELECT id, name FROM company")}
    manifests = connection.exec_driver_sql("SELECT manifest FROM model_version ORDER BY first_used_at").scalars()
    labels = (label for manifest in manifests for label in manifest.get("topic_labels", ()))
    return companies, {topic_slug(label): label for label in labels}


_INCIDENTS = """
SELECT id, rule, scope, company_id, state, severity, opened_at, fired_at, resolved_at, surprise, peak_surprise, threshold,
       summary, evidence
FROM incident ORDER BY opened_at DESC, scope, rule
"""


_BEGINS = "SELECT id FROM incident WHERE starts_with(id, %(start)s) LIMIT 2"
_EVENTS = """
SELECT number, at, kind, state, actor, detail FROM incident_event WHERE incident_id = %(id)s ORDER BY number
"""


def list_incidents(connection: Connection) -> list[Row]:
    """All incidents, the newest first; `evidence` holds headlines."""
    companies, topics = read_names(connection)
    rows = [dict(row) for row in connection.exec_driver_sql(_INCIDENTS).mappings()]
    for row in rows:
        row["company"] = companies.get(row["company_id"], row["company_id"])
        row["name"] = scope_name(row["scope"], companies, topics)
        row["evidence"] = [story["title"] for story in row["evidence"]]
    return rows


def find_incident(connection: Connection, start: str) -> Row:
    """One incident with all that it was decided from, and its events.

    Args:
        start: its id, or how the id begins.

    Raises:
        UserError: none begins so, or several do.
    """
    ids = list(connection.exec_driver_sql(_BEGINS, {"start": start}).scalars())
    if len(ids) != 1:
        found = "several incidents begin" if ids else "no incident begins"
        raise UserError(f"{found} with {start!r}: see `squall incidents list`")
    companies, topics = read_names(connection)
    row = dict(connection.exec_driver_sql("SELECT * FROM incident WHERE id = %(id)s", {"id": ids[0]}).mappings().one())
    events = connection.exec_driver_sql(_EVENTS, {"id": ids[0]})
    row["company"] = companies.get(row["company_id"], row["company_id"])
    row["name"] = scope_name(row["scope"], companies, topics)
    row["events"] = [dict(event) for event in events.mappings()]
    return row


_NOTIFICATIONS = """
SELECT incident_id, number, channel, attempts, error, created_at, delivered_at,
       CASE WHEN dead_at IS NOT NULL THEN 'dead' WHEN delivered_at IS NOT NULL THEN 'delivered' ELSE 'waiting' END AS delivery,
       payload ->> 'at' AS at, payload ->> 'state' AS state, payload ->> 'summary' AS summary
FROM outbox WHERE dead_at IS NOT NULL OR NOT %(dead)s ORDER BY id DESC LIMIT %(limit)s
"""


def list_notifications(connection: Connection, *, dead_only: bool, limit: int) -> list[Row]:
    """Notifications by channel, the newest first; `delivery` is waiting, delivered or dead."""
    found = connection.exec_driver_sql(_NOTIFICATIONS, {"dead": dead_only, "limit": limit})
    return [dict(row) for row in found.mappings()]


def find_companies(connection: Connection, wanted: str) -> list[str]:
    """Ids of the companies that have an id, a name or a ticker, in any case; the ticker at any time.

    Raises:
        UserError: there is none.
    """
    query = """
        SELECT id FROM company WHERE lower(%(wanted)s) IN (id, lower(name))
        UNION SELECT company_id FROM listing WHERE ticker = upper(ltrim(%(wanted)s, '$'))
    """
    if found := list(connection.exec_driver_sql(query, {"wanted": wanted}).scalars()):
        return found
    raise UserError(f"no company {wanted!r}: give an id, a full name or a ticker")


_ONE_MENTION = """
SELECT m.id, m.event_time, c.name AS company, m.span_start, m.span_end, m.others, a.title, a.body, s.model_version AS model,
       s.features, s.impact, s.impact_model, s.impact_shares
FROM mention m
JOIN article a ON a.id = m.article_id
LEFT JOIN score s ON s.mention_id = m.id AND s.event_time = m.event_time
LEFT JOIN company c ON c.id = m.company_id
WHERE starts_with(m.id, %(start)s) ORDER BY m.id LIMIT 2
"""


def find_mention(connection: Connection, start: str) -> Row:
    """One mention with its article's text; `model` is None where it is not scored yet.

    Args:
        start: its id, or how the id begins.

    Raises:
        UserError: none begins so, or several do.
    """
    rows = [dict(row) for row in connection.exec_driver_sql(_ONE_MENTION, {"start": start}).mappings()]
    if len(rows) != 1:
        found = "several mentions begin" if rows else "no mention begins"
        raise UserError(f"{found} with {start!r}: see `squall mentions list`")
    return rows[0] | read_impact(rows[0]["impact"], rows[0]["impact_shares"])


def read_impact(impact: int | None, shares: Mapping[str, int | None] | None) -> Row:
    """`impact` and `impact_shares` of a score as fractions; None both where the price was not known, so that little is said."""
    if impact is None or not shares or shares["price"] is None:
        return {"impact": None, "impact_shares": None}
    told = {name: None if share is None else share / MILLION for name, share in shares.items()}
    return {"impact": impact / MILLION, "impact_shares": told}


_MENTIONS = """
SELECT m.id, m.event_time, m.company_id, c.name AS company, s.negative, s.neutral, s.positive, s.topic, m.relevance, m.novelty,
       m.story_id, t.title AS story, t.articles AS story_articles, a.title, a.source, a.url, a.revision, s.model_version AS model,
       s.impact, s.impact_model, s.impact_shares
FROM mention m
JOIN article a ON a.id = m.article_id
LEFT JOIN score s ON s.mention_id = m.id AND s.event_time = m.event_time
LEFT JOIN company c ON c.id = m.company_id
LEFT JOIN story t ON t.id = m.story_id
WHERE NOT m.withdrawn
  AND (%(companies)s::text[] IS NULL OR m.company_id = ANY(%(companies)s))
  AND (%(since)s::timestamptz IS NULL OR m.event_time >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR m.event_time < %(until)s)
ORDER BY m.event_time DESC, m.id LIMIT %(limit)s
"""


def list_mentions(
    connection: Connection, companies: Sequence[str] | None, since: datetime | None, until: datetime | None, limit: int | None
) -> list[Row]:
    """Mentions, the newest first; `sentiment`, its probabilities and `topic` are None where a mention is not scored yet."""
    values = {"companies": None if companies is None else list(companies), "since": since, "until": until, "limit": limit}
    rows = [dict(row) for row in connection.exec_driver_sql(_MENTIONS, values).mappings()]
    for row in rows:
        said = {name: row[name] for name in ("negative", "neutral", "positive")}
        scored = row["negative"] is not None
        row["sentiment"] = max(said, key=lambda name: said[name]) if scored else None
        row.update({name: value / MILLION if scored else None for name, value in said.items()})
        row.update(read_impact(row["impact"], row["impact_shares"]))
    return rows


_AGREEMENT = """
WITH said AS (
  SELECT mention_id, model_version, negative, neutral, positive FROM score WHERE model_version IN (%(one)s, %(other)s)
  UNION SELECT mention_id, model_version, negative, neutral, positive FROM rescore WHERE model_version IN (%(one)s, %(other)s)
), judged AS (
  SELECT DISTINCT ON (mention_id, model_version) mention_id, model_version,
         CASE greatest(negative, neutral, positive) WHEN neutral THEN 0 WHEN negative THEN -1 ELSE 1 END AS sentiment
  FROM said ORDER BY mention_id, model_version
)
SELECT count(*), count(*) FILTER (WHERE a.sentiment = b.sentiment)
FROM judged a JOIN judged b USING (mention_id) WHERE a.model_version = %(one)s AND b.model_version = %(other)s
"""


def agreement(connection: Connection, one: str, other: str) -> tuple[int, int]:
    """Mentions that two model versions have scored, for the mood or in a backfill; and those on whose sentiment they agree."""
    both, alike = connection.exec_driver_sql(_AGREEMENT, {"one": one, "other": other}).one()
    return int(both), int(alike)
