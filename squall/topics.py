"""The topics: names, keys, layout; creating and checking them on a broker."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from squall.errors import UserError
from squall.records import Alert, Bar, Chart, DeadLetter, Mention, MoodChange, News, Record, Scores, Tick
from squall.settings import Settings

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
LISTED_LIMIT_S = 30.0

Partitions = Literal["settings", 1]


class TopicError(UserError):
    """A topic is missing or laid out otherwise than the settings say; the message says what to do."""


@dataclass(frozen=True)
class Topic:
    """A topic of the product; its name on the broker has the namespace before it."""

    name: str
    key: str
    records: tuple[type[Record], ...]
    partitions: Partitions = "settings"

    def on_broker(self, settings: Settings) -> str:
        """Name of the topic on the broker, e.g. `demo.squall.news`."""
        return f"{settings.namespace}.{self.name}" if settings.namespace else self.name


NEWS = Topic("squall.news", "article id", (News, Tick))
PRICES = Topic("squall.prices", "ticker", (Bar,))
CHARTS = Topic("squall.charts", "ticker", (Chart,))
MENTIONS = Topic("squall.mentions", "company, or article id where there is none", (Mention, Tick))
SCORES = Topic("squall.scores", "none", (Scores,), 1)
MOOD = Topic("squall.mood", "none", (MoodChange,), 1)
ALERTS = Topic("squall.alerts", "incident id", (Alert,), 1)
DEADLETTERS = Topic("squall.deadletters", "none", (DeadLetter,), 1)
TOPICS = (NEWS, PRICES, CHARTS, MENTIONS, SCORES, MOOD, ALERTS, DEADLETTERS)


def kafka_options(settings: Settings, bootstrap: str) -> dict[str, Any]:
    """Connection arguments that every kafka-python client takes."""
    kafka = settings.kafka
    options: dict[str, Any] = {"bootstrap_servers": bootstrap.split(","), "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
    if kafka.ssl_cafile:
        options["ssl_cafile"] = str(kafka.ssl_cafile)
    return options


@contextmanager
def admin(settings: Settings, bootstrap: str) -> Iterator["KafkaAdminClient"]:
    """An admin client, closed at the end."""
    from kafka.admin import KafkaAdminClient

    client = KafkaAdminClient(**kafka_options(settings, bootstrap))
    try:
        yield client
    finally:
        client.close()


def wanted_partitions(topic: Topic, settings: Settings) -> int:
    """How many partitions the settings ask for."""
    return settings.kafka.partitions if topic.partitions == "settings" else topic.partitions


def create_topics(settings: Settings, bootstrap: str) -> list[str]:
    """Create the topics that are missing; returns their names on the broker."""
    from kafka.admin import NewTopic
    from kafka.errors import TopicAlreadyExistsError

    created = []
    with admin(settings, bootstrap) as client:
        existing = set(client.list_topics())
        for topic in TOPICS:
            name = topic.on_broker(settings)
            if name in existing:
                continue
            new = NewTopic(
                name,
                wanted_partitions(topic, settings),
                settings.kafka.replication_factor,
                topic_configs={"max.message.bytes": str(MAX_MESSAGE_BYTES)},
            )
            try:
                client.create_topics([new])
                created.append(name)
            except TopicAlreadyExistsError:
                continue
        _wait_listed(client, {topic.on_broker(settings) for topic in TOPICS})
    return created


def _wait_listed(client: "KafkaAdminClient", names: set[str]) -> None:
    """Wait until the broker lists new topics; a real Kafka does so a moment after it has made them."""
    end = time.monotonic() + LISTED_LIMIT_S
    while missing := names.difference(client.list_topics()):
        if time.monotonic() > end:
            raise TopicError(f"topic {min(missing)} was created and the broker does not list it: look at the broker's log")
        time.sleep(0.05)


def check_topics(settings: Settings, bootstrap: str) -> None:
    """Verify that every topic is there with the partitions that the settings ask for.

    Raises:
        TopicError: naming the first topic that differs, and what to do.
    """
    with admin(settings, bootstrap) as client:
        existing = set(client.list_topics())
        for topic in TOPICS:
            name = topic.on_broker(settings)
            if name not in existing:
                raise TopicError(f"topic {name} is missing: run `squall topics create`")
            found = len(client.describe_topics([name])[0]["partitions"])
            wanted = wanted_partitions(topic, settings)
            if found != wanted:
                raise TopicError(
                    f"topic {name} has {found} partitions and the settings ask for {wanted}: "
                    f"set SQUALL_KAFKA__PARTITIONS={found}, or make the topic anew "
                    "(keys would move, so partitions are never added in place)"
                )


def delete_topics(settings: Settings, bootstrap: str) -> None:
    """Delete the topics of a namespace."""
    with admin(settings, bootstrap) as client:
        existing = set(client.list_topics())
        if names := [name for topic in TOPICS if (name := topic.on_broker(settings)) in existing]:
            client.delete_topics(names)


def json_schema(topic: Topic) -> dict[str, Any]:
    """JSON Schema of the records on a topic."""
    (schema,), components = msgspec.json.schema_components([_union(topic.records)])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic.name,
        **schema,
        "$defs": {name.removeprefix("#/components/schemas/"): body for name, body in components.items()},
    }


def _union(kinds: tuple[type[Record], ...]) -> Any:
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union
