"""The rules that incidents open by: what they may say and what follows from it. Pure; `squall.rules_file` reads them.

A rule names whom it watches, conditions on metrics that must all hold, and what becomes of the incidents. Its metrics come from
the detector; one that the detector does not offer for a scope is None, and no condition on it holds.
"""

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from squall.companies import SECTORS
from squall.records import content_id
from squall.scopes import Kind, parse_scope

Metric = Literal[
    "surprise", "excess", "share_up", "volume_excess", "negative_share", "past_share", "stories", "mentions", "mass", "lift",
    "silence", "mood_change", "topic_change", "price_move", "divergence", "confirmed", "impact",
]  # fmt: skip
METRICS: dict[Metric, str] = {
    "surprise": "log10 of the evidence that negative weight is up",
    "excess": "surprise above the line that the budget of false alarms sets",
    "share_up": "1 where the share of negative is up as well, else 0",
    "volume_excess": "as excess, of the count whatever the mood",
    "negative_share": "mean probability of being negative, 0 to 1",
    "past_share": "the same of the scope's past",
    "stories": "stories since the surge began",
    "mentions": "mentions since then, copies included",
    "mass": "negative weight since then, a story up to 1",
    "lift": "negative weight by what was expected",
    "silence": "-log10 of the probability that no news comes for so long, by past and calendar",
    "mood_change": "mean tone of the last 24 hours against its past, in standard errors; negative: worse",
    "topic_change": "distance of the last 24 hours' topics from those of the past, 0 to 1",
    "price_move": "move of a company's price in 24 hours, in standard deviations of its daily moves",
    "divergence": "1 where mood_change is -2 or less and price_move within 1 either way, else 0",
    "confirmed": "1 where mood_change and price_move are both -2 or less, else 0",
    "impact": "mean probability that the price falls over the next day, by the negative stories of the last 24 hours, 0 to 1",
}
GAUGED: frozenset[Metric] = frozenset(("mood_change", "topic_change", "price_move", "divergence", "confirmed", "impact"))
"""Those that are worked out only for rules that name them, where what else they say holds."""
Severity = Literal["critical", "high", "medium", "info"]
GroupLabel = Literal["rule", "severity", "sector", "scope"]
Lists = Mapping[str, Mapping[str, float]]
"""Watch-lists: weight by company by name of the list."""

BREADTH: dict[Kind, int] = {"market": 0, "sector": 1, "topic": 2, "company": 3, "company/topic": 4}
"""Kinds of scope, the widest first."""
RESERVED = ("watermark",)
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d)")


def seconds(value: Any) -> int:
    """A duration as people write it, `30s`, `90m`, `1h30m`, `2d`, in seconds; 0 needs no unit.

    Raises:
        ValueError: it is none.
    """
    text = str(value).strip()
    if text == "0":
        return 0
    if isinstance(value, bool) or not re.fullmatch(rf"(?:{_DURATION.pattern}\s*)+", text):
        raise ValueError("use a duration such as 30s, 90m, 1h30m or 2d")
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def minutes(value: Any) -> int:
    """A duration in whole minutes.

    Raises:
        ValueError: it is none, or has seconds in it.
    """
    whole, rest = divmod(seconds(value), 60)
    if rest:
        raise ValueError("use whole minutes: decisions are made once a minute")
    return whole


Seconds = Annotated[int, BeforeValidator(seconds), Field(ge=0)]
Minutes = Annotated[int, BeforeValidator(minutes), Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Selector(_Part):
    """Whom a rule watches: scopes of these kinds; of companies only those named, in these sectors, or on this watch-list."""

    kinds: tuple[Kind, ...] = Field(("company",), min_length=1)
    companies: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    watchlist: str | None = None
    min_weight: float = Field(0.0, ge=0)
    """Only members of the watch-list that weigh so much."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if unknown := [sector for sector in self.sectors if sector not in SECTORS]:
            raise ValueError(f"no sector {unknown[0]!r}: there is {', '.join(SECTORS)}")
        narrow = {"company", "company/topic"}
        if (self.companies or self.watchlist) and not narrow.issuperset(self.kinds):
            raise ValueError("companies and watchlist select among companies: kinds may be company and company/topic")
        if self.sectors and not {*narrow, "sector"}.issuperset(self.kinds):
            raise ValueError("sectors select among sectors and companies: kinds may be sector, company and company/topic")
        if self.min_weight and not self.watchlist:
            raise ValueError("min_weight goes with a watchlist")
        return self

    def covers(self, scope: str, sectors: Mapping[str, str], lists: Lists) -> bool:
        """Whether a scope is watched.

        Args:
            sectors: sector by company.
        """
        parts = parse_scope(scope)
        if parts.kind not in self.kinds:
            return False
        company = parts.company_id
        if company is None:
            return not self.sectors or parts.sector in self.sectors
        if self.companies and company not in self.companies:
            return False
        if self.sectors and sectors.get(company) not in self.sectors:
            return False
        weight = lists.get(self.watchlist, {}).get(company) if self.watchlist else 1.0
        return weight is not None and weight >= self.min_weight


class Condition(_Part):
    """A metric at or above a level, or at or below it; `resolve` is the level, on the safe side of it, at which it is over."""

    metric: Metric
    above: float | None = Field(None, allow_inf_nan=False)
    below: float | None = Field(None, allow_inf_nan=False)
    resolve: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_sided(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below")
        if self.resolve is not None:
            if self.above is not None and self.resolve >= self.above:
                raise ValueError(f"resolve is {self.resolve:g}: it must be below {self.above:g}, where the rule fires")
            if self.below is not None and self.resolve <= self.below:
                raise ValueError(f"resolve is {self.resolve:g}: it must be above {self.below:g}, where the rule fires")
        return self

    @property
    def level(self) -> float:
        """The level at which it holds."""
        return self.above if self.above is not None else self.below or 0.0

    def holds(self, metrics: Mapping[str, float | None]) -> bool:
        """Whether the metric is there and on the wrong side of the level."""
        value = metrics.get(self.metric)
        return value is not None and (value >= self.level if self.above is not None else value <= self.level)

    def is_over(self, metrics: Mapping[str, float | None]) -> bool:
        """Whether the metric is back on the safe side of `resolve`; False for a condition without."""
        value = metrics.get(self.metric)
        if self.resolve is None:
            return False
        return value is None or (value < self.resolve if self.above is not None else value > self.resolve)

    def __str__(self) -> str:
        return f"{self.metric} {'≥' if self.above is not None else '≤'} {self.level:g}"


class Rule(_Part):
    """One rule. Durations are in minutes of event time."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    description: str = ""
    scope: Selector = Selector()
    when: tuple[Condition, ...] = Field(min_length=1)
    window: Minutes | None = None
    """The stretch before a minute whose stories are counted and shown; None: since the surge began."""
    min_stories: int = Field(1, ge=0)
    min_companies: int = Field(0, ge=0)
    """Of a wider scope: so many companies must be hit, or it is the incident of one of them."""
    min_mentions: int = Field(0, ge=0)
    hold: Minutes = Field(0, alias="for")
    """How long the conditions must hold without a break before the incident fires."""
    keep_firing_for: Minutes = 60
    """How long it must be calm without a break before the incident resolves."""
    reopen_within: Minutes = 360
    """A surge so soon after the end of an incident that had fired is the same one."""
    severity: Severity = "high"
    group_by: tuple[GroupLabel, ...] = ("rule",)
    inhibited_by: tuple[str, ...] = ()
    """Rules whose firing incident of a wider scope takes this one's in."""
    repeat: Minutes = 1440
    """How often a firing incident that nobody has acknowledged is told again; 0: never."""
    channels: tuple[str, ...] | None = None
    """Channels to tell; None: all that are in force."""

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        if not any(condition.resolve is not None for condition in self.when):
            raise ValueError("one condition at least needs a resolve level, or an incident would never end")
        if self.name in RESERVED:
            raise ValueError(f"the name {self.name!r} is taken by the product itself")
        return self

    @cached_property
    def version(self) -> str:
        """Hex digest of everything that it says."""
        return content_id("rule", self.model_dump_json(by_alias=True))[:12]

    @cached_property
    def is_gauged(self) -> bool:
        """Whether a condition goes by one of the `GAUGED` metrics."""
        return any(condition.metric in GAUGED for condition in self.when)

    @cached_property
    def silence(self) -> float | None:
        """The level of silence from which it holds at the earliest; None: it does not go by silence."""
        levels = [one.above for one in self.when if one.metric == "silence" and one.above is not None]
        return max(levels, default=None)

    def holds(self, metrics: Mapping[str, float | None], but: Collection[Metric] = ()) -> bool:
        """Whether all its conditions hold, `but` those on some metrics."""
        mentions = metrics.get("mentions")
        enough = self.min_mentions == 0 or (mentions is not None and mentions >= self.min_mentions)
        return enough and all(condition.holds(metrics) for condition in self.when if condition.metric not in but)

    def is_calm(self, metrics: Mapping[str, float | None]) -> bool:
        """Whether one of its conditions is over."""
        return any(condition.is_over(metrics) for condition in self.when)


class Grouping(_Part):
    """How long the first notification of a group waits for others, and how long the next ones do, in seconds."""

    wait: Seconds = 30
    interval: Seconds = 300


class Audience(_Part):
    """Of whom a channel hears: of the companies on a watch-list that weigh so much there, and of no wider scope."""

    watchlist: str
    min_weight: float = Field(0.0, ge=0)

    def hears(self, scope: str, lists: Lists) -> bool:
        """Whether the channel is told of a scope's incidents."""
        company = parse_scope(scope).company_id
        weight = lists.get(self.watchlist, {}).get(company) if company else None
        return weight is not None and weight >= self.min_weight


class RuleSet(_Part):
    """All rules that are in force together."""

    rules: tuple[Rule, ...] = Field(min_length=1)
    group: Grouping = Grouping()
    channels: Mapping[str, Audience] = {}
    """Channels that are limited to a watch-list, by name."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [rule.name for rule in self.rules]
        if double := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two rules are named {double!r}")
        for rule in self.rules:
            if unknown := [name for name in rule.inhibited_by if name not in names]:
                raise ValueError(f"rule {rule.name!r} is inhibited by {unknown[0]!r}, which is no rule")
        return self

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of scope that any rule watches, the widest first."""
        return tuple(kind for kind in BREADTH if any(kind in rule.scope.kinds for rule in self.rules))

    def named(self, name: str) -> Rule | None:
        """The rule of a name."""
        return next((rule for rule in self.rules if rule.name == name), None)


def version_of(rules: RuleSet, lists: Lists) -> str:
    """Hex digest of rules and the watch-lists that they name: what decisions depend on."""
    used = {name: dict(sorted(lists[name].items())) for name in sorted(lists_of(rules)) if name in lists}
    # Left out where there are none: rules that were stored before there were any keep their version.
    said = rules.model_dump_json(by_alias=True, exclude=None if rules.channels else {"channels"})
    return content_id("rules", said, repr(used))[:12]


def lists_of(rules: RuleSet) -> set[str]:
    """Names of the watch-lists that rules and channels go by."""
    named = {rule.scope.watchlist for rule in rules.rules if rule.scope.watchlist}
    return named | {audience.watchlist for audience in rules.channels.values()}
