"""Which words of a text made its score: what changes when each is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from models.passages import Passage, crop

if TYPE_CHECKING:
    from models.engine import Engine, TextScore

WORD = re.compile(r"\S+")
MOST = 64
"""So many parts of a text are left out in turn; of a longer one, a part is several words."""

STRONG = 0.05
"""A word that moves the sentiment by less is shown plainly."""


class Word(NamedTuple):
    """A part of the text, as character offsets, and what the score owes to it.

    `tone` is the change of P(positive) - P(negative), -2 to 2: a word below 0 speaks for a negative sentiment. `topic` is the
    change of the probability of the text's topic, -1 to 1.
    """

    start: int
    end: int
    tone: float
    topic: float


class Explanation(NamedTuple):
    """The score of a whole text and its words in reading order."""

    score: TextScore
    words: list[Word]


def explain(engine: Engine, passage: Passage) -> Explanation:
    """Leave out each part of a text in turn and score all in one call (occlusion, Zeiler and Fergus 2014, on words).

    The company's own name is never left out, since the question is what is said of it; those of others are, like any word, and
    their places stay, since a word leaves spaces behind. Only what the model reads of a very long text is explained. Words that
    say the same twice hide each other: each alone changes little.
    """
    read = crop(passage)
    offset = 0 if passage.text == read.text else passage.text.index(read.text)
    parts = _parts(read)
    whole, *without = engine.score([read, *(_left_out(read, part) for part in parts)])
    topic = max(range(len(whole.topic)), key=whole.topic.__getitem__)
    words = [
        Word(start + offset, end + offset, round(_tone(whole) - _tone(one), 4), round(whole.topic[topic] - one.topic[topic], 4))
        for (start, end), one in zip(parts, without, strict=True)
    ]
    return Explanation(whole, words)


def _parts(passage: Passage) -> list[tuple[int, int]]:
    """Ranges of characters that cover every word but the company's name, at most about MOST of them."""
    found = [match.span() for match in WORD.finditer(passage.text)]
    if passage.span:
        first, last = passage.span
        found = [(start, end) for start, end in found if end <= first or start >= last]
    size = -(-len(found) // MOST)
    return [part for start in range(0, len(found), size or 1) for part in _joined(found[start : start + size], passage.span)]


def _joined(words: Sequence[tuple[int, int]], span: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Neighbouring words as one part, or two where the company's name stands between them."""
    before = [word for word in words if span is None or word[1] <= span[0]]
    after = words[len(before) :]
    return [(part[0][0], part[-1][1]) for part in (before, after) if part]


def _left_out(passage: Passage, part: tuple[int, int]) -> Passage:
    start, end = part
    return passage._replace(text=passage.text[:start] + " " * (end - start) + passage.text[end:])


def _tone(score: TextScore) -> float:
    negative, _, positive = score.sentiment
    return positive - negative
