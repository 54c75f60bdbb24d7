"""How far a namespace has come: what stands in its tables, and what its workers have yet to read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from squall.settings import Settings
from squall.topics import MENTIONS, NEWS, Topic, admin, wanted_partitions

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True)
class Counts:
    """What stands in a namespace."""

    articles: int
    mentions: int
    mentions_scored: int
    mentions_waiting: int
    """Live mentions without a score."""
    dead_letters: int
    dead_news: int
    dead_mentions: int
    """Dead letters of squall.news and of squall.mentions."""
    bars: int
    charts: int
    incidents: int
    alerts: int
    """Incidents that have fired."""
    watermark: datetime | None
    """None: not every pair of partitions has passed on a time record yet."""
    decided: datetime | None
    """The last minute that `watch` has decided."""


COUNTS = """
SELECT (SELECT count(*) FROM article) AS articles,
       (SELECT count(*) FROM mention) AS mentions,
       (SELECT count(DISTINCT mention_id) FROM score) AS mentions_scored,
       (SELECT count(*) FROM mention m WHERE NOT m.withdrawn AND NOT EXISTS
          (SELECT FROM score s WHERE s.mention_id = m.id AND s.event_time = m.event_time)) AS mentions_waiting,
       (SELECT count(*) FROM dead_letter) AS dead_letters,
       (SELECT count(*) FROM dead_letter WHERE topic = :news) AS dead_news,
       (SELECT count(*) FROM dead_letter WHERE topic = :mentions) AS dead_mentions,
       (SELECT count(*) FROM bar) AS bars,
       (SELECT count(*) FROM chart) AS charts,
       (SELECT count(*) FROM incident) AS incidents,
       (SELECT count(*) FROM incident WHERE fired_at IS NOT NULL) AS alerts,
       (SELECT min(at) FROM watermark HAVING count(*) >= :pairs) AS watermark,
       (SELECT at FROM cursor WHERE name = 'watch') AS decided
"""


def counts(engine: "Engine", settings: Settings) -> Counts:
    """Count what stands in the namespace of the settings."""
    from sqlalchemy import text

    values = {
        "news": NEWS.on_broker(settings),
        "mentions": MENTIONS.on_broker(settings),
        "pairs": wanted_partitions(NEWS, settings) * wanted_partitions(MENTIONS, settings),
    }
    with engine.connect() as connection:
        return Counts(**connection.execute(text(COUNTS), values).mappings().one())


def group(settings: Settings) -> str:
    """Consumer group of the namespace's workers."""
    return f"{settings.pg_schema}-workers"


def messages_waiting(settings: Settings, bootstrap: str, topics: Iterable[Topic]) -> int:
    """How many messages of topics the workers have not acknowledged yet; what they acknowledge stands in Postgres."""
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec

    with admin(settings, bootstrap) as client:
        wanted = [
            TopicPartition(topic.on_broker(settings), number)
            for topic in topics
            for number in range(wanted_partitions(topic, settings))
        ]
        ends = client.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST))
        done = client.list_group_offsets(group(settings)).get(group(settings), {})
    return sum(max(0, end.offset - (done[one].offset if one in done else 0)) for one, end in ends.items())


def has_messages(settings: Settings, bootstrap: str, topic: Topic) -> bool:
    """Whether a topic is there and anything was ever sent to it."""
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec

    name = topic.on_broker(settings)
    with admin(settings, bootstrap) as client:
        if name not in client.list_topics():
            return False
        count = len(client.describe_topics([name])[0]["partitions"])
        ends = client.list_partition_offsets({TopicPartition(name, number): OffsetSpec.LATEST for number in range(count)})
    return any(end.offset > 0 for end in ends.values())
