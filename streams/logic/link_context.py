"""Whether a word that may be a company's name is one here, judged by what stands around it. Pure.

The score of an occurrence starts from the name's ambiguity and the way it is written, and each cue moves it; from `ACCEPT` on it
is the company.
"""

import re
from enum import IntEnum

from streams.logic.link_text import Segment
from streams.logic.link_words import ARTICLES, BEFORE, FINANCE, NOT_NAMES, NOUNS, PHRASES, PLANS, POSSESSED, VERBS, WEAK_VERBS

ACCEPT = 1.0


class Shape(IntEnum):
    """How an occurrence is written: with capitals that say something, with capitals that do not, without."""

    CAPITAL = 0
    START = 1
    LOWER = 2


# rows: ambiguity 0, 1, 2 of an alias; columns: Shape
BASE = ((1.5, 1.5, 0.2), (1.0, 0.4, -0.2), (0.2, 0.0, -0.5))

POSSESSIVE = 0.3
NEXT_NOUN = 1.2
NEXT_VERB = 0.8
LATER_VERB = 0.5
BEFORE_NOUN = 0.8
BEFORE_PHRASE = 1.0
NEARBY = 0.2
NEARBY_MOST = 0.4
OWN_CUE = 0.6
OWN_CUE_MOST = 1.2
AGAINST = -0.8
AGAINST_MOST = -1.6
ARTICLE = -0.6
ARTICLE_LOWER = -1.0
LONGER_AFTER = (-0.6, -0.6, -1.0)
LONGER_BEFORE = (-1.0, -1.0, -1.0)
"""By ambiguity."""
AFTER_NUMBER = -0.8

WORD = re.compile(r"[a-z0-9][a-z0-9&'.]*")
NEXT_CAPITAL = re.compile(r" ([A-Z][a-z]+)")
LAST_CAPITAL = re.compile(r"([A-Z][a-z]+) $")


def base_score(ambiguity: int, cased: bool, shape: Shape) -> float:
    """What an alias is worth as it is written, before its context."""
    if ambiguity == 0 and not cased:
        return BASE[0][Shape.CAPITAL]
    return BASE[ambiguity][shape]


def context_score(segment: Segment, start: int, end: int, ambiguity: int, shape: Shape) -> float:
    """Cues within about ten words of the occurrence at `start`..`end` of the normalised segment."""
    left, right = segment.normal[max(0, start - 60) : start], segment.normal[end : end + 60]
    score = 0.0
    owner = right.startswith("'s ") or (right.startswith("' ") and segment.normal[end - 1] == "s")
    if owner:
        score += POSSESSIVE
        right = right[right.index(" ") :]
    clause = re.split(r"[!?;:]|\. ", right, maxsplit=1)[0]
    after = WORD.findall(clause)
    before = WORD.findall(left)
    score += _after(after, clause, shape, owner) + _before(before, shape, ambiguity)
    near = {word.rstrip(".") for word in before[-8:] + WORD.findall(right)[:8]}
    score += min(NEARBY_MOST, NEARBY * len(near & FINANCE))
    if shape is not Shape.LOWER and not segment.shouted:
        score += _longer_name(segment, segment.original(start), segment.original(end), ambiguity)
    return score


def _after(after: list[str], clause: str, shape: Shape, owner: bool) -> float:
    if not after:
        return 0.0
    first, second = after[0], after[1] if len(after) > 1 else ""
    if clause.startswith(" "):
        if first in NOUNS or (owner and first in POSSESSED):
            return NEXT_NOUN
        if first in VERBS or (first == "to" and second in PLANS) or (first == "in" and second == "talks"):
            return NEXT_VERB
        if first in WEAK_VERBS and shape is not Shape.LOWER:
            return LATER_VERB
    return LATER_VERB if any(word in VERBS for word in after[1:4]) else 0.0


def _before(before: list[str], shape: Shape, ambiguity: int) -> float:
    if not before:
        return 0.0
    if before[-1].isdigit():
        return AFTER_NUMBER
    if before[-1] in ARTICLES:
        return ARTICLE_LOWER if shape is Shape.LOWER else ARTICLE if ambiguity == 2 else 0.0
    if " ".join(before[-2:]) in PHRASES:
        return BEFORE_PHRASE
    return BEFORE_NOUN if before[-1] in BEFORE else 0.0


def _longer_name(segment: Segment, start: int, end: int, ambiguity: int) -> float:
    """A capital right beside it (offsets of the text) makes it a part of another name: Harrison Ford, Delta Force.

    Where all words have capitals this says little: it counts only for names that only context can tell.
    """
    if segment.flat and ambiguity < 2:
        return 0.0
    score = 0.0
    after = NEXT_CAPITAL.match(segment.text, end)
    if after and after[1].lower() not in NOT_NAMES:
        score += LONGER_AFTER[ambiguity]
    before = LAST_CAPITAL.search(segment.text[max(0, start - 20) : start])
    if before and not segment.flat and before[1].lower() not in NOT_NAMES:
        score += LONGER_BEFORE[ambiguity]
    return score


def document_score(padded: str, cues: tuple[str, ...], against: tuple[str, ...]) -> float:
    """What the whole text says for and against a company; `padded` as `Segment.padded` makes it."""
    speak = sum(f" {cue} " in padded for cue in cues)
    deny = sum(f" {cue} " in padded for cue in against)
    return min(OWN_CUE_MOST, OWN_CUE * speak) + max(AGAINST_MOST, AGAINST * deny)
