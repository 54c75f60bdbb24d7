"""Batches in which a passage's result cannot depend on its neighbours: only passages of one padded length share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from models.passages import Tokens

Array = np.ndarray[Any, Any]


class Window(NamedTuple):
    """What the encoder reads in one pass: token ids, a 1 for each token of a company, and the passages that it is read for.

    These are told by which of its tokens are of the company that is meant (`owns`) and by their numbers among all passages.
    """

    ids: list[int]
    marks: list[int]
    owns: list[list[int]]
    rows: list[int]


def windows(rows: Sequence[Tokens]) -> list[Window]:
    """Each different window of the passages once, in the order in which they first come."""
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], Window] = {}
    for row, tokens in enumerate(rows):
        window = found.setdefault((tuple(tokens.ids), tuple(tokens.marks)), Window(tokens.ids, tokens.marks, [], []))
        window.owns.append(tokens.own)
        window.rows.append(row)
    return list(found.values())


def padded_length(ids: Sequence[int], step: int) -> int:
    """The length of a passage padded to the next multiple of `step` tokens, which it alone decides."""
    return -(-len(ids) // step) * step


def bucketed(rows: Sequence[Tokens | Window], batch_size: int, step: int) -> Iterator[list[int]]:
    """Yield the row numbers of batches of one padded length each, at most `batch_size` rows; the shortest ones first."""
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for i, tokens in enumerate(rows):
        buckets[padded_length(tokens.ids, step)].append(i)
    for _, members in sorted(buckets.items()):
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


def pack(rows: Sequence[Tokens | Window]) -> dict[str, Array]:
    """The graph's inputs for passages of the same number of tokens."""
    return {
        "ids": np.array([row.ids for row in rows], dtype=np.int64),
        "marks": np.array([row.marks for row in rows], dtype=np.int64),
        "positions": np.arange(len(rows[0].ids)),
    }
