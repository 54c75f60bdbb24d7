"""Batches in which a passage's result cannot depend on its neighbours: only passages of one padded length share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models.passages import Tokens

Array = np.ndarray[Any, Any]


def padded_length(tokens: Tokens, step: int) -> int:
    """The length of a passage padded to the next multiple of `step` tokens, which it alone decides."""
    return -(-len(tokens.ids) // step) * step


def bucketed(rows: Sequence[Tokens], batch_size: int, step: int) -> Iterator[list[int]]:
    """Yield the row numbers of batches of one padded length each, at most `batch_size` rows; the shortest ones first."""
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for i, tokens in enumerate(rows):
        buckets[padded_length(tokens, step)].append(i)
    for _, members in sorted(buckets.items()):
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


def pack(rows: Sequence[Tokens]) -> dict[str, Array]:
    """The graph's inputs for passages of the same number of tokens."""
    marks = np.array([row.marks for row in rows], dtype=np.int64)
    pool = np.ones((len(rows), 2, marks.shape[1]), dtype=np.float32)
    company = marks.any(axis=1)
    pool[company, 1] = marks[company]
    pool /= pool.sum(axis=2, keepdims=True)
    return {
        "ids": np.array([row.ids for row in rows], dtype=np.int64),
        "marks": marks,
        "positions": np.arange(marks.shape[1]),
        "pool": pool,
    }
