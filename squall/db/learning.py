"""What the learning loop keeps in the database."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from squall.db.tables import Base


class Drift(Base):
    """How far the week that ended with a day lies from the one before."""

    __tablename__ = "drift"
    day: Mapped[date] = mapped_column(primary_key=True)
    """The last day of the week, in UTC."""
    model_version: Mapped[str]
    """The one that scored most of the week; its scores alone count for predictions and quality."""
    texts: Mapped[int]
    """Texts of the week that were looked at."""
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """Of each measure: name, about, value, change, usual, floor, alarm."""
    measured_at: Mapped[datetime] = mapped_column(server_default=func.now())
