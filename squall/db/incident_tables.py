"""Incidents, their audit, and the notifications that they cause."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base

OPEN_STATES = ("pending", "firing", "acknowledged")


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
