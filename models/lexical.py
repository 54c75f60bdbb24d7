"""A linear classifier over a text's tokens and their pairs, which adds its logits to those of the topic head.

Wide beside deep (Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016): an encoder of this size forgets names and
fixed phrases that a linear classifier remembers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.passages import Tokens

Array = np.ndarray[Any, Any]

BUCKETS = 2**16
VOCABULARY = 30_522
"""Tokens of the base encoder; their pairs share the buckets above them."""
TENSORS = ("lexical.rarity", "lexical.weight", "lexical.bias")


def buckets(tokens: Tokens) -> Array:
    """Numbers of a text's tokens and pairs of neighbours, each once, ascending, int64. The marks of a company play no part."""
    ids = np.asarray(tokens.ids, dtype=np.int64)
    pairs = (ids[:-1] * 1_000_003 + ids[1:] * 31 + 7) % (BUCKETS - VOCABULARY) + VOCABULARY
    return np.unique(np.concatenate([ids[1:-1], pairs]))


class LexicalHead:
    """The classifier: values are the buckets' rarities, scaled to length one; `weight` (BUCKETS, classes), `bias` (classes,)."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._rarity, self._weight, self._bias = (tensors[name].astype(np.float32) for name in TENSORS)

    def logits(self, rows: Sequence[Tokens]) -> Array:
        """Logits (rows, classes), each row's by itself."""
        made = np.empty((len(rows), len(self._bias)), dtype=np.float32)
        for place, tokens in enumerate(rows):
            numbers = buckets(tokens)
            values = self._rarity[numbers]
            length = max(float(np.sqrt((values * values).sum())), 1e-6)
            made[place] = (values[:, None] * self._weight[numbers]).sum(axis=0) / length + self._bias
        return made
