"""Texts as the linker reads them: normalised for matching, with the way back to the offsets of the original. Pure."""

import re
import unicodedata
from bisect import bisect_left
from functools import cached_property

SPACED = re.compile(r"[\s\u2010-\u2015\u2026\u2212-]")
QUOTES = "\u2018\u2019`\u00b4"
ENTITIES = {"&amp;": "&", "&#38;": "&", "&#39;": "'", "&apos;": "'", "&quot;": '"', "&nbsp;": " "}
UNEVEN = re.compile(f"{'|'.join(ENTITIES)}|[\u0300-\u036f]")
"""What is not one character for one: entities, and accents that stand apart from their letter."""
NOT_WORDS = re.compile(r"[^a-z0-9&']+")
CAPITALS = re.compile("[A-Z]")
SMALL = re.compile("[a-z]")
CAPITALISED = re.compile(r"\b[A-Za-z][A-Za-z'&]{3,}")
OPENING = re.compile(r"(?:^|[.!?:;|\u2022\n]|[\u2013\u2014-] )[\s\"'\u2018-\u201d(\[]*$|^(?:rt )?@\w+:?\s*$", re.IGNORECASE)


class _Fold(dict[int, str]):
    """A character's code -> the one character that stands for it; filled as characters come."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if SPACED.match(char):
            folded = " "
        elif char in QUOTES:
            folded = "'"
        else:
            plain = [part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part)]
            folded = (plain[0] if len(plain) == 1 else char).lower()[:1]
        self[code] = folded
        return folded


FOLD = _Fold()


def normalise(text: str) -> tuple[str, list[int] | None]:
    """Lower case, without accents, dashes as spaces, entities decoded.

    With it, for each of its characters and its end, the offset in `text`; None: they are the same.
    """
    if not UNEVEN.search(text):
        return text.translate(FOLD), None
    parts: list[str] = []
    offsets: list[int] = []
    at = 0
    for match in UNEVEN.finditer(text):
        char = ENTITIES.get(match[0], "")
        parts.append(text[at : match.start()] + char)
        offsets += [*range(at, match.start()), *[match.start()] * len(char)]
        at = match.end()
    offsets += range(at, len(text) + 1)
    return "".join([*parts, text[at:]]).translate(FOLD), offsets


class Segment:
    """A title or a body. `flat`: its capitals say nothing, because all or most words have them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.normal, self._offsets = normalise(text)

    def original(self, at: int) -> int:
        """Offset in the text of an offset in the normalised text."""
        return at if self._offsets is None else self._offsets[at]

    def normal_at(self, at: int) -> int:
        """Offset in the normalised text of an offset in the text."""
        return at if self._offsets is None else bisect_left(self._offsets, at)

    @cached_property
    def shouted(self) -> bool:
        """Whether it is written in capitals."""
        capitals = len(CAPITALS.findall(self.text))
        return capitals > 12 and capitals > 3 * len(SMALL.findall(self.text))

    @cached_property
    def flat(self) -> bool:
        """Whether most words are capitalised, as in many headlines."""
        words = CAPITALISED.findall(self.text)
        return self.shouted or (len(words) > 3 and sum(word[0].isupper() for word in words) > 0.75 * len(words))

    @cached_property
    def padded(self) -> str:
        """Its words, each between spaces."""
        return f" {NOT_WORDS.sub(' ', self.normal)} ".replace("'s ", " ")

    def opens(self, at: int) -> bool:
        """Whether what begins at this offset of the text is the first of a sentence."""
        return OPENING.search(self.text[max(0, at - 40) : at] if at > 40 else self.text[:at]) is not None
