"""Batches in which a passage's result cannot depend on its neighbours: only passages of one length bucket share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models.passages import Tokens

Array = np.ndarray[Any, Any]

BUCKET = 16
"""Attention is padded to a multiple of this, which the passage's own number of tokens decides."""


def bucket_of(tokens: Tokens) -> int:
    """The padded length of a passage."""
    return -(-len(tokens.ids) // BUCKET) * BUCKET


def bucketed(rows: Sequence[Tokens], batch_size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield (padded length, row numbers) of batches that hold one bucket each, at most `batch_size` rows."""
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for i, tokens in enumerate(rows):
        buckets[bucket_of(tokens)].append(i)
    for width, members in sorted(buckets.items()):
        for start in range(0, len(members), batch_size):
            yield width, members[start : start + batch_size]


def pack(rows: Sequence[Tokens], width: int) -> dict[str, Array]:
    """The graph's inputs for passages of one bucket: tokens back to back, and where each stands when padded to `width`."""
    lengths = np.array([len(row.ids) for row in rows], dtype=np.int32)
    inside = np.arange(width) < lengths[:, None]
    places = np.flatnonzero(inside)
    slots = np.zeros(inside.shape, dtype=np.int64)
    slots[inside] = np.arange(places.size)
    marks = np.concatenate([np.array(row.marks, dtype=np.int64) for row in rows])
    pool = np.stack([inside, inside], axis=1).astype(np.float32)
    marked = np.zeros(inside.shape, dtype=np.float32)
    marked[inside] = marks
    company = marked.any(axis=1)
    pool[company, 1] = marked[company]
    pool /= pool.sum(axis=2, keepdims=True)
    return {
        "ids": np.concatenate([np.array(row.ids, dtype=np.int64) for row in rows]),
        "marks": marks,
        "positions": places % width,
        "places": places,
        "slots": slots,
        "lengths": lengths,
        "pool": pool,
    }
