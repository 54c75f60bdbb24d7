"""What models say of mentions, and the mood that it adds up to."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


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


class MoodSums:
    """What is summed over the mentions of a scope."""

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


class Mood(MoodSums, Base):
    """Sums a scope and minute; `late` rows hold what came after the minute was decided, and never move a decision."""

    __tablename__ = "mood"
    scope: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    late: Mapped[bool] = mapped_column(primary_key=True)
    __table_args__ = (Index("mood_minute", "minute"), {"postgresql_partition_by": "RANGE (minute)"})


class MoodDay(MoodSums, Base):
    """The mood's sums a scope and day in UTC, late ones among them: moved in the transaction that moves `mood`."""

    __tablename__ = "mood_day"
    scope: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[datetime] = mapped_column(primary_key=True)
    """Its first instant."""
