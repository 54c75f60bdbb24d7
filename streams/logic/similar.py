"""How alike two incidents are by the words of their headlines. Pure."""

import re
from collections.abc import Iterable

_WORD = re.compile(r"[a-z][a-z'’-]{2,}")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """the and for with from that this after over into its their has have had was were are will would says said say new more
        than about amid out off not but inc corp company shares stock""",
    )
)
LEAST = 0.1
"""Overlap from which incidents are called similar."""


def words_of(headlines: Iterable[str], without: Iterable[str] = ()) -> frozenset[str]:
    """The words of some headlines that tell what happened.

    Args:
        without: names, such as the company's own, whose words say nothing of it.
    """
    names = {word for name in without for word in _WORD.findall(name.lower())}
    return frozenset(word for headline in headlines for word in _WORD.findall(headline.lower())) - _COMMON - names


def likeness(left: frozenset[str], right: frozenset[str]) -> float:
    """Share of their words that two incidents have in common (Jaccard), to 4 digits; 0 where one has none."""
    return round(len(left & right) / len(left | right), 4) if left and right else 0.0
