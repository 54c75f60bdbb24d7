"""What texts are about, as vectors: the text model's mean over the whole text, scaled to length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.passages import Passage

if TYPE_CHECKING:
    from models.engine import TextEngine


def meaning(engine: TextEngine, texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of length 1, float32 (texts, hidden): the larger the cosine of two, the more alike is what they tell."""
    means = engine.features([Passage(text) for text in texts])[:, 0]
    found: NDArray[np.float32] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return found
