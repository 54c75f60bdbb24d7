"""One interface to the text model, on ONNX Runtime (CPU) and torch (CUDA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from models.passages import Passage
from squall.errors import UserError
from squall.settings import Settings


class TextScore(NamedTuple):
    """Calibrated probabilities, rounded to 4 digits: the same for a passage alone and in any batch."""

    sentiment: tuple[float, float, float]
    topic: tuple[float, ...]


class Engine(Protocol):
    """Scores passages. Thread safe; releases the GIL while it computes."""

    version: str
    sentiment_labels: tuple[str, ...]
    topic_labels: tuple[str, ...]

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        """Score passages of any length, the empty one included, in the order given."""
        ...


def load_engine(settings: Settings) -> Engine:
    """The engine that the settings ask for.

    Raises:
        UserError: the weights are missing or damaged, or a GPU was asked for that is not there.
    """
    raise UserError("no text model weights yet: run `squall train text`")
