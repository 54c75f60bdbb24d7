"""The records that travel on the topics, and how they are read and written.

Every record is JSON. A reader ignores fields it does not know, so that a newer writer can add some; a field added later has a
default, so that an older record is still read. Times are timezone-aware. Ids come from content, never from a clock.
"""

import hashlib
import math
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

VERSION = 1
MILLION = 1_000_000

Text = Annotated[str, Meta(min_length=1, max_length=200_000)]
Key = Annotated[str, Meta(min_length=1, max_length=2_000)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Positive = Annotated[float, Meta(gt=0)]


class RecordError(ValueError):
    """A message is no record of its topic; the message says what is wrong with it."""


class Record(Struct, frozen=True, kw_only=True):
    """What all records share."""

    version: Annotated[int, Meta(ge=1)] = VERSION


class News(Record, frozen=True, kw_only=True, tag_field="kind", tag="news"):
    """One article at one revision. `article_id` follows from source and guid or URL."""

    source: Key
    title: Text
    published_at: datetime
    fetched_at: datetime
    guid: Annotated[str, Meta(max_length=2_000)] = ""
    url: Annotated[str, Meta(max_length=2_000)] = ""
    body: Annotated[str, Meta(max_length=200_000)] = ""
    language: Annotated[str, Meta(max_length=35)] = "en"
    tickers: Annotated[tuple[Key, ...], Meta(max_length=1_000)] = ()
    revision: Annotated[int, Meta(ge=1)] = 1
    retracted: bool = False

    @property
    def article_id(self) -> str:
        """Hex digest of source and guid, or URL, or (where there is neither) title and time of publication."""
        if name := self.guid or self.url:
            return content_id("article", self.source, name)
        return content_id("article", self.source, self.title, self.published_at.astimezone(UTC).isoformat())


class Tick(Record, frozen=True, kw_only=True, tag_field="kind", tag="tick"):
    """A time record: everything that the clock's writer knows up to `at` has been sent before it."""

    at: datetime
    origin: Annotated[int, Meta(ge=0)] = 0
    """Partition of squall.news from which intake passed it on; 0 on squall.news itself."""


class Bar(Record, frozen=True, kw_only=True):
    """One bar of a price series."""

    ticker: Key
    interval: str = "1d"
    start: datetime
    open: Positive
    high: Positive
    low: Positive
    close: Positive
    volume: Annotated[float, Meta(ge=0)] = 0.0
    available_at: datetime | None = None
    """When the bar was complete; None: the close of its session, or start + interval."""
    source: str = ""


class Chart(Record, frozen=True, kw_only=True):
    """One chart image, PNG or JPEG, 512 KiB at most."""

    ticker: Key
    interval: str = "1d"
    end: datetime
    image: bytes
    available_at: datetime | None = None
    source: str = ""


class Mention(Record, frozen=True, kw_only=True, tag_field="kind", tag="mention"):
    """One article's mention of one company (or of none), as decided by intake."""

    id: Key
    article_id: Key
    story_id: Key
    event_time: datetime
    known_at: datetime | None = None
    """Event time at which this became known: that of the correction where there was one; None: `event_time`."""
    revision: Annotated[int, Meta(ge=1)] = 1
    """Revision of the article's text."""
    decision: Annotated[int, Meta(ge=1)] = 1
    """Rises whenever anything that intake decided about this mention changes."""
    withdrawn: bool = False
    """The article was retracted, or its correction no longer names the company."""
    company_id: str | None = None
    sector: str | None = None
    text: str
    span: tuple[int, int] | None = None
    """Where the text names the company, as character offsets; None: nowhere."""
    others: tuple[tuple[int, int], ...] = ()
    """Where it names the article's other companies, in order of the text; none where it names this one nowhere."""
    relevance: Percent
    novelty: Percent
    credibility: Percent = 100
    share: Annotated[int, Meta(ge=0, le=MILLION)] = MILLION
    """Part of the article that counts for the market and its topic, in millionths."""
    sector_share: Annotated[int, Meta(ge=0, le=MILLION)] = MILLION
    """Part of the article that counts for the company's sector, in millionths."""


class Scores(Record, frozen=True, kw_only=True):
    """What one transaction of scoring committed, for other systems."""

    model: str
    scores: tuple[dict[str, Any], ...]


class MoodChange(Record, frozen=True, kw_only=True):
    """What one transaction of scoring added to the mood, for other systems: (scope, minute, mentions, millionths of weight)."""

    model: str
    changes: tuple[tuple[str, datetime, int, int], ...]


class Alert(Record, frozen=True, kw_only=True):
    """A change of an incident's state, as the channels and squall.alerts get it."""

    incident_id: str
    rule: str
    scope: str
    scope_name: str
    state: str
    severity: str
    at: datetime
    since: datetime
    surprise: float
    threshold: float
    summary: str
    evidence: tuple[dict[str, Any], ...] = ()
    chart: str | None = None
    """What the company's chart showed when the incident fired, in a sentence; None: there was none, or it said nothing."""


class DeadLetter(Record, frozen=True, kw_only=True):
    """A message that could not be processed, with why."""

    topic: str
    partition: int
    offset: int
    stage: str
    error: str
    payload: bytes

    @property
    def id(self) -> str:
        """Hex digest of the place and the payload: an offset may be used again after a topic was made anew."""
        return content_id("dead", self.topic, str(self.partition), str(self.offset), hashlib.sha256(self.payload).hexdigest())


def content_id(*parts: str) -> str:
    """A 32-digit hex id of some strings; different lists of strings give different ids."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def mention_id(article_id: str, company_id: str | None) -> str:
    """Id of an article's mention of a company, or of none."""
    return content_id("mention", article_id, company_id or "")


def encode(record: Record) -> bytes:
    """A record as JSON."""
    return _ENCODER.encode(record)


def decode(payload: bytes, kind: Any) -> Any:
    """Read a record of a type, or of one of a tagged union of types.

    Raises:
        RecordError: with the place and the reason, for broken JSON, invalid UTF-8, NUL bytes, missing or wrong fields,
            naive times and numbers that are not finite.
    """
    try:
        record = _decoder(kind).decode(payload)
    except UnicodeDecodeError as error:
        raise RecordError(f"invalid UTF-8 at byte {error.start}") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RecordError(str(error)) from None
    if problem := _problem(record):
        raise RecordError(problem)
    return record


def _problem(record: Any) -> str | None:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, str) and "\x00" in part:
                return f"NUL byte in `{name}`"
            if isinstance(part, str) and not part.isascii() and any("\ud800" <= letter <= "\udfff" for letter in part):
                return f"lone surrogate in `{name}`"
            if isinstance(part, float) and not math.isfinite(part):
                return f"number that is not finite in `{name}`"
            if isinstance(part, datetime) and part.tzinfo is None:
                return f"time without zone in `{name}`"
    return None


_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    if kind not in _DECODERS:
        _DECODERS[kind] = msgspec.json.Decoder(kind)
    return _DECODERS[kind]


def outlet(address: str) -> str:
    """What articles of a feed at this address name as their source: its host."""
    return (urlsplit(address).hostname or address).removeprefix("www.")


def minute_of(at: datetime) -> datetime:
    """The start of the minute in which an instant lies, in UTC."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)
