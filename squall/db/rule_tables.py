"""The tables of rules, silences and watch-lists, and of what the detector keeps."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


class RuleSet(Base):
    """A version of the rules; in force from a minute until the next one's. `lists` holds the watch-lists as they stood then."""

    __tablename__ = "rule_set"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    version: Mapped[str]
    body: Mapped[str]
    lists: Mapped[dict[str, Any]]
    effective_at: Mapped[datetime] = mapped_column(index=True)
    author: Mapped[str]
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Silence(Base):
    """Incidents of scopes that match `pattern` tell nobody in [starts_at, until), unless it was ended before. Event times."""

    __tablename__ = "silence"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pattern: Mapped[str]
    starts_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    author: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class Watchlist(Base):
    """Companies under a name that rules can go by."""

    __tablename__ = "watchlist"
    name: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WatchlistMember(Base):
    """A company of a watch-list, with what it weighs there (1: as any other)."""

    __tablename__ = "watchlist_member"
    watchlist: Mapped[str] = mapped_column(ForeignKey("watchlist.name", ondelete="CASCADE"), primary_key=True)
    company_id: Mapped[str] = mapped_column(primary_key=True)
    weight: Mapped[float] = mapped_column(Float(53))


class DetectorState(Base):
    """What a detector keeps, as it stood after a minute."""

    __tablename__ = "detector_state"
    name: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime]
    state: Mapped[bytes]


class DecidedMinute(Base):
    """What a decided minute brought by scope, kept until the detector's state holds it."""

    __tablename__ = "decided_minute"
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    arrivals: Mapped[dict[str, Any]]


class LeadLag(Base):
    """What the last run of `squall leadlag` found of a company: whether its mood or its price (`leads`) came first by `lag`."""

    __tablename__ = "lead_lag"
    company_id: Mapped[str] = mapped_column(primary_key=True)
    leads: Mapped[str] = mapped_column(primary_key=True)
    lag: Mapped[int] = mapped_column(primary_key=True)
    order: Mapped[int]
    sessions: Mapped[int]
    coefficient: Mapped[float] = mapped_column(Float(53))
    p: Mapped[float] = mapped_column(Float(53))
    q: Mapped[float] = mapped_column(Float(53))
    """p after Benjamini-Hochberg over companies and lags."""
    first: Mapped[datetime]
    last: Mapped[datetime]
    later_sessions: Mapped[int]
    later_p: Mapped[float | None] = mapped_column(Float(53))
    confirmed: Mapped[bool]
    computed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Calibration(Base):
    """Where the alarm line of a family of scopes stands from the minute `since` on, until a later one of that family. Rows are
    only ever added: what decided a minute stays known."""

    __tablename__ = "calibration"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)
    family: Mapped[str]
    """`companies` or `wider`."""
    budget: Mapped[float] = mapped_column(Float(53))
    """False incidents a day over the family that the line was sought for."""
    value: Mapped[float] = mapped_column(Float(53))
    """log10 of what the line is multiplied by that the bound for this budget gives."""
    first: Mapped[datetime]
    last: Mapped[datetime]
    """The history [first, last] that it was measured on."""
    judged_days: Mapped[int]
    """Days of it that were judged, each counted once; those before only taught the baselines."""
    plays: Mapped[int]
    """So often they were played, in another order each time."""
    allowed: Mapped[int]
    """Incidents that all plays may have had together: the budget's, less an allowance for the sampling error."""
    counted: Mapped[int]
    """Incidents that they had at this line."""
    detector: Mapped[str]
    """Version and settings of the detector; another one is not calibrated by it."""
    author: Mapped[str]
    computed_at: Mapped[datetime] = mapped_column(server_default=func.now())
