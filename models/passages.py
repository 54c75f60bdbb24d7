"""What the text model reads: a text with its companies marked, one of them meant, cut to a window of tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tokenizers import Encoding

URL = re.compile(r"https?://\S+")
MAX_TOKENS = 128
MAX_CHARS = 4_000
"""Of a longer text only this many characters around the company are tokenised; 128 tokens never need more."""


Span = tuple[int, int]
"""A place in a text, as character offsets."""


class Passage(NamedTuple):
    """A text, where in it the company stands that is meant (None: none is), and where others do.

    The passages of one text that differ in nothing but which of its companies is meant are read in one pass.
    """

    text: str
    span: Span | None = None
    others: tuple[Span, ...] = ()


def places(pairs: Iterable[Sequence[int]]) -> tuple[Span, ...]:
    """Places as a database or a file gives them, as lists of start and end."""
    return tuple((start, end) for start, end in pairs)


def stored_passage(text: str, start: int | None, end: int | None, others: Iterable[Sequence[int]]) -> Passage:
    """The passage that a mention's columns in the database stand for."""
    return Passage(text, None if start is None or end is None else (start, end), places(others))


class Tokens(NamedTuple):
    """One encoded passage: token ids with [CLS] and [SEP], a 1 for each token of a company, and for each of the one meant."""

    ids: list[int]
    marks: list[int]
    own: list[int]


def blank_urls(text: str) -> str:
    """Replace URLs by spaces, and what is no valid Unicode by question marks, so that character offsets stay valid."""
    return URL.sub(lambda match: " " * len(match.group()), text).encode("utf-8", "replace").decode("utf-8")


def crop(passage: Passage) -> Passage:
    """Cut a very long text to MAX_CHARS characters that hold the start of the text or, if it is further on, the company."""
    text, span, others = passage
    if len(text) <= MAX_CHARS:
        return passage
    start = 0 if span is None or span[1] <= MAX_CHARS else max(0, span[0] - MAX_CHARS // 2)
    moved = None if span is None else (span[0] - start, min(span[1] - start, MAX_CHARS))
    near = tuple((a - start, b - start) for a, b in others if start <= a and b <= start + MAX_CHARS)
    return Passage(text[start : start + MAX_CHARS], moved, near)


def token_window(marked: Sequence[int], room: int) -> tuple[int, int]:
    """The range of tokens to keep: the first `room` ones, or as many centred on the company when it lies beyond them."""
    count = len(marked)
    if count <= room:
        return 0, count
    first = next((i for i, mark in enumerate(marked) if mark), 0)
    last = first + sum(marked[first : first + room])
    if last <= room:
        return 0, room
    start = min(max(0, (first + last - room) // 2), count - room)
    return start, start + room


class PassageEncoder:
    """Turns passages into token ids with companies marked. Thread safe: it holds nothing that changes."""

    def __init__(self, tokenizer_file: Path, max_tokens: int = MAX_TOKENS) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._room = max_tokens - 2
        self._cls, self._sep = self._tokenizer.encode("").ids

    def __call__(self, passages: Sequence[Passage]) -> list[Tokens]:
        """Encode each passage; texts that occur more than once are tokenised once."""
        cropped = [crop(passage) for passage in passages]
        places = {text: i for i, text in enumerate(dict.fromkeys(passage.text for passage in cropped))}
        encodings = self._tokenizer.encode_batch([blank_urls(text) for text in places], add_special_tokens=False)
        return [self._tokens(encodings[places[passage.text]], passage) for passage in cropped]

    def _tokens(self, encoding: Encoding, passage: Passage) -> Tokens:
        ids: list[int] = encoding.ids
        own = touched(encoding, [passage.span] if passage.span else [], len(passage.text))
        companies = touched(encoding, passage.others, len(passage.text)) if passage.others else own
        start, stop = token_window(own, self._room)
        marks = [max(pair) for pair in zip(own[start:stop], companies[start:stop], strict=True)]
        return Tokens([self._cls, *ids[start:stop], self._sep], [0, *marks, 0], [0, *own[start:stop], 0])


def touched(encoding: Encoding, spans: Sequence[Span], length: int) -> list[int]:
    """A 1 for each token that shares a character with one of the spans, in a text of that length."""
    marks = [0] * len(encoding.ids)
    for begin, end in spans:
        for place in range(max(0, begin), min(end, length)):
            if (token := encoding.char_to_token(place)) is not None:
                marks[token] = 1
    return marks
