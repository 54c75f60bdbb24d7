"""An incident, a step of one, its evidence, and what they are made from. Pure; minutes are integers since 1970."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct

from squall.records import content_id
from squall.rules import METRICS, Rule

State = Literal["pending", "firing", "acknowledged", "resolved"]
Kind = Literal["opened", "reopened", "fired", "updated", "rolled_up", "released", "told", "repeated", "resolved"]
EVIDENCE_ROWS = 10
DEFAULT_WINDOW = 360
HOUR = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Signal(Protocol):
    """What the incidents take of a detector's signal; a rule's conditions go by whatever else it holds, too."""

    @property
    def scope(self) -> str: ...  # noqa: D102
    @property
    def minute(self) -> int: ...  # noqa: D102
    @property
    def surprise(self) -> float: ...  # noqa: D102
    @property
    def mass(self) -> float: ...  # noqa: D102
    @property
    def expected(self) -> float: ...  # noqa: D102
    def _asdict(self) -> dict[str, Any]: ...
    @property
    def _replace(self) -> Callable[..., Any]: ...


class Detector(Protocol):
    """What turns the arrivals of a minute into signals, scope by scope."""

    def step(self, minute: int, arrivals: Mapping[str, Any], watched: Collection[str], /) -> Sequence[Signal]:
        """Take in a minute; signals of the scopes that brought something, and of those watched."""

    def at(self, scope: str, minute: int) -> Signal:
        """The signal of a scope at the end of the last minute taken in, or of a later one that brings nothing."""

    def silent(self, minute: int, level: float, /) -> Sequence[str]:
        """The scopes whose silence is so high at the end of such a minute."""


class Incident(Struct, frozen=True, kw_only=True):
    """A surge in a scope under a rule. Surprises are those of the latest and of the highest minute."""

    id: str
    rule: str
    scope: str
    state: State
    opened: int
    fired: int | None = None
    resolved: int | None = None
    updated: int
    surprise: float
    peak: float
    holds_since: int | None = None
    calm_since: int | None = None
    told: int | None = None
    """The minute of its last notification."""
    parent: str | None = None
    """The incident of a wider scope that has taken it in."""


class Evidence(Struct, frozen=True, kw_only=True):
    """One negative story of a scope's window, shown by its heaviest article. Probabilities and weight are 0 to 1."""

    article_id: str
    story_id: str
    title: str
    source: str
    url: str
    event_time: datetime
    negative: float
    neutral: float
    positive: float
    weight: float
    story_articles: int
    """Articles of the story up to the end of the window."""
    company: str | None = None
    """The company that the heaviest mention is about."""
    impact: float | None = None
    """P(its price falls less the market's over the next day); None: not said, or its price was not known."""
    impact_shares: dict[str, float | None] | None = None
    """How far text, price and chart moved the logit of that."""


class SilenceSpan(NamedTuple):
    """A silence over the minutes [start, end)."""

    id: int
    pattern: str
    start: int
    end: int


class Step(Struct, frozen=True, kw_only=True):
    """What a minute did to an incident. `stories` are those that made it open or fire, heaviest first."""

    kind: Kind
    minute: int
    incident: Incident
    signal: Signal | None = None
    stories: tuple[Evidence, ...] = ()
    tell: bool = False
    """Whether people are to be told."""
    reason: str | None = None
    """Why: who keeps it quiet, what took it in, or what ended it, where that is not plain."""


Stories = Callable[[str, int, int], tuple[Evidence, ...]]
"""The negative stories of a scope in the window of so many minutes that ends with a minute, heaviest first."""


Gauge = Callable[[str, int], Mapping[str, float | None]]
"""The `GAUGED` metrics of a scope at the end of a minute, the last that the detector has taken in."""


def no_gauge(_scope: str, _minute: int) -> Mapping[str, float | None]:
    """Says nothing of any."""
    return {}


def at_minute(minute: int) -> datetime:
    """The start of a minute, in UTC."""
    return _EPOCH + minute * _MINUTE


def minute_number(at: datetime) -> int:
    """The minute in which an instant lies."""
    return (at - _EPOCH) // _MINUTE


def incident_id(rule: str, scope: str, opened: int) -> str:
    """Id of the incident of a rule and scope that opened in a minute."""
    return content_id("incident", rule, scope, at_minute(opened).isoformat())


def metrics_of(signal: Signal) -> dict[str, float | None]:
    """What a rule's conditions can go by; None where the detector does not say."""
    values: dict[str, float | None] = {name: getattr(signal, name, None) for name in METRICS}
    values["lift"] = signal.mass / signal.expected if signal.expected > 0 else None
    line, volume = getattr(signal, "line", None), getattr(signal, "volume_surprise", None)
    values["excess"] = None if line is None else signal.surprise - line
    values["volume_excess"] = None if line is None or volume is None else volume - line
    return values


def window_of(rule: Rule, signal: Signal) -> int:
    """The minutes before the end of a signal's minute whose stories count."""
    since: int | None = getattr(signal, "since", None)
    if rule.window is not None or since is None:
        return rule.window or DEFAULT_WINDOW
    return max(1, signal.minute - since + 1)
