"""The outcome of a run as plain rows, and the mood recounted by SQL that shares nothing with the product's own sums."""

from typing import Any

from sqlalchemy import Connection, Engine, text

# What depends on when something happened to run, not on what was decided.
OPERATIONAL = {"ingested_at", "decided_at", "scored_at", "recorded_at", "moved_at", "decision", "created_at", "due_at"}
TABLES = ("article", "story", "mention", "score", "mood", "mood_day", "bar", "chart", "incident", "incident_event")

RECOUNT = """
WITH base AS (
  SELECT date_trunc('minute', s.event_time, 'UTC') AS minute, s.company_id, s.sector,
         trim(both '-' from regexp_replace(lower(s.topic), '[^a-z0-9]+', '-', 'g')) AS topic,
         s.negative::numeric AS neg, s.positive::numeric AS pos,
         m.share::numeric AS share, m.sector_share::numeric AS sector_share,
         m.relevance::numeric * m.novelty * m.credibility AS weight
  FROM mention m JOIN score s ON s.mention_id = m.id AND s.event_time = m.event_time
  WHERE NOT m.withdrawn
), parts AS (
  SELECT 'company:' || company_id AS scope, minute, 1000000::numeric AS part, neg, pos, weight
    FROM base WHERE company_id IS NOT NULL
  UNION ALL
  SELECT 'company:' || company_id || '/topic:' || topic, minute, 1000000, neg, pos, weight FROM base WHERE company_id IS NOT NULL
  UNION ALL
  SELECT 'sector:' || sector, minute, sector_share, neg, pos, weight FROM base WHERE sector IS NOT NULL
  UNION ALL
  SELECT 'topic:' || topic, minute, share, neg, pos, weight FROM base
  UNION ALL
  SELECT 'market', minute, share, neg, pos, weight FROM base
)
SELECT scope, minute, count(*) AS mentions, sum(part) AS items,
       sum(floor(part * neg / 1000000)) AS negative, sum(floor(part * pos / 1000000)) AS positive,
       sum(floor(part * weight / 1000000)) AS weight,
       sum(floor(part * weight * neg / 1000000000000)) AS negative_weight,
       sum(floor(part * weight * pos / 1000000000000)) AS positive_weight
FROM parts GROUP BY scope, minute
"""

NAMES = ("mentions", "items", "negative", "positive", "weight", "negative_weight", "positive_weight")
SUMS = ", ".join(f"sum({name}) AS {name}" for name in NAMES)
ANY = " OR ".join(f"sum({name}) <> 0" for name in NAMES)
STORED = f"SELECT scope, minute, {SUMS} FROM mood GROUP BY scope, minute HAVING {ANY}"
DAYS = f"SELECT scope, date_trunc('day', minute, 'UTC') AS day, {SUMS} FROM ({RECOUNT}) counted GROUP BY 1, 2"
STORED_DAYS = f"SELECT scope, day, {SUMS} FROM mood_day GROUP BY scope, day HAVING {ANY}"


def mood_differences(connection: Connection) -> list[dict[str, Any]]:
    """Rows that stand in the stored mood, by minutes or by days, and not in the recount, or the other way round."""
    found = []
    for counted, stored in ((RECOUNT, STORED), (DAYS, STORED_DAYS)):
        query = f"(({counted}) EXCEPT ({stored})) UNION ALL (({stored}) EXCEPT ({counted})) LIMIT 20"
        found += [dict(row) for row in connection.execute(text(query)).mappings()]
    return found


def outcome(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table that a run decides, without operational columns, in one fixed order."""
    rows: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for table in TABLES:
            where = "WHERE mentions <> 0 OR items <> 0 OR weight <> 0" if table in {"mood", "mood_day"} else ""
            found = connection.execute(text(f"SELECT * FROM {table} {where}")).mappings()
            kept = ({name: row[name] for name in sorted(map(str, row)) if name not in OPERATIONAL} for row in found)
            rows[table] = sorted(map(repr, kept))
    return rows


def differences(left: dict[str, list[str]], right: dict[str, list[str]]) -> dict[str, tuple[int, int, list[str]]]:
    """Per table: how many rows stand only left and only right, and the first few of them."""
    found = {}
    for table in TABLES:
        only_left = sorted(set(left[table]) - set(right[table]))
        only_right = sorted(set(right[table]) - set(left[table]))
        if left[table] != right[table]:
            found[table] = (len(only_left), len(only_right), [*only_left[:2], *only_right[:2]])
    return found
