"""An invented world as large as asked, written by Postgres itself: companies, scored mentions, mood, incidents."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from squall.db import migrate
from squall.settings import Settings

NOW = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
COMPANIES, TOPICS, SECTORS, TOPICS_EACH = 1_000, 20, 11, 4
A_DAY = 10_000
"""Mentions a day: more mentions are a longer past, as in a system that runs on."""
INCIDENTS = 400
VECTORS = 100_000

_COMPANIES = """
INSERT INTO company (id, name, sector, country)
SELECT 'company-' || n, 'Company ' || n, 'sector-' || n % :sectors, 'US' FROM generate_series(0, :companies - 1) n
"""
_ROWS = """
CREATE TEMP TABLE made AS
SELECT n, 'company-' || c AS company_id, 'sector-' || c % :sectors AS sector,
       'topic-' || (c * 7 + (random() * :each)::int % :each) % :topics AS topic, at,
       (1000000 * tone * (tone < 0)::int * -1 + 50000)::int AS negative,
       (1000000 * tone * (tone > 0)::int + 40000)::int AS positive, undiluted, undiluted * 100 AS weight
FROM (SELECT n, floor(random() ^ 2 * :companies)::int AS c, (random() * 1.8 - 0.9) AS tone,
             4000 + (6000 * random())::int AS undiluted,
             CAST(:now AS timestamptz) - random() * CAST(:span AS interval) AS at
      FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n) drawn
"""
_MOODS = (("mood", "minute", "minute, late", ", false"), ("mood_day", "day", "day", ""))
_MOOD = """
INSERT INTO {table} AS old (scope, {key}, mentions, items, negative, positive, weight, negative_weight, positive_weight)
SELECT scope, date_trunc('{unit}', at, 'UTC'){late}, count(*), count(*) * 1000000, sum(negative), sum(positive), sum(weight),
       sum(weight::bigint * negative / 1000000), sum(weight::bigint * positive / 1000000)
FROM made CROSS JOIN LATERAL (VALUES ('market'), ('sector:' || sector), ('topic:' || topic), ('company:' || company_id),
                                     ('company:' || company_id || '/topic:' || topic)) scopes (scope)
GROUP BY 1, 2
ON CONFLICT (scope, {key}) DO UPDATE SET
    mentions = old.mentions + excluded.mentions, items = old.items + excluded.items,
    negative = old.negative + excluded.negative, positive = old.positive + excluded.positive,
    weight = old.weight + excluded.weight, negative_weight = old.negative_weight + excluded.negative_weight,
    positive_weight = old.positive_weight + excluded.positive_weight
"""
_STATEMENTS = (
    """
INSERT INTO article (id, source, guid, url, title, body, language, tickers, published_at, fetched_at, event_time,
                     delayed, revision, retracted, signature, story_id, rank)
SELECT 'a' || n, 'Wire ' || n % 40, 'a' || n, 'https://wire.example/' || n,
       'Report ' || n || ' about ' || company_id || ' and ' || topic, '', 'en', '{}', at, at, at, false, 1, false, '',
       'a' || n, 0 FROM made
""",
    "INSERT INTO story (id, title, articles, first_at, last_at) SELECT 'a' || n, 'Report ' || n, 1, at, at FROM made",
    """
INSERT INTO mention (id, event_time, article_id, story_id, company_id, sector, relevance, novelty, credibility, share,
                     sector_share, revision, decision, withdrawn)
SELECT 'm' || n, at, 'a' || n, 'a' || n, company_id, sector, 90, 100, 100, 1000000, 1000000, 1, 1, false FROM made
""",
    """
INSERT INTO score (mention_id, model_version, event_time, revision, decision, negative, neutral, positive, topic, topics,
                   features, company_id, sector, share, sector_share, undiluted, weight, withdrawn, late)
SELECT 'm' || n, 'bench', at, 1, 1, negative, 1000000 - negative - positive, positive, topic, '{}', '{}', company_id, sector,
       1000000, 1000000, undiluted, weight, false, false FROM made
""",
)
_MOOD_STATEMENTS = tuple(_MOOD.format(table=table, unit=unit, key=key, late=late) for table, unit, key, late in _MOODS)
_DONE = "DROP TABLE made"
_INCIDENTS = """
INSERT INTO incident (id, rule, rule_version, scope, company_id, state, severity, opened_at, fired_at, resolved_at, updated_at,
                      surprise, peak_surprise, threshold, summary, inputs, evidence)
SELECT 'i' || n, 'negative-surge', '1', 'company:company-' || n, 'company-' || n,
       CASE WHEN n < 12 THEN 'firing' ELSE 'resolved' END,
       CASE WHEN n % 5 = 0 THEN 'critical' ELSE 'high' END, at, at, CASE WHEN n >= 12 THEN at + interval '4 hours' END, at, 4, 5,
       3, 'Company ' || n || ': 9 negative stories in 6 h', '{}',
       jsonb_build_array(jsonb_build_object('title', 'Report', 'weight', 0.5))
FROM (SELECT n, CAST(:now AS timestamptz) - n * interval '35 minutes' AS at FROM generate_series(0, :incidents - 1) n) drawn
"""
_BARS = """
INSERT INTO bar (company_id, interval, start, ticker, open, high, low, close, volume, available_at, source)
SELECT 'company-' || c, '1d', day, 'C' || c, 100 + d, 103 + d, 98 + d, 101 + d, 1e6, day + interval '7 hours', 'bench'
FROM generate_series(0, 49) c, generate_series(1, 250) d,
     LATERAL (SELECT CAST(:now AS timestamptz) - d * interval '1 day' AS day) days
"""


_VECTORS = """
INSERT INTO story_vector (story_id, model_version, first_at, vector)
SELECT id, :version, first_at, (
    SELECT array_agg((value / sqrt(:hidden))::real) FROM (
        SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS value FROM generate_series(1, :hidden)
        WHERE story.id IS NOT NULL) normal)
FROM (SELECT id, first_at FROM story ORDER BY first_at DESC LIMIT :most) story ON CONFLICT DO NOTHING
"""


def start(engine: Engine, settings: Settings, days: int) -> None:
    """Make the schema, the companies, their prices and the incidents."""
    migrate.upgrade(engine, settings, NOW - timedelta(days=days + 2), NOW + timedelta(days=2))
    with engine.begin() as connection:
        connection.execute(text("SELECT setseed(0.5)"))
        connection.execute(text(_COMPANIES), {"companies": COMPANIES, "sectors": SECTORS})
        manifest = '{"topic_labels": [' + ", ".join(f'"Topic {n}"' for n in range(TOPICS)) + "]}"
        connection.execute(text("INSERT INTO model_version VALUES ('bench', CAST(:m AS jsonb))"), {"m": manifest})
        connection.execute(text(_INCIDENTS), {"now": NOW, "incidents": INCIDENTS})
        connection.execute(text(_BARS), {"now": NOW})
        connection.execute(text("INSERT INTO watermark VALUES (0, 0, :now)"), {"now": NOW})


def fill(engine: Engine, first: int, last: int, *, a_day: int = A_DAY, mood: bool = True) -> None:
    """Write mentions number `first` to `last`, spread over the days that so many take, before those that are there already.

    Args:
        mood: also write the mood that pages show; decisions do without.
    """
    begin, span = NOW - timedelta(days=(first - 1) / a_day), timedelta(days=(last - first + 1) / a_day)
    values = {"sectors": SECTORS, "topics": TOPICS, "each": TOPICS_EACH, "companies": COMPANIES}
    with engine.begin() as connection:
        for setting in ("synchronous_commit = off", "work_mem = '256MB'", "statement_timeout = 0"):
            connection.execute(text(f"SET LOCAL {setting}"))
        connection.execute(text(_ROWS), {**values, "now": begin, "span": span, "first": first, "last": last})
        for statement in (*_STATEMENTS, *(_MOOD_STATEMENTS if mood else ()), _DONE):
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")


def land(engine: Engine, number: int) -> None:
    """One more scored mention, a few seconds after the last."""
    values = {"sectors": SECTORS, "topics": TOPICS, "each": TOPICS_EACH, "companies": COMPANIES}
    at, key = NOW + timedelta(seconds=number + 1), 10**9 + int(datetime.now(UTC).timestamp() * 1000)
    with engine.begin() as connection:
        connection.execute(text(_ROWS), {**values, "now": at, "span": timedelta(0), "first": key, "last": key})
        for statement in (*_STATEMENTS, *_MOOD_STATEMENTS, _DONE):
            connection.execute(text(statement))


def embed(engine: Engine, version: str, hidden: int) -> None:
    """Give the newest stories random vectors of length 1, as a version's, as many as `squall embed` keeps in one run."""
    with engine.begin() as connection:
        for setting in ("synchronous_commit = off", "statement_timeout = 0"):
            connection.execute(text(f"SET LOCAL {setting}"))
        connection.execute(text(_VECTORS), {"version": version, "hidden": hidden, "most": VECTORS})
        connection.execute(text("ANALYZE story_vector"))


def scopes(engine: Engine) -> int:
    """How many scopes have a mood."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(DISTINCT scope) FROM mood")).scalar_one())
