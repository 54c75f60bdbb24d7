"""Which model serves: aliases, promotions, and what each worker has in use."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


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
    verdict: Mapped[dict[str, Any] | None]
    """What the gate said of it last, as `pipelines.learning.gate.Verdict.plain`."""
    judged_at: Mapped[datetime | None]
    __table_args__ = (Index("model_version_number", "number", unique=True),)


class ModelAlias(Base):
    """A version under a name that stays: `champion` is the one that serves, `challenger` the one that may follow it, `next` the
    one that a promotion in hand lets workers open."""

    __tablename__ = "model_alias"
    alias: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(ForeignKey("model_version.version"))
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class ModelEpoch(Base):
    """Which version scores the mentions of an event minute: that of the last row that is not later."""

    __tablename__ = "model_epoch"
    since: Mapped[datetime] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(ForeignKey("model_version.version"))


class Promotion(Base):
    """The audit of what became champion: who made it so, when and why, and what was known of both versions then."""

    __tablename__ = "promotion"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    kind: Mapped[str]
    """`first`, `promote` or `rollback`."""
    reason: Mapped[str]
    from_version: Mapped[str | None]
    to_version: Mapped[str]
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Of both versions, by version."""
    verdict: Mapped[dict[str, Any] | None]
    """What the comparison before it said; None: there was none."""


class ServingModel(Base):
    """What a worker serves, as it last said; `refused` is a version that it would not take, and why."""

    __tablename__ = "serving_model"
    worker: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    since: Mapped[datetime]
    pinned: Mapped[bool]
    """Its settings name a folder: it follows no promotion."""
    refused: Mapped[str | None]
    error: Mapped[str | None]
    ready: Mapped[str | None]
    """The version that it has opened for a promotion in hand."""
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ShadowModel(Base):
    """A challenger that scores in the champion's shadow, and what it failed with last."""

    __tablename__ = "shadow_model"
    version: Mapped[str] = mapped_column(ForeignKey("model_version.version"), primary_key=True)
    worker: Mapped[str]
    error: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
