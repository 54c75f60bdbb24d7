"""Other texts with the same label: companies that change places, other tickers, other numbers in the same proportion."""

from __future__ import annotations

import itertools
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from models.passages import Span
from pipelines.training.datasets import CASHTAG, Row

Edit = tuple[Span, str]
"""A place in a text, and what stands there instead."""

AMOUNT = re.compile(r"(?<![\w.,])\d+\.\d+(?![.,]?\d)|(?<=[$€£])\d+(?![.,]?\d)|(?<![\w.,])\d+(?=\s?%)")
"""Amounts: with decimals, after a currency sign, or in per cent; years, names with figures and counts are none."""
GREATEST_FACTOR = 3.0


def edited(text: str, edits: Sequence[Edit], spans: Sequence[Span]) -> tuple[str, tuple[Span, ...]]:
    """The text after edits that do not overlap, given in any order, and where the spans are then.

    A span that ends within an edit takes in the whole of it.
    """
    ordered = sorted(edits)
    parts, place = [], 0
    for (start, end), new in ordered:
        parts += [text[place:start], new]
        place = end
    parts.append(text[place:])

    def moved(place: int, *, last: bool) -> int:
        shift = 0
        for (start, end), new in ordered:
            if place >= end:
                shift += len(new) - (end - start)
            elif place > start:
                return start + shift + (len(new) if last else 0)
        return place + shift

    return "".join(parts), tuple((moved(start, last=False), moved(end, last=True)) for start, end in spans)


def swapped(rows: Sequence[Row]) -> list[Row]:
    """For each two rows of one headline whose companies disagree, the headline with these in each other's place.

    What stands at a place keeps that place's label, so each company gets the other's.
    """
    headlines: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.disagreeing and row.spans:
            headlines[row.source, row.text].append(row)
    found = []
    for group in headlines.values():
        for one, other in itertools.combinations(group, 2):
            (a, b), (c, d) = one.spans[0], other.spans[0]
            if one.label == other.label or max(a, c) < min(b, d):
                continue
            names = one.text[a:b], one.text[c:d]
            text, spans = edited(one.text, [((a, b), names[1]), ((c, d), names[0])], [(a, b), (c, d), *one.others])
            found += [
                replace(row, key=f"{row.key} swapped", text=text, spans=(span,), others=spans[2:])
                for row, span in zip((one, other), spans[:2], strict=True)
            ]
    return found


def cashtags_of(rows: Sequence[Row]) -> list[str]:
    """The different cashtags of tweets, in order of the alphabet."""
    return sorted({tag for row in rows for tag in CASHTAG.findall(row.text)})


def varied(row: Row, rng: random.Random, cashtags: Sequence[str]) -> Row:
    """The row with its amounts times one factor, and each of its cashtags replaced by one of those given.

    A text whose amounts would come into another order by rounding keeps them: "2.1 from 3.4" stays a fall.
    """
    edits = [*scaled_amounts(row.text, rng.uniform(1.0, GREATEST_FACTOR)), *other_cashtags(row.text, rng, cashtags)]
    return rewritten(row, edits)


def thinned(row: Row, rng: random.Random, most: float) -> Row:
    """The row without some of the words that stand outside its companies, at most this share of them on average."""
    share = rng.uniform(0, most)
    words = [match.span() for match in re.finditer(r"\S+\s*", row.text)]
    free = [(start, end) for start, end in words if all(end <= a or start >= b for a, b in (*row.spans, *row.others))]
    return rewritten(row, [(word, "") for word in free if rng.random() < share])


def rewritten(row: Row, edits: Sequence[Edit]) -> Row:
    """The row with its text edited."""
    text, spans = edited(row.text, edits, (*row.spans, *row.others))
    return replace(row, text=text, spans=spans[: len(row.spans)], others=spans[len(row.spans) :])


def scaled_amounts(text: str, factor: float) -> list[Edit]:
    """Each amount of the text times a factor of at least 1, with as many decimals; none where that would change their order."""
    matches = list(AMOUNT.finditer(text))
    old = [match.group() for match in matches]
    new = [f"{float(amount) * factor:.{len(amount.partition('.')[2])}f}" for amount in old]
    values = list(zip(map(float, old), map(float, new), strict=True))
    if any((a < b) != (c < d) for (a, c), (b, d) in itertools.permutations(values, 2)):
        return []
    return [(match.span(), amount) for match, amount in zip(matches, new, strict=True)]


def other_cashtags(text: str, rng: random.Random, cashtags: Sequence[str]) -> list[Edit]:
    """Each different cashtag of the text replaced by another one of those given; none where these are too few."""
    matches = list(CASHTAG.finditer(text))
    old = list(dict.fromkeys(match.group() for match in matches))
    if not old or len(old) > len(cashtags):
        return []
    new = dict(zip(old, rng.sample(cashtags, len(old)), strict=True))
    return [(match.span(), new[match.group()]) for match in matches]
