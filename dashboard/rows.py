"""What the queries return: rows in the words of the pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MILLION = 1_000_000
OPEN = ("pending", "firing", "acknowledged")


@dataclass(frozen=True)
class Pulse:
    """What a page asks every second: where event time stands, and whether anything that it shows has changed."""

    clock: datetime | None
    """Event time of a replay; live: the time of day. None: the replay has not begun."""
    last_item: datetime | None
    revisions: Mapping[str, str]


@dataclass(frozen=True)
class Mood:
    """Sums over one scope and bucket. Amounts are millionths."""

    scope: str
    at: datetime
    mentions: int
    items: int
    negative: int
    positive: int
    weight: int
    negative_weight: int
    positive_weight: int

    @property
    def mean(self) -> float | None:
        """Weighted mean sentiment, −1 to 1; where all weights are 0 the plain mean; None without items."""
        if self.weight > 0:
            return (self.positive_weight - self.negative_weight) / self.weight
        return (self.positive - self.negative) / self.items if self.items > 0 else None

    @property
    def whisker(self) -> float | None:
        """Half of the 80 % interval of the mean, each item being one draw of negative, neutral or positive."""
        if self.items <= 0:
            return None
        negative, positive = self.negative / self.items, self.positive / self.items
        variance = max(0.0, negative + positive - (positive - negative) ** 2)
        return float(1.2816 * (variance * MILLION / self.items) ** 0.5)


@dataclass(frozen=True)
class NewsRow:
    """One scored mention with its article."""

    mention_id: str
    at: datetime
    company_id: str | None
    title: str
    url: str
    source: str
    delayed: bool
    late: bool
    negative: int
    neutral: int
    positive: int
    topic: str
    relevance: int
    novelty: int
    weight: int
    story_id: str
    articles: int
    model_version: str
    impact: int | None = None
    """P(a fall) in millionths, None where it is not said or the price was not known."""

    @property
    def sentiment(self) -> float:
        """P(positive) − P(negative), −1 to 1."""
        return (self.positive - self.negative) / MILLION


@dataclass(frozen=True)
class BarRow:
    """One bar of prices, or several of them as one."""

    start: datetime
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    ticker: str
    interval: str
    merged: timedelta | None = None
    """The length that bars were merged to, where they were."""


@dataclass(frozen=True)
class ChartRow:
    """A chart image without its bytes."""

    id: str
    end: datetime
    available_at: datetime
    interval: str
    width: int
    height: int
    source: str


@dataclass(frozen=True)
class Evidence:
    """One article that an incident rests on."""

    title: str
    url: str
    source: str
    at: datetime | None
    sentiment: float | None
    """−1 to 1."""
    weight: float | None
    """Relevance x novelty x credibility, 0 to 1."""
    articles: int
    """Articles of its story."""
    impact: float | None = None
    """P(a fall of the price less the market's over the next day), 0 to 1."""


@dataclass(frozen=True)
class IncidentRow:
    """An incident with its evidence."""

    id: str
    rule: str
    rule_version: str
    scope: str
    company_id: str | None
    state: str
    severity: str
    opened_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    updated_at: datetime
    surprise: float
    peak_surprise: float
    threshold: float
    summary: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    verdict: str | None = None
    """`false` where a person has said that it was a false alarm."""

    @property
    def open(self) -> bool:
        """Whether it still asks for attention."""
        return self.state in OPEN

    @property
    def operational(self) -> bool:
        """Whether it is about Squall itself, and no surge."""
        return self.rule_version == "operational"


@dataclass(frozen=True)
class EventRow:
    """One line of an incident's audit."""

    at: datetime
    kind: str
    state: str
    actor: str
    detail: Mapping[str, Any]
    recorded_at: datetime
    """By the time of day; the others are event times."""
