"""How far the last week lies from the one before, as `squall drift` has measured it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboard.queries import Reader


@dataclass(frozen=True)
class Measured:
    """What was found for the week that ended with a day; of each measure name, about, value, change, usual, floor, alarm."""

    day: date
    model_version: str
    texts: int
    changes: Sequence[Mapping[str, Any]]


def latest(reader: Reader) -> Measured | None:
    """The newest that was measured; None: nothing was."""
    rows = reader.rows(Measured, "SELECT day, model_version, texts, changes FROM drift ORDER BY day DESC LIMIT 1")
    return rows[0] if rows else None
