"""What the challenger says in the champion's shadow, beside what that says of the same mentions."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.queries import Reader

NEWEST = 5_000
KEPT_S = 15.0
SHOWN = 6


@dataclass(frozen=True)
class Compared:
    """Champion and challenger on the newest mentions that both have scored."""

    champion: str
    challenger: str
    error: str | None
    """What the challenger failed with last."""
    both: int
    alike: int
    """Of these, where the likeliest sentiment is the same."""
    shares: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Mean probability of negative, neutral, positive: of the champion, of the challenger."""


@dataclass(frozen=True)
class Apart:
    """A mention on which they disagree; P(positive) - P(negative) of each, -1 to 1."""

    at: datetime
    company_id: str | None
    title: str
    champion: float
    challenger: float


_BOTH = f"""
WITH named AS (SELECT max(version) FILTER (WHERE alias = 'champion') AS champion,
                      max(version) FILTER (WHERE alias = 'challenger') AS challenger FROM model_alias),
     newest AS (SELECT r.* FROM rescore r, named WHERE r.model_version = named.challenger
                ORDER BY r.event_time DESC LIMIT {NEWEST}),
     both_said AS (SELECT s.mention_id, s.event_time, s.company_id, s.negative, s.neutral, s.positive,
                          r.negative AS negative_2, r.neutral AS neutral_2, r.positive AS positive_2
                   FROM newest r JOIN score s ON s.mention_id = r.mention_id AND s.event_time = r.event_time, named
                   WHERE s.model_version = named.champion AND NOT s.withdrawn)
"""
_LIKELIEST = "CASE greatest({0}, {1}, {2}) WHEN {1} THEN 0 WHEN {0} THEN -1 ELSE 1 END"
_FIRST = _LIKELIEST.format("negative", "neutral", "positive")
_SECOND = _LIKELIEST.format("negative_2", "neutral_2", "positive_2")


def compared(reader: Reader) -> Compared | None:
    """How often they agree, and how each divides the sentiments; None: there is no challenger."""
    sql = f"""
    {_BOTH}
    SELECT named.champion, named.challenger, (SELECT error FROM shadow_model WHERE version = named.challenger) AS error,
           count(b.mention_id)::int AS both_scored, (count(*) FILTER (WHERE {_FIRST} = {_SECOND}))::int AS alike,
           {", ".join(f"coalesce(avg({name}) / 1e6, 0)::float8 AS {name}" for name in _NAMES)}
    FROM named LEFT JOIN both_said b ON true GROUP BY 1, 2
    """
    (row,) = reader.dicts(sql)
    if row["champion"] is None or row["challenger"] is None:
        return None
    shares = tuple(row[name] for name in _NAMES)
    alike = row["alike"] if row["both_scored"] else 0
    both = (shares[:3], shares[3:])
    return Compared(row["champion"], row["challenger"], row["error"], row["both_scored"], alike, both)


def apart(reader: Reader) -> list[Apart]:
    """Where they disagree most, the widest first."""
    sql = f"""
    {_BOTH}
    SELECT b.event_time AS at, b.company_id, a.title, ((b.positive - b.negative) / 1e6)::float8 AS champion,
           ((b.positive_2 - b.negative_2) / 1e6)::float8 AS challenger
    FROM both_said b JOIN mention m ON m.id = b.mention_id AND m.event_time = b.event_time JOIN article a ON a.id = m.article_id
    WHERE {_FIRST} <> {_SECOND}
    ORDER BY abs(b.positive - b.negative - b.positive_2 + b.negative_2) DESC, b.event_time DESC, b.mention_id LIMIT {SHOWN}
    """
    return reader.rows(Apart, sql)


_NAMES = ("negative", "neutral", "positive", "negative_2", "neutral_2", "positive_2")
