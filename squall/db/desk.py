"""The tables of what people do at the dashboard: labels and the queue of what is to be labelled."""

from datetime import datetime

from sqlalchemy import BigInteger, Float, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


class LabelTask(Base):
    """A mention that a queue asks a person about."""

    __tablename__ = "label_task"
    queue: Mapped[str] = mapped_column(primary_key=True)
    """`uncertain`, `disagree` or `random`."""
    mention_id: Mapped[str] = mapped_column(primary_key=True)
    event_time: Mapped[datetime]
    model_version: Mapped[str]
    priority: Mapped[float] = mapped_column(Float(53))
    """The higher the earlier."""
    wanted: Mapped[int] = mapped_column(server_default=text("1"))
    """Labellers that it asks for; two for a part, so that their agreement is known."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (Index("label_task_next", "queue", "priority"),)


class Label(Base):
    """What a person said of a mention. What they took back stays, marked."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    mention_id: Mapped[str]
    event_time: Mapped[datetime]
    queue: Mapped[str]
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
