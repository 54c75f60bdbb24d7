"""How far a namespace has come: what stands in its tables, and what its workers have yet to read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.ingest.producer import Place
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


def unacknowledged(settings: Settings, bootstrap: str, ends: Mapping[Place, int]) -> int:
    """How many messages before given offsets the workers have not acknowledged; what they acknowledge stands in Postgres."""
    with admin(settings, bootstrap) as client:
        found = client.list_group_offsets(group(settings)).get(group(settings), {})
    done = {(place.topic, place.partition): offset.offset for place, offset in found.items()}
    return sum(max(0, end - max(0, done.get(place, 0))) for place, end in ends.items())


def messages_waiting(settings: Settings, bootstrap: str, topics: Iterable[Topic]) -> int:
    """How many messages of topics the workers have not acknowledged, as far as the broker says where the topics end.

    Tansu 0.6 names the beginning of the last batch, so on it this may be too low by less than a batch.
    """
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec

    wanted = [
        TopicPartition(topic.on_broker(settings), number)
        for topic in topics
        for number in range(wanted_partitions(topic, settings))
    ]
    with admin(settings, bootstrap) as client:
        ends = client.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST))
    return unacknowledged(settings, bootstrap, {(one.topic, one.partition): end.offset for one, end in ends.items()})


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
