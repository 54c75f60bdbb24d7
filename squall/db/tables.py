"""The base of all tables, and those of companies, news, prices and sources.

All live in the schema of their namespace; `mention`, `score` and `mood` are partitioned by month of their time.

Amounts that are added up are integers in millionths, so that sums are exact in any order.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    REAL,
    BigInteger,
    Computed,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ARTICLE_WORDS = "setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', \"left\"(body, 20000)), 'B')"
PARTITIONED = {"mention": "event_time", "score": "event_time", "mood": "minute"}


class Base(DeclarativeBase):
    """Base of all tables; times carry zones, text is unbounded."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
        bytes: LargeBinary(),
    }


class Company(Base):
    """A company under its permanent id."""

    __tablename__ = "company"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sector: Mapped[str | None]
    country: Mapped[str | None]


class Listing(Base):
    """A ticker of a company, with the days on which it was in use."""

    __tablename__ = "listing"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    company_id: Mapped[str] = mapped_column(ForeignKey("company.id", ondelete="CASCADE"), index=True)
    ticker: Mapped[str] = mapped_column(index=True)
    exchange: Mapped[str | None]
    since: Mapped[date | None]
    until: Mapped[date | None]


class Article(Base):
    """An article as it stands after its latest revision; its times are those of its first sight."""

    __tablename__ = "article"
    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    guid: Mapped[str]
    url: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    language: Mapped[str]
    tickers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    published_at: Mapped[datetime]
    fetched_at: Mapped[datetime]
    event_time: Mapped[datetime]
    delayed: Mapped[bool]
    revision: Mapped[int]
    retracted: Mapped[bool]
    signature: Mapped[bytes]
    parent_id: Mapped[str | None]
    """The earliest earlier article that this one repeats; None: it begins its story."""
    story_id: Mapped[str]
    rank: Mapped[int]
    """Articles of its story before it, by (event time, id)."""
    frozen: Mapped[dict[str, Any] | None]
    """Title and URL as they stood when its minute was decided, where a correction changed them later."""
    ingested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    words: Mapped[str | None] = mapped_column(TSVECTOR, Computed(ARTICLE_WORDS, persisted=True), deferred=True)
    """For the search; a body is read as far as its vector surely fits."""
    __table_args__ = (
        Index("article_story", "story_id", "event_time"),
        Index("article_time", "event_time"),
        Index("article_source", "source", "event_time"),
        Index("article_words", "words", postgresql_using="gin"),
    )


class Story(Base):
    """A cluster of near-repeats; its id is that of its first article."""

    __tablename__ = "story"
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    articles: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(index=True)


class StoryVector(Base):
    """What a story is about, as the text model puts it: the mean over its first article's text, of length 1."""

    __tablename__ = "story_vector"
    story_id: Mapped[str] = mapped_column(ForeignKey("story.id", ondelete="CASCADE"), primary_key=True)
    model_version: Mapped[str]
    """Only vectors of one version can be compared."""
    first_at: Mapped[datetime] = mapped_column(index=True)
    vector: Mapped[list[float]] = mapped_column(ARRAY(REAL))


class StoryBand(Base):
    """Bands of the articles' MinHash signatures: two articles that share one may be one story."""

    __tablename__ = "story_band"
    band: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Number of the band and its hash in one."""
    article_id: Mapped[str] = mapped_column(primary_key=True)
    """No foreign key: its check would cost a fifth of intake's time."""
    event_time: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = (Index("story_band_article", "article_id"),)


class Mention(Base):
    """One article's mention of one company, or of none, as intake decided it."""

    __tablename__ = "mention"
    id: Mapped[str] = mapped_column(primary_key=True)
    event_time: Mapped[datetime] = mapped_column(primary_key=True)
    article_id: Mapped[str]
    story_id: Mapped[str]
    company_id: Mapped[str | None]
    sector: Mapped[str | None]
    span_start: Mapped[int | None]
    span_end: Mapped[int | None]
    others: Mapped[list[list[int]]] = mapped_column(ARRAY(Integer), server_default="{}")
    """Places of the article's other companies, as pairs of start and end."""
    relevance: Mapped[int] = mapped_column(SmallInteger)
    novelty: Mapped[int] = mapped_column(SmallInteger)
    credibility: Mapped[int] = mapped_column(SmallInteger)
    share: Mapped[int]
    sector_share: Mapped[int]
    revision: Mapped[int]
    decision: Mapped[int]
    withdrawn: Mapped[bool]
    known_at: Mapped[datetime | None]
    """Event time at which the newest decision became known: that of the correction that caused it; None: its own."""
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("mention_article", "article_id"),
        Index("mention_company", "company_id", "event_time"),
        Index("mention_time", "event_time"),
        Index("mention_redecided", "decided_at", postgresql_where=text("decision > 1")),
        {"postgresql_partition_by": "RANGE (event_time)"},
    )


class Bar(Base):
    """One bar of a company's prices."""

    __tablename__ = "bar"
    company_id: Mapped[str] = mapped_column(primary_key=True)
    interval: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    ticker: Mapped[str]
    open: Mapped[float] = mapped_column(Float(53))
    high: Mapped[float] = mapped_column(Float(53))
    low: Mapped[float] = mapped_column(Float(53))
    close: Mapped[float] = mapped_column(Float(53))
    volume: Mapped[float] = mapped_column(Float(53))
    available_at: Mapped[datetime]
    source: Mapped[str]
    ingested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("bar_available", "company_id", "interval", "available_at"),
        Index("bar_ingested", "ingested_at"),
    )


class Chart(Base):
    """A chart image of a company."""

    __tablename__ = "chart"
    id: Mapped[str] = mapped_column(primary_key=True)
    company_id: Mapped[str]
    interval: Mapped[str]
    end: Mapped[datetime]
    available_at: Mapped[datetime]
    image: Mapped[bytes]
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    source: Mapped[str]
    ingested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (Index("chart_available", "company_id", "available_at"),)


class DeadLetter(Base):
    """A message that could not be processed."""

    __tablename__ = "dead_letter"
    id: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str]
    partition: Mapped[int]
    message_offset: Mapped[int] = mapped_column(BigInteger)
    stage: Mapped[str]
    error: Mapped[str]
    key: Mapped[bytes | None]
    payload: Mapped[bytes]
    size: Mapped[int] = mapped_column(BigInteger, Computed("octet_length(payload)", persisted=True))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    redriven_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    """When a person at the dashboard asked for it to be sent again; a worker does so, and clears it."""
    asked_by: Mapped[str | None]
    __table_args__ = (Index("dead_letter_asked", "asked_at", postgresql_where=text("asked_at IS NOT NULL")),)


class Source(Base):
    """A source of items: where it stands, and how it is doing."""

    __tablename__ = "source"
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    address: Mapped[str]
    credibility: Mapped[int] = mapped_column(server_default=text("100"))
    position: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """ETag, Last-Modified or cursor; moved only after the broker had acknowledged what came before."""
    items: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_item_at: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    last_error_at: Mapped[datetime | None]


class Cursor(Base):
    """Up to which event minute something has been done: `watch` decided, `replay-end` is the last time record of a replay."""

    __tablename__ = "cursor"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Watermark(Base):
    """The last time record that came from a partition of squall.news through a partition of squall.mentions."""

    __tablename__ = "watermark"
    news_partition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mentions_partition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())
