"""The tables of who may use the dashboard, and of who changed what."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


class UserAccount(Base):
    """A person who may log in."""

    __tablename__ = "user_account"
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str | None]
    """Argon2id, with its parameters; None: logs in elsewhere, by OIDC."""
    subject: Mapped[str | None] = mapped_column(unique=True)
    """Issuer and subject of a person whom an OIDC provider knows."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]


class LoginSession(Base):
    """A log-in that is in force until it expires; the browser holds the token, this table only its hash."""

    __tablename__ = "login_session"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("user_account.name", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Audit(Base):
    """One change by a person, or an attempt to log in; written in the transaction of what it tells."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    act: Mapped[str]
    """What was done to what kind of thing: `incident acknowledge`, `user add`."""
    subject: Mapped[str]
    """Id of the thing."""
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    address: Mapped[str]
    """Where the request came from; empty: the command line."""
    __table_args__ = (Index("audit_time", "at"), Index("audit_subject", "subject", "at"))
