"""Texts as the linker reads them: normalised for matching, with the way back to the offsets of the original. Pure."""

import re
import unicodedata
from bisect import bisect_left
from functools import cached_property

SPACES = {ord(char): " " for char in "\n\t\r-"}
FOLD = {ord("’"): "'", ord("‘"): "'", ord("`"): "'", **{ord(dash): " " for dash in "‐‑‒–—−"}}
ENTITY = re.compile(r"&(?:amp|#38|#39|apos|quot|nbsp);")
ENTITIES = {"&amp;": "&", "&#38;": "&", "&#39;": "'", "&apos;": "'", "&quot;": '"', "&nbsp;": " "}
NOT_WORDS = re.compile(r"[^a-z0-9&']+")
CAPITALISED = re.compile(r"\b[A-Za-z][A-Za-z'&]{3,}")
OPENING = re.compile(r"(?:^|[.!?:;|•\n]|[–—-] )[\s\"'“”‘’(\[]*$|^(?:rt )?@\w+:?\s*$", re.IGNORECASE)


def normalise(text: str) -> tuple[str, list[int] | None]:
    """Lower case, without accents, dashes as spaces, entities decoded; and for each of its characters, and its end, the offset
    in `text` (None: they are the same)."""
    if text.isascii() and not ENTITY.search(text):
        return text.lower().translate(SPACES), None
    chars: list[str] = []
    offsets: list[int] = []
    at = 0
    while at < len(text):
        entity = ENTITY.match(text, at) if text[at] == "&" else None
        source = entity[0] if entity else text[at]
        char = ENTITIES[source] if entity else source
        for part in unicodedata.normalize("NFKD", char.translate(FOLD)):
            if not unicodedata.combining(part):
                lowered = part.lower().translate(SPACES)
                chars.extend(lowered)
                offsets.extend([at] * len(lowered))
        at += len(source)
    return "".join(chars), [*offsets, len(text)]


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
        letters = [char for char in self.text if char.isalpha()]
        return len(letters) > 12 and sum(map(str.isupper, letters)) > 0.75 * len(letters)

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
