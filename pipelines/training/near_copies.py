"""Find texts that are nearly the same: token sets with a high Jaccard similarity, by exact prefix filtering."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from models.passages import URL

WORD = re.compile(r"\w+")
THRESHOLD = 0.8


def token_set(text: str) -> frozenset[str]:
    """The different words of a text, case folded, URLs left out."""
    return frozenset(WORD.findall(URL.sub(" ", text).casefold()))


def near_pairs(left: Sequence[str], right: Sequence[str], threshold: float = THRESHOLD) -> Iterator[tuple[int, int]]:
    """Yield every (i, j) with Jaccard(left[i], right[j]) >= threshold; texts without any word match nothing.

    Two sets that similar must share one of the rarest |x| - ceil(threshold |x|) + 1 tokens of either, so only texts that
    share such a token are compared.
    """
    lefts, rights = [token_set(text) for text in left], [token_set(text) for text in right]
    frequency = Counter(token for tokens in (*lefts, *rights) for token in tokens)

    def prefix(tokens: frozenset[str]) -> list[str]:
        ordered = sorted(tokens, key=lambda token: (frequency[token], token))
        return ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + 1]

    index: defaultdict[str, list[int]] = defaultdict(list)
    for j, tokens in enumerate(rights):
        for token in prefix(tokens):
            index[token].append(j)
    for i, tokens in enumerate(lefts):
        for j in sorted({j for token in prefix(tokens) for j in index.get(token, ())}):
            shared = len(tokens & rights[j])
            if shared >= threshold * (len(tokens) + len(rights[j]) - shared):
                yield i, j


def near_groups(texts: Sequence[str], threshold: float = THRESHOLD, joined: Sequence[str] = ()) -> list[int]:
    """A group number for each text: near copies, and near copies of near copies, share one.

    Args:
        joined: a key for each text; texts of one key share a group, too. Empty: none.
    """
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, j: int) -> None:
        one, other = root(i), root(j)
        parent[max(one, other)] = min(one, other)

    first: dict[str, int] = {}
    for i, text in enumerate(texts):
        parent[i] = first.setdefault(text, i)
    unique = list(first.values())
    distinct = [texts[i] for i in unique]
    for a, b in near_pairs(distinct, distinct, threshold):
        join(unique[a], unique[b])
    head: dict[str, int] = {}
    for i, key in enumerate(joined):
        if key:
            join(i, head.setdefault(key, i))
    return [root(i) for i in range(len(texts))]
