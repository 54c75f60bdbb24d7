"""The tables. All live in the schema of their namespace; `mention`, `score` and `mood` are partitioned by month of their time.

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
    LargeBinary,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

OPEN_STATES = ("pending", "firing", "acknowledged")
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


class Score(Base):
    """What a model said of a mention, and the contribution to the mood that follows; one row a mention, which names its model.

    `company_id` to `withdrawn` copy the decision that the contribution was computed from, so that `mood` can be recounted from
    this table alone, and moved by new - old when a later decision arrives.
    """

    __tablename__ = "score"
    mention_id: Mapped[str] = mapped_column(primary_key=True)
    model_version: Mapped[str]
    event_time: Mapped[datetime] = mapped_column(primary_key=True)
    revision: Mapped[int]
    decision: Mapped[int]
    negative: Mapped[int]
    neutral: Mapped[int]
    positive: Mapped[int]
    """Probabilities of the sentiments in millionths."""
    topic: Mapped[str]
    topics: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """Probabilities of the topics in millionths, in the order of the model version's labels."""
    features: Mapped[dict[str, Any]]
    impact: Mapped[int | None]
    """P(the price falls less the market's over the next day) in millionths; None: no company, or no fused model that fits."""
    impact_model: Mapped[str | None]
    """Version of the fused model that said so."""
    impact_shares: Mapped[dict[str, Any] | None]
    """How far text, price and chart moved its logit, in millionths; null for one that was absent."""
    company_id: Mapped[str | None]
    sector: Mapped[str | None]
    share: Mapped[int]
    sector_share: Mapped[int]
    undiluted: Mapped[int]
    """relevance x credibility in ten-thousandths; 0 for a withdrawn mention."""
    weight: Mapped[int]
    """undiluted x novelty, in millionths."""
    withdrawn: Mapped[bool]
    late: Mapped[bool]
    """It became known when its minute had been decided, or was to be."""
    frozen: Mapped[dict[str, Any] | None]
    """Probabilities, topic, weight and shares as they count for decisions, where something known later changed them."""
    scored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("score_company", "company_id", "event_time"),
        Index("score_time", "event_time"),
        {"postgresql_partition_by": "RANGE (event_time)"},
    )


class Rescore(Base):
    """What another model version says of a mention: of a backfill, apart from the score that stands and moves the mood."""

    __tablename__ = "rescore"
    mention_id: Mapped[str] = mapped_column(primary_key=True)
    model_version: Mapped[str] = mapped_column(primary_key=True)
    event_time: Mapped[datetime]
    revision: Mapped[int]
    negative: Mapped[int]
    neutral: Mapped[int]
    positive: Mapped[int]
    topic: Mapped[str]
    topics: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    scored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (Index("rescore_time", "model_version", "event_time"),)


class Mood(Base):
    """Sums a scope and minute; `late` rows hold what came after the minute was decided, and never move a decision."""

    __tablename__ = "mood"
    scope: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    late: Mapped[bool] = mapped_column(primary_key=True)
    mentions: Mapped[int]
    items: Mapped[int] = mapped_column(BigInteger)
    """Sum of the shares, millionths of an article."""
    negative: Mapped[int] = mapped_column(BigInteger)
    positive: Mapped[int] = mapped_column(BigInteger)
    """Sums of share x probability, millionths."""
    weight: Mapped[int] = mapped_column(BigInteger)
    """Sum of share x weight, millionths."""
    negative_weight: Mapped[int] = mapped_column(BigInteger)
    positive_weight: Mapped[int] = mapped_column(BigInteger)
    """Sums of share x weight x probability, millionths."""
    __table_args__ = (Index("mood_minute", "minute"), {"postgresql_partition_by": "RANGE (minute)"})


class MoodDay(Base):
    """The mood's sums a scope and day in UTC, late ones among them: moved in the transaction that moves `mood`."""

    __tablename__ = "mood_day"
    scope: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[datetime] = mapped_column(primary_key=True)
    """Its first instant."""
    mentions: Mapped[int]
    items: Mapped[int] = mapped_column(BigInteger)
    negative: Mapped[int] = mapped_column(BigInteger)
    positive: Mapped[int] = mapped_column(BigInteger)
    weight: Mapped[int] = mapped_column(BigInteger)
    negative_weight: Mapped[int] = mapped_column(BigInteger)
    positive_weight: Mapped[int] = mapped_column(BigInteger)


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


class Incident(Base):
    """A surge in a scope, under a rule, from its first minute to its end."""

    __tablename__ = "incident"
    id: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str]
    rule_version: Mapped[str]
    scope: Mapped[str]
    company_id: Mapped[str | None]
    state: Mapped[str]
    severity: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(index=True)
    """Event minutes, as all times of an incident."""
    fired_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    surprise: Mapped[float] = mapped_column(Float(53))
    peak_surprise: Mapped[float] = mapped_column(Float(53))
    threshold: Mapped[float] = mapped_column(Float(53))
    summary: Mapped[str]
    inputs: Mapped[dict[str, Any]]
    """What the decision was made from: frozen when it fired."""
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    context: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Beside the evidence, frozen with it: the price at that moment, who else is hit, similar past incidents."""
    holds_since: Mapped[datetime | None]
    """Since when the rule's conditions have held without a break; None: they do not."""
    calm_since: Mapped[datetime | None]
    """Since when it has been below its resolve level without a break; None: it is not."""
    told_at: Mapped[datetime | None]
    """Minute of the last notification; None: nobody was told."""
    parent_id: Mapped[str | None]
    """The incident of a wider scope that it is rolled up into."""
    verdict: Mapped[str | None]
    """What a person said of it: `false` for a false alarm."""
    __table_args__ = (
        Index("incident_open", "rule", "scope", unique=True, postgresql_where=text(f"state IN {OPEN_STATES}")),
        Index("incident_scope", "scope", "opened_at"),
    )


class IncidentEvent(Base):
    """The audit of an incident: every transition and every act of a person."""

    __tablename__ = "incident_event"
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    state: Mapped[str]
    actor: Mapped[str]
    detail: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Outbox(Base):
    """A notification to be delivered, written in the transaction of its cause."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    number: Mapped[int]
    """Number of the incident event that caused it."""
    channel: Mapped[str]
    group_key: Mapped[str] = mapped_column(server_default=text("''"))
    """Notifications of a group go out together."""
    interval_s: Mapped[int] = mapped_column(server_default=text("0"))
    """Seconds between two deliveries of a group at least."""
    batch: Mapped[str | None]
    """Those with the same batch are one delivery, and stay it when it is tried again."""
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    delivered_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    error: Mapped[str | None]
    __table_args__ = (
        Index("outbox_once", "incident_id", "number", "channel", unique=True),
        Index("outbox_group", "channel", "group_key", "delivered_at"),
        Index("outbox_due", "due_at", postgresql_where=text("delivered_at IS NULL AND dead_at IS NULL")),
    )


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


class ModelVersion(Base):
    """A model that is registered, or has scored something without being so (`number` is None then)."""

    __tablename__ = "model_version"
    version: Mapped[str] = mapped_column(primary_key=True)
    """Names exactly these weights, labels and calibration."""
    manifest: Mapped[dict[str, Any]]
    first_used_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    """None: it has scored nothing yet."""
    number: Mapped[int | None]
    url: Mapped[str | None]
    """Folder of its artifact: `shipped:text`, or an address that fsspec opens."""
    sha256: Mapped[str | None]
    """Of the manifest's file, which holds the hash of every other file."""
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime | None]
    created_by: Mapped[str | None]
    __table_args__ = (Index("model_version_number", "number", unique=True),)


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
