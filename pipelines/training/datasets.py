"""The labelled texts that the text model learns from and is judged on, with leakage between the two removed."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from models.passages import Span
from pipelines.training.near_copies import near_groups, near_pairs
from squall.errors import UserError

SENTIMENTS = ("negative", "neutral", "positive")
TFNS_SENTIMENTS = {0: "negative", 1: "positive", 2: "neutral"}
HELD_OUT_SHARE = 0.1
SENTFIN_TEST_MODULUS = 10
PEOPLE = ("people", "people_topic")
"""Sets of what people labelled: sentiment, and topic."""
CASHTAG = re.compile(r"\$[A-Za-z]{1,6}\b")
NAME = re.compile(r"\b[A-Z][\w&'-]+(?: [A-Z][\w&'-]+)*")

Task = Literal["sentiment", "topic"]
Sets = dict[str, list["Row"]]


@dataclass(frozen=True, slots=True)
class Facts:
    """Where a row that people labelled comes from."""

    at: datetime
    """Event time."""
    story: str
    sector: str
    sampled: bool
    """It belongs to the fair sample of the news: it was drawn at random, not chosen because a model was unsure."""
    labellers: int
    agreement: float
    """Share of the labellers who gave this label."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text. `spans` are places of which one may be meant as the company, with probability `mark_share` in training; `others`
    are those of all companies that are known to stand in it.

    Without a task there is no label (-1): the row teaches what another model says of it.
    """

    source: str
    key: str
    text: str
    task: Task | None
    label: int
    spans: tuple[Span, ...] = ()
    mark_share: float = 0.0
    disagreeing: bool = False
    facts: Facts | None = None
    others: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class TextData:
    """Training, held-out (for choosing and calibrating) and evaluation rows.

    `dropped` counts the training rows of each set that (nearly) equalled an evaluation row; `copied` holds the texts of each
    evaluation set that had such a copy in the set's own training part, which "near-dup-free" figures leave out.
    """

    train: list[Row]
    held_out: list[Row]
    evaluation: dict[str, list[Row]]
    topics: tuple[str, ...]
    dropped: dict[str, int]
    copied: dict[str, frozenset[str]]
    digest: str
    version: str = ""
    """Hash of all rows where they come from a frozen data set."""


class DataError(UserError):
    """The training data is missing or not what it should be; the message says what to do."""


def read_topics(data_dir: Path) -> tuple[str, ...]:
    """The topic names in label order."""
    return tuple(line.strip() for line in _need(data_dir / "tfns_topic" / "classes.txt").read_text().splitlines())


def tfns_sentiment(data_dir: Path, part: Literal["train", "valid"]) -> list[Row]:
    """Tweets labelled bearish, bullish or neutral; a cashtag may be marked."""
    import pandas as pd

    frame = pd.read_csv(_need(data_dir / "tfns_sentiment" / f"sent_{part}.csv"))
    rows = []
    for i, (text, label) in enumerate(zip(frame["text"].astype(str), frame["label"].astype(int), strict=True)):
        spans = tuple(match.span() for match in CASHTAG.finditer(text))
        target = SENTIMENTS.index(TFNS_SENTIMENTS[label])
        rows.append(Row("tfns_sentiment", f"{part}-{i}", text, "sentiment", target, spans, 0.5 if spans else 0.0, others=spans))
    return rows


def tfns_topic(data_dir: Path, part: Literal["train", "validation"]) -> list[Row]:
    """Tweets with one of 20 topics, which is the same whoever is marked: a cashtag, or else a capitalised name, may be."""
    import pandas as pd

    frame = pd.read_parquet(_need(data_dir / "tfns_topic" / f"{part}.parquet"))
    rows = []
    for i, (text, label) in enumerate(zip(frame["text"].astype(str), frame["label"].astype(int), strict=True)):
        cashtags = tuple(match.span() for match in CASHTAG.finditer(text))
        spans = cashtags or tuple(match.span() for match in NAME.finditer(text))
        share = 0.5 if cashtags else 0.3 if spans else 0.0
        rows.append(Row("tfns_topic", f"{part}-{i}", text, "topic", label, spans, share, others=cashtags))
    return rows


def sentfin(data_dir: Path) -> list[Row]:
    """Headlines with one sentiment per named entity, which is always marked where the headline's entities disagree."""
    import pandas as pd

    frame = pd.read_csv(_need(data_dir / "sentfin" / "entity_sentiment.csv"), dtype=str, keep_default_na=False)
    labels: defaultdict[str, set[str]] = defaultdict(set)
    places: defaultdict[str, dict[Span, None]] = defaultdict(dict)
    found = [find_entity(headline, entity) for headline, entity in zip(frame["headline"], frame["entity"], strict=True)]
    for headline_id, sentiment, span in zip(frame["headline_id"], frame["sentiment"], found, strict=True):
        labels[headline_id].add(sentiment)
        if span:
            places[headline_id][span] = None
    rows = []
    columns = (frame[name] for name in ("headline_id", "headline", "sentiment"))
    for headline_id, headline, sentiment, span in zip(*columns, found, strict=True):
        disagreeing = len(labels[headline_id]) > 1
        share = 0.0 if span is None else 1.0 if disagreeing else 0.5
        spans = () if span is None else (span,)
        target = SENTIMENTS.index(sentiment)
        others = tuple(places[headline_id])
        rows.append(Row("sentfin", headline_id, headline, "sentiment", target, spans, share, disagreeing, others=others))
    return rows


def find_entity(headline: str, entity: str) -> Span | None:
    """Where the entity stands in the headline.

    A global replacement once turned hold, sell and buy into sentiments inside SEntFiN's names ("neutralings" for
    Holdings); it is undone where the name is not found as it stands.
    """
    folded = headline.casefold()
    name = entity.casefold()
    repaired = name.replace("neutral", "hold").replace("negative", "sell").replace("positive", "buy")
    for candidate in (name, repaired):
        start = folded.find(candidate)
        if candidate and start >= 0 and len(folded) == len(headline):
            return start, start + len(candidate)
    return None


def load_text_data(data_dir: Path) -> TextData:
    """Read all three sets, drop training rows that (nearly) equal an evaluation row of any task, hold out a tenth.

    Raises:
        DataError: a file is missing.
    """
    return combine(*base_sets(data_dir), read_topics(data_dir))


def base_sets(data_dir: Path) -> tuple[Sets, Sets]:
    """Training and evaluation rows of all three sets, as they are published.

    Raises:
        DataError: a file is missing.
    """
    headlines = sentfin(data_dir)
    is_test = [int(row.key) % SENTFIN_TEST_MODULUS == 0 for row in headlines]
    training = {
        "tfns_sentiment": tfns_sentiment(data_dir, "train"),
        "tfns_topic": tfns_topic(data_dir, "train"),
        "sentfin": [row for row, test in zip(headlines, is_test, strict=True) if not test],
    }
    evaluation = {
        "tfns_sentiment": tfns_sentiment(data_dir, "valid"),
        "tfns_topic": tfns_topic(data_dir, "validation"),
        "sentfin": [row for row, test in zip(headlines, is_test, strict=True) if test],
    }
    return training, evaluation


def combine(training: Sets, evaluation: Sets, topics: tuple[str, ...]) -> TextData:
    """Drop training rows that (nearly) equal an evaluation row of any set, and hold out a tenth of the others."""
    judged = list({row.text: None for rows in evaluation.values() for row in rows})
    kept: list[Row] = []
    dropped: dict[str, int] = {}
    copied: dict[str, frozenset[str]] = {}
    for source, rows in training.items():
        pairs = list(near_pairs([row.text for row in rows], judged))
        leaking = {i for i, _ in pairs}
        dropped[source] = len(leaking)
        copied[source] = frozenset(judged[j] for _, j in pairs) & {row.text for row in evaluation.get(source, ())}
        kept += [row for i, row in enumerate(rows) if i not in leaking]
    train, held_out = hold_out(kept)
    return TextData(train, held_out, evaluation, topics, dropped, copied, digest_of(train))


def with_base_rows(data: TextData, most: int) -> TextData:
    """The same data with at most so many training rows, chosen by a hash, besides those that people labelled."""
    base = [row for row in data.train if row.facts is None]
    chosen = set(sorted(base, key=lambda row: hashlib.sha256(f"{row.source} {row.text}".encode()).digest())[:most])
    train = [row for row in data.train if row.facts or row in chosen]
    return replace(data, train=train, digest=digest_of(train))


def with_repeated(data: TextData, times: int) -> TextData:
    """The same data with each training row that people labelled so many times."""
    return with_rows(data, [row for row in data.train if row.facts] * (times - 1))


def with_rows(data: TextData, more: Sequence[Row]) -> TextData:
    """The same data with more training rows."""
    train = [*data.train, *more]
    return replace(data, train=train, digest=digest_of(train))


def digest_of(rows: Sequence[Row]) -> str:
    """A hash of what is learnt from, hex."""
    return hashlib.sha256("\n".join(f"{r.source} {r.key} {r.label} {r.text}" for r in rows).encode()).hexdigest()


def hold_out(rows: Sequence[Row], share: float = HELD_OUT_SHARE) -> tuple[list[Row], list[Row]]:
    """Split off about `share` of the rows by a hash of their group, so that no near copies or story straddle the split."""
    groups = groups_of(rows)
    out: tuple[list[Row], list[Row]] = ([], [])
    for row, group in zip(rows, groups, strict=True):
        number = int.from_bytes(hashlib.sha256(rows[group].text.encode()).digest()[:8])
        out[number < share * 2**64].append(row)
    return out


def groups_of(rows: Sequence[Row]) -> list[int]:
    """A group number for each row: near copies, rows of one story, and whatever these connect, share one."""
    return near_groups([row.text for row in rows], joined=[row.facts.story if row.facts else "" for row in rows])


def _need(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path} is missing: point SQUALL_DATA_DIR at the folder that holds the training data")
    return path
