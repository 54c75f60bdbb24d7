"""Which companies an article is about, where it names them, and how much it is about each. Pure.

Names are found by Aho-Corasick in the normalised text; the longest wins where two overlap. A name that says it all is taken as it
stands, the others are judged by their context (`link_context`), and by whether the text names the company in another way too.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache

import ahocorasick
from msgspec import Struct

from squall.companies import AMERICAN, EXCHANGES, Alias, Company, Listing, TickerIndex, event_day
from streams.logic.link_context import ACCEPT, Shape, base_score, context_score, document_score
from streams.logic.link_relevance import Occurrence, relevance
from streams.logic.link_text import Segment, normalise

SUPPORT = 0.8
"""What a name gains where the text names its company beyond doubt elsewhere."""
COMPANIONS = 0.6
"""What it gains beside another company of its kind: "Delta and United"."""
SURE = 1.5
"""Of a marked ticker, as of a name that says it all: from here on no context is asked."""
BARE_SCORE = {3: 0.4, 4: ACCEPT, 5: ACCEPT}
"""A ticker in capitals without any mark, by its length."""

READ = 20_000
"""Characters of a body that are read: what is named only after them is not what the article is about."""

CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z]{1,6})([.\-/][A-Za-z]{1,2})?(?!\w)")
QUOTED = re.compile(r"\b([A-Za-z]{3,8})\s?:\s?\$?([A-Z0-9]{1,6}(?:[.\-][A-Z]{1,2})?)\b")
IN_PARENTHESES = re.compile(r"\(([A-Z]{1,5}(?:\.[A-Z]{1,2})?)\)")
BARE = re.compile(r"(?<![\w$.#@&:/(-])[A-Z]{3,5}(?![\w&-])")
BETWEEN = re.compile(r"(?:'s)?(?:, | and |, and | & |/| or | vs\.? | versus )")


class Link(Struct, frozen=True):
    """A company that an article names.

    `relevance` is 0 to 100; `span` are offsets in `article_text` of the best first occurrence, or None where only the source
    says so (its ticker hints).
    """

    company_id: str
    relevance: int
    span: tuple[int, int] | None


class _Name(Struct, frozen=True):
    alias: Alias
    company: Company


class _Candidate(Struct):
    """A name at a place of a segment, in offsets of the normalised text."""

    number: int
    start: int
    end: int
    company: Company
    ambiguity: int
    shape: Shape
    score: float


def article_text(title: str, body: str) -> str:
    """The text that spans refer to."""
    return f"{title}\n{body}" if body else title


class Linker:
    """Links texts to the companies of one table."""

    def __init__(self, companies: Iterable[Company]) -> None:
        table = tuple(companies)
        self._index = TickerIndex(table)
        self._holding = lru_cache(maxsize=1 << 16)(self._index.holding)
        self._bare = {listing.ticker for company in table for listing in company.listings if _speaks_bare(listing)}
        self._against = {company.id: _words_against(company) for company in table}
        names: dict[str, list[_Name]] = {}
        for company in table:
            for alias in company.aliases:
                names.setdefault(normalise(alias.text)[0], []).append(_Name(alias, company))
            for phrase in company.against:
                names.setdefault(phrase, [])
        for words in self._against.values():
            for word in words:
                if not names.get(word, True):
                    del names[word]
        self._automaton = ahocorasick.Automaton()
        for text, holders in names.items():
            self._automaton.add_word(text, (len(text), tuple(holders)))
        self._automaton.make_automaton()

    def link(self, title: str, body: str, tickers: Sequence[str], at: datetime) -> list[Link]:
        """Companies named in the text, or hinted at by `tickers`, as of `at`; by relevance (highest first), then id."""
        segments = [Segment(title), Segment(body[:READ])] if body else [Segment(title)]
        hinted = {company.id: company for ticker in tickers if (company := self._index.find(ticker, at))}
        day = event_day(at)
        candidates: list[_Candidate] = []
        for number, segment in enumerate(segments):
            taken = bytearray(len(segment.normal))
            candidates += self._symbols(segment, number, day, taken)
            candidates += self._names(segment, number, day, taken)
            candidates += self._bare_tickers(segment, number, day, taken)
        self._weigh(candidates, segments, set(hinted))
        found = [_occurrence(one, segments, len(title)) for one in candidates if one.score >= ACCEPT]
        companies = hinted | {one.company.id: one.company for one in candidates if one.score >= ACCEPT}
        grades = relevance(found, companies, segments)
        spans = {one.company_id: one.span for one in sorted(found, reverse=True)}
        links = [Link(key, grades[key], spans.get(key)) for key in companies]
        return sorted(links, key=lambda link: (-link.relevance, link.company_id))

    def _symbols(self, segment: Segment, number: int, day: date, taken: bytearray) -> list[_Candidate]:
        """Tickers that the text marks as such; here as below, `taken` says which characters belong to a name already."""
        text = segment.text
        found: list[_Candidate] = []

        def add(match: re.Match[str], group: int, held: tuple[Listing, Company] | None, score: float) -> None:
            if held:
                start, end = map(segment.normal_at, match.span(group))
                if _take(taken, start, end):
                    found.append(_Candidate(number, start, end, held[1], 2, Shape.CAPITAL, score))

        if "$" in text:
            for match in CASHTAG.finditer(text):
                name, share_class = match[1], match[2] or ""
                if len(name) > 2 or name.isupper():
                    held = self._american(name + share_class, day) or self._american(name, day)
                    add(match, 0, held, SURE)
        if ":" in text:
            for match in QUOTED.finditer(text):
                if exchange := EXCHANGES.get(match[1].upper()):
                    add(match, 0, self._holding(match[2], day, exchange), SURE)
        if "(" in text:
            for match in IN_PARENTHESES.finditer(text):
                held = self._holding(match[1], day) if "." in match[1] else self._american(match[1], day)
                plain = held is not None and not held[0].word and len(match[1]) > 2
                add(match, 1, held, SURE if plain else 0.0)
        return found

    def _american(self, ticker: str, day: date) -> tuple[Listing, Company] | None:
        """The American holder of a ticker: what a text means that names no exchange."""
        held = self._holding(ticker, day)
        return held if held and held[0].exchange in AMERICAN else None

    def _names(self, segment: Segment, number: int, day: date, taken: bytearray) -> list[_Candidate]:
        """Names in the segment, the longer first; several candidates where companies share one."""
        normal = segment.normal
        hits = []
        for last, (length, names) in self._automaton.iter(normal):
            start, end = last + 1 - length, last + 1
            if _is_word(normal, start, end):
                valid = tuple(name for name in names if name.alias.valid(day))
                if valid or not names:
                    hits.append((start, end, valid))
        hits.sort(key=lambda hit: (hit[0] - hit[1], hit[0]))
        candidates = []
        for start, end, names in hits:
            if _take(taken, start, end):
                candidates += [_candidate(segment, number, start, end, name) for name in names]
        return candidates

    def _bare_tickers(self, segment: Segment, number: int, day: date, taken: bytearray) -> list[_Candidate]:
        """Tickers in mere capitals, where nothing else was found."""
        found = []
        for match in BARE.finditer(segment.text):
            if match[0] not in self._bare or segment.shouted:
                continue
            held = self._american(match[0], day)
            start, end = map(segment.normal_at, match.span())
            if held and not held[0].word and _take(taken, start, end):
                found.append(_Candidate(number, start, end, held[1], 2, Shape.CAPITAL, BARE_SCORE[len(match[0])]))
        return found

    def _weigh(self, candidates: list[_Candidate], segments: list[Segment], sure: set[str]) -> None:
        """Add to the scores what the context says; where companies share a name, only the likeliest keeps its score."""
        open_ones = [one for one in candidates if one.score < SURE]
        padded = "".join(segment.padded for segment in segments) if open_ones else ""
        of_document = {
            one.company.id: document_score(padded, one.company.cues, self._against[one.company.id]) for one in open_ones
        }
        for one in open_ones:
            one.score += context_score(segments[one.number], one.start, one.end, one.ambiguity, one.shape)
            one.score += of_document[one.company.id]
        _keep_best(candidates)
        sure |= {one.company.id for one in candidates if one.score >= ACCEPT}
        for one in open_ones:
            if one.score < ACCEPT and one.company.id in sure:
                one.score += SUPPORT
        pairs = list(itertools.pairwise(sorted(candidates, key=_place)))
        for left, right in pairs + pairs[::-1]:
            if min(left.score, right.score) < ACCEPT and _companions(left, right, segments):
                left.score, right.score = left.score + COMPANIONS, right.score + COMPANIONS


def _speaks_bare(listing: Listing) -> bool:
    return not listing.word and listing.exchange in AMERICAN and 3 <= len(listing.ticker) <= 5


def _words_against(company: Company) -> tuple[str, ...]:
    """Those of its words against it that do not contain one of its names."""
    names = [f" {normalise(alias.text)[0]} " for alias in company.aliases]
    return tuple(word for word in company.against if not any(name in f" {word} ".replace("'s ", " ") for name in names))


def _take(taken: bytearray, start: int, end: int) -> bool:
    """Mark the characters as taken; False where one of them is already."""
    if start == end or any(taken[start:end]):
        return False
    taken[start:end] = b"\1" * (end - start)
    return True


def _is_word(normal: str, start: int, end: int) -> bool:
    """Whether what stands there is a word of its own, and no part of an address."""
    before = normal[start - 1] if start else " "
    if before.isalnum() or before in "_$./":
        return False
    after = normal[end : end + 3]
    if after[:1] == "'":
        return not after[1:2].isalpha() or (after[1:2] == "s" and not after[2:3].isalpha())
    return not after[:1].isalnum() and after[:1] != "_" and not (after[:1] in "./" and after[1:2].isalnum())


def _candidate(segment: Segment, number: int, start: int, end: int, name: _Name) -> _Candidate:
    begin = segment.original(start)
    shape = _shape(segment, begin, segment.original(end), name.alias.text)
    score = base_score(name.alias.ambiguity, name.alias.cased, shape)
    return _Candidate(number, start, end, name.company, name.alias.ambiguity, shape, score)


def _shape(segment: Segment, start: int, end: int, name: str) -> Shape:
    written = segment.text[start:end]
    if written != name:
        words, model = written.replace("-", " ").split(), name.replace("-", " ").split()
        if name.isupper() and not written.isupper():
            return Shape.LOWER
        if any(word[0].islower() for word, like in zip(words, model, strict=False) if not like[0].islower()):
            return Shape.LOWER
    acronym = name.isupper() and not segment.shouted
    return Shape.CAPITAL if acronym or not (segment.flat or segment.opens(start)) else Shape.START


def _keep_best(candidates: list[_Candidate]) -> None:
    best: dict[tuple[int, int, int], _Candidate] = {}
    for one in sorted(candidates, key=lambda one: (-one.score, one.ambiguity, one.company.id)):
        if best.setdefault(_place(one), one) is not one:
            one.score = -9.0


def _place(one: _Candidate) -> tuple[int, int, int]:
    return one.number, one.start, one.end


def _companions(left: _Candidate, right: _Candidate, segments: list[Segment]) -> bool:
    """Whether two names are coordinated, and one is sure or both may well be and are of one sector."""
    if left.number != right.number or left.company.id == right.company.id or min(left.score, right.score) < 0.2:
        return False
    if not BETWEEN.fullmatch(segments[left.number].normal, left.end, right.start):
        return False
    return max(left.score, right.score) >= ACCEPT or left.company.sector == right.company.sector


def _occurrence(one: _Candidate, segments: list[Segment], title_length: int) -> Occurrence:
    segment = segments[one.number]
    shift = title_length + 1 if one.number else 0
    span = (segment.original(one.start) + shift, segment.original(one.end) + shift)
    return Occurrence(one.number, span, one.company.id, one.start, one.end)
