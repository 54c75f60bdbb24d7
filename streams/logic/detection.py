"""What a detector takes in and what it says of it. Pure; minutes are integers since 1970.

A detector sees each closed minute once, in order. All that it keeps follows from the arrivals of the minutes before, so that the
same history gives the same signals in whatever chunks it comes, and across a restart.
"""

from collections.abc import Collection, Mapping
from math import sqrt
from typing import Literal, NamedTuple, Protocol

AlarmKind = Literal["negative_surge", "volume"]


def mark_of(weight: float, negative: float) -> float:
    """What a story of a weight and a P(negative), 0 to 1 each, tells of a surge: 0 to 1, to 6 digits.

    The odds that it is negative are squared, so that many texts of which the model is unsure do not add up to one that is bad;
    and of the weight the root is taken: bad news that mentions a company by the way is half as telling where it is a quarter as
    relevant.
    """
    bad, good = negative * negative, (1.0 - negative) ** 2
    return round(sqrt(weight) * bad / (bad + good), 6)


class Arrival(NamedTuple):
    """What a minute brought to a scope. A story counts once per scope: by the first of its articles that reached the scope.

    Only `mentions` counts further copies. Weights and shares of articles are 0 to 1; an article that names several companies
    gives each scope wider than a company its parts' sum.
    """

    marks: tuple[float, ...] = ()
    """`mark_of` each new story, heaviest first."""
    weights: tuple[float, ...] = ()
    """Weight of each new story whatever its tone, heaviest first."""
    mentions: int = 0
    """Mentions, copies of known stories included."""
    items: float = 0.0
    """Sum of the new stories' shares: how many articles' worth they are."""
    negative: float = 0.0
    """Sum of share x P(negative) over the new stories."""
    positive: float = 0.0
    """Sum of share x P(positive) over the new stories."""
    sector: str = ""
    """Sector of the company; empty where it has none or the scope is wider."""
    squares: float = 0.0
    """Sum of share x (P(positive) - P(negative))**2 over the new stories."""
    topics: tuple[tuple[str, float], ...] = ()
    """Shares of the new stories by topic, in order of its name."""

    @property
    def mass(self) -> float:
        """Sum of the marks."""
        return sum(self.marks)


class Signal(NamedTuple):
    """How surprising a scope is at the end of a minute. Masses are sums of marks, one a story, each up to 1."""

    scope: str
    minute: int
    surprise: float
    """log10 of the e-detector's R over negative marks: about one in R quiet minutes looks so by chance. A quiet scope rests
    well above 0, since R grows by one a minute until something speaks against it."""
    volume_surprise: float
    """The same over all stories, whatever their tone."""
    line: float
    """log10 of the alarm line A, which follows from the budget."""
    share_up: bool
    """Whether the share of negative stands above the scope's past and is a quarter at least, or a half whatever the past."""
    since: int
    """Minute from which what stands out came; `minute` where nothing does."""
    mass: float = 0.0
    """Sum of the marks since then."""
    expected: float = 0.0
    """What that sum was expected to be."""
    stories: int = 0
    """Stories since then."""
    mentions: int = 0
    """Mentions since then, copies included."""
    negative_share: float = 0.0
    """Mean P(negative) of those stories, 0 to 1."""
    past_share: float = 0.0
    """The same of the scope's past, shrunk to its group's."""
    level: float = 0.0
    """Mass a day that the past makes expected of the scope, at this hour of the week."""
    silence: float = 0.0
    """-log10 of the probability that nothing comes for so long, by past and calendar."""
    awaited: float = 0.0
    """Articles that were to be expected since the last one."""
    mood_change: float | None = None
    """This and what follows stands here only where a rule asked for it: see `streams.logic.moods` and `streams.logic.metrics`."""
    topic_change: float | None = None
    price_move: float | None = None
    divergence: bool | None = None
    confirmed: bool | None = None
    impact: float | None = None

    @property
    def alarm(self) -> AlarmKind | None:
        """What stands at or above the line: negative news in count and share, or the count alone."""
        if self.surprise >= self.line and self.share_up:
            return "negative_surge"
        return "volume" if max(self.surprise, self.volume_surprise) >= self.line else None

    @property
    def lift(self) -> float:
        """How many times the expected mass has come; 0 where nothing stands out."""
        return self.mass / self.expected if self.expected > 0 else 0.0


class Detector(Protocol):
    """What turns arrivals into signals."""

    def step(self, minute: int, arrivals: Mapping[str, Arrival], watched: Collection[str] = ()) -> list[Signal]:
        """Take in a minute, later than all before.

        Minutes that bring nothing may be left out. Returns the signals of the scopes that brought something, and of those
        watched, in order of their names.
        """

    def at(self, scope: str, minute: int) -> Signal:
        """The signal of a scope at the end of the last minute taken in, or of a later one that brings nothing before it ends."""

    def export(self) -> bytes:
        """All that it keeps; `restore` of it continues exactly here."""

    def restore(self, state: bytes) -> None:
        """Continue where the detector that exported `state` stood.

        Raises:
            ValueError: the state is of another layout or other settings.
        """
