"""A database with an empty schema, and a stand-in for the text model, for the tests of single agents."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from models.engine import TextScore
from models.passages import Passage
from squall.db import migrate
from squall.db.engine import make_engine
from squall.db.tables import Base
from squall.embedded import running
from squall.records import MILLION, Mention, Record, encode, mention_id
from squall.settings import Settings
from squall.topics import MENTIONS
from streams.runtime import Context, Message

START = datetime(2015, 3, 2, tzinfo=UTC)
TOPICS = ("Earnings", "M&A | Investments", "Stock Movement")


class StandIn:
    """Says negative or positive by a word of the text, and remembers how many texts it was asked for."""

    sentiment_labels: tuple[str, ...] = ("negative", "neutral", "positive")
    topic_labels: tuple[str, ...] = TOPICS

    def __init__(self, version: str = "stand-in-1") -> None:
        self.version = version
        self.asked: list[str] = []
        self.broken = False

    def of(self, _version: str | None) -> "StandIn":
        """As the models that a worker holds: this one, whichever is wanted."""
        return self

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        if self.broken or any("unbearable" in passage.text for passage in passages):
            raise RuntimeError("no answer to that")
        self.asked += [passage.text for passage in passages]
        return [self._one(passage.text) for passage in passages]

    def _one(self, text: str) -> TextScore:
        topic = tuple(0.8 if number == len(text) % 3 else 0.1 for number in range(3))
        if "falls" in text:
            return TextScore((0.9, 0.0667, 0.0333), topic)
        if "gains" in text:
            return TextScore((0.0312, 0.1, 0.8688), topic)
        return TextScore((0.1, 0.8, 0.1), topic)


@contextmanager
def stage(home: Path, **settings: Any) -> Iterator[Context]:
    """A schema of its own, with partitions for the spring of 2015."""
    chosen = Settings(home=home, **{"namespace": "stage", **settings})
    with running(chosen, broker=False) as services:
        engine = make_engine(chosen, services.database_url)
        migrate.upgrade(engine, chosen, START - timedelta(days=40), START + timedelta(days=120))
        try:
            yield Context(chosen, engine)
        finally:
            migrate.drop(engine, chosen)
            engine.dispose()


COMPANIES = {
    "boeing": ("Boeing", "industrials"),
    "corvo": ("Corvo", "utilities"),
    "deere": ("Deere", "industrials"),
    "ibm": ("IBM", None),
}


def empty(context: Context, *companies: str) -> None:
    """Leave no row in any table but those of these companies."""
    with context.engine.begin() as connection:
        connection.execute(sql(f"TRUNCATE {', '.join(Base.metadata.tables)} CASCADE"))
        for key in companies:
            name, sector = COMPANIES[key]
            row = {"id": key, "name": name, "sector": sector}
            connection.execute(sql("INSERT INTO company VALUES (:id, :name, :sector, 'US')"), row)


def mention(article: str, text: str = "Boeing falls", *, minute: float = 0, **fields: Any) -> Mention:
    """A mention of Boeing, `minute` minutes after the start."""
    values: dict[str, Any] = {
        "company_id": "boeing",
        "sector": "industrials",
        "story_id": article,
        "relevance": 90,
        "novelty": 100,
        "event_time": START + timedelta(minutes=minute),
    }
    values |= fields
    return Mention(id=mention_id(article, values["company_id"]), article_id=article, text=text, **values)


def messages(*found: Record, partition: int = 0, first: int = 0) -> list[Message]:
    """Records as they lie on squall.mentions."""
    return [Message(MENTIONS.name, partition, first + number, None, encode(record)) for number, record in enumerate(found)]


def store_decisions(context: Context, mentions: Sequence[Mention]) -> None:
    """What intake would have stored before it sent these mentions."""
    article = """
        INSERT INTO article (id, source, guid, url, title, body, language, tickers, published_at, fetched_at, event_time, delayed,
                             revision, retracted, signature, parent_id, story_id, rank)
        VALUES (%(article_id)s, 'Harbour Wire', %(article_id)s, 'https://news.example/' || %(article_id)s, %(text)s, '',
                'en', '{}',
                %(event_time)s, %(event_time)s, %(event_time)s, false, %(revision)s, false, '', NULL, %(story_id)s, 0)
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, story_id = excluded.story_id
    """
    columns = (
        "id event_time article_id story_id company_id sector span_start span_end others relevance novelty credibility share "
        "sector_share revision decision withdrawn"
    ).split()
    row = (
        f"INSERT INTO mention ({', '.join(columns)}) VALUES ({', '.join(f'%({name})s' for name in columns)})"
        f" ON CONFLICT (id, event_time) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns[2:])}"
    )
    with context.engine.begin() as connection:
        for one in mentions:
            start, end = one.span or (None, None)
            stored = {"span_start": start, "span_end": end, "others": [list(place) for place in one.others]}
            values = {name: getattr(one, name) for name in (*columns, "text") if name not in stored} | stored
            connection.exec_driver_sql(article, values)
            connection.exec_driver_sql(row, values)


__all__ = ["MILLION", "START", "TOPICS", "StandIn", "mention", "messages", "stage", "store_decisions"]
