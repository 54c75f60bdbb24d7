"""What people say of scored news at the dashboard."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


class Label(Base):
    """What a person said of a mention. What they took back stays, marked."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    mention_id: Mapped[str]
    event_time: Mapped[datetime]
    queue: Mapped[str]
    """How it was chosen: `uncertain`, `disagree` or `random`; only what was chosen at random is a fair sample."""
    labeller: Mapped[str]
    sentiment: Mapped[str]
    topic: Mapped[str | None]
    """None: the labeller left the model's as it is."""
    company_id: Mapped[str | None]
    """The company that it is about; None: about none, or left as it is where `company_kept`."""
    company_kept: Mapped[bool]
    model_version: Mapped[str]
    labelled_at: Mapped[datetime] = mapped_column(server_default=func.now())
    undone_at: Mapped[datetime | None]
    __table_args__ = (
        Index("label_once", "mention_id", "labeller", unique=True, postgresql_where=text("undone_at IS NULL")),
        Index("label_time", "labelled_at"),
    )
