"""How a text model is asked about the mentions of a batch, so that a text it cannot bear costs that mention alone."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.engine import Engine, TextScore
from models.passages import Passage
from squall.records import Mention
from streams.runtime import brief

Answer = tuple[TextScore, np.ndarray[Any, Any] | None]
"""What a model says of a text, and the vector that the fused model reads, where there is one that does."""
Ask = Callable[[Sequence[Passage]], Sequence[Answer]]

PROBE = Passage("The company reports results.")


def without_vectors(model: Engine) -> Ask:
    """A model of whose texts no vectors are wanted."""
    return lambda passages: [(score, None) for score in model.score(passages)]


def answers_of(ask: Ask, mentions: Sequence[Mention]) -> list[Answer | str]:
    """What the model says of each text; where it raises on one, why, in a line."""
    answers = _bisected(ask, [Passage(mention.text, mention.span, mention.others) for mention in mentions])
    if any(isinstance(answer, str) for answer in answers):
        # A model that fails on any text is no row's fault: raise what it raises, and keep the batch.
        ask([PROBE])
    return answers


def _bisected(ask: Ask, passages: Sequence[Passage]) -> list[Answer | str]:
    if not passages:
        return []
    try:
        return list(ask(passages))
    except Exception as error:
        if len(passages) == 1:
            return [f"the model failed: {brief(error)}"]
    half = len(passages) // 2
    return _bisected(ask, passages[:half]) + _bisected(ask, passages[half:])
