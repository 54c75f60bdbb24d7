"""How signals become incidents: pending, firing, acknowledged, resolved. Pure; minutes are integers since 1970.

*pending*: a rule's conditions hold, but not for long enough, or too few stories say so. *firing*: enough do. *acknowledged*: a
person has seen it; only people acknowledge. *resolved*: it has been calm for the rule's `keep_firing_for`, or the rule is gone. A
surge soon after reopens the incident. An incident of a wider scope takes in those under it; they and silenced ones tell nobody.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct, structs

from squall.acts import matches
from squall.records import content_id
from squall.rules import BREADTH, GAUGED, METRICS, Lists, Rule, RuleSet
from squall.scopes import parse_scope

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


Key = tuple[str, str]
"""Rule and scope."""


class Watch:
    """Drives the incidents of all rules through closed minutes.

    It keeps nothing that does not follow from the detector and the incidents' rows, so that `resume` with those from the database
    continues exactly where another left off.

    Args:
        sectors: sector by company.
        lists: watch-lists as they stood when the rules were put in force.
    """

    def __init__(self, rules: RuleSet, detector: Detector, sectors: Mapping[str, str], lists: Lists) -> None:
        self._rules = {rule.name: rule for rule in rules.rules}
        self._order = {rule.name: number for number, rule in enumerate(rules.rules)}
        self._detector = detector
        self._sectors = sectors
        self._lists = lists
        self._covering: dict[str, tuple[Rule, ...]] = {}
        self._open: dict[Key, Incident] = {}
        self._recent: dict[Key, Incident] = {}
        self._minute = -1
        self._silences: tuple[SilenceSpan, ...] = ()
        self._steps: list[Step] = []
        self._gauge: Gauge = no_gauge
        self._silence = min((rule.silence for rule in rules.rules if rule.silence is not None), default=None)
        """The lowest level of silence that a rule goes by."""

    @property
    def reopen_within(self) -> int:
        """Minutes after its end in which an incident may reopen, at most."""
        return max(rule.reopen_within for rule in self._rules.values())

    def resume(self, incidents: Iterable[Incident], minute: int, silences: Iterable[SilenceSpan] = ()) -> list[Step]:
        """Take over the incidents as they stand after `minute`, the last one decided: those that are open, and those resolved
        within `reopen_within`. What no rule watches any more is resolved in the next minute; returns those steps."""
        self._open, self._recent, self._minute = {}, {}, minute
        self._silences = tuple(sorted(silences))
        steps = []
        for incident in sorted(incidents, key=lambda one: (one.opened, one.rule, one.scope)):
            key = incident.rule, incident.scope
            rule = self._rules.get(incident.rule)
            if incident.state == "resolved":
                if rule is not None:
                    self._recent[key] = incident
            elif rule is None or rule not in self._rules_of(incident.scope):
                reason = "the rule was removed" if rule is None else "the rule no longer covers it"
                gone = structs.replace(incident, state="resolved", resolved=minute + 1, updated=minute + 1)
                steps.append(Step(kind="resolved", minute=minute + 1, incident=gone, tell=gone.told is not None, reason=reason))
            else:
                self._open[key] = incident
        return steps

    def run(self, arrivals: Mapping[int, Mapping[str, Any]], until: int, stories: Stories, gauge: Gauge = no_gauge) -> list[Step]:
        """Decide all minutes up to `until`, in order; minutes in which nothing can change are passed over.

        Args:
            arrivals: what each minute brought by scope, the minutes ascending, all later than those decided before.
        """
        self._steps, self._gauge = [], gauge
        for minute, arrived in arrivals.items():
            self._pass_until(minute - 1, stories)
            self._decide(minute, arrived, stories)
        self._pass_until(until, stories)
        return self._steps

    def _pass_until(self, until: int, stories: Stories) -> None:
        while self._minute < until:
            if self._open:
                following = self._minute + 1
            elif self._silence is not None:
                following = _hours_end(self._minute + 1)
            else:
                break
            if following > until:
                break
            self._decide(following, {}, stories)
        self._minute = until

    def _decide(self, minute: int, arrived: Mapping[str, Any], stories: Stories) -> None:
        self._minute = minute
        watched = {scope for _, scope in self._open}
        if arrived:
            signals = list(self._detector.step(minute, arrived, watched))
        else:
            signals = [self._detector.at(scope, minute) for scope in watched]
        silent: set[str] = set()
        if self._silence is not None and minute == _hours_end(minute):
            silent.update(self._detector.silent(minute, self._silence))
            signals += [self._detector.at(scope, minute) for scope in sorted(silent - watched - arrived.keys())]
        # The widest first: what they take in this minute, they take in before it tells anybody.
        for signal in sorted(signals, key=lambda one: _breadth(one.scope)):
            for rule in self._rules_of(signal.scope):
                # Time alone makes nothing worse but a silence, which is looked at when an hour ends.
                may_open = signal.scope in (arrived if rule.silence is None else silent)
                self._judge(rule, signal, may_open, stories)

    def _rules_of(self, scope: str) -> tuple[Rule, ...]:
        found = self._covering.get(scope)
        if found is None:
            found = tuple(rule for rule in self._rules.values() if rule.scope.covers(scope, self._sectors, self._lists))
            self._covering[scope] = found
        return found

    def _judge(self, rule: Rule, signal: Signal, may_open: bool, stories: Stories) -> None:
        key, minute, metrics = (rule.name, signal.scope), signal.minute, metrics_of(signal)
        incident = self._open.get(key)
        if rule.is_gauged and (incident is not None or (may_open and rule.holds(metrics, GAUGED))):
            signal = signal._replace(**self._gauge(signal.scope, minute))
            metrics = metrics_of(signal)
        holds = rule.holds(metrics)
        if incident is None:
            if not (may_open and holds):
                return
            incident = self._reopened(rule, signal) or self._opened(rule, signal)
        calm = rule.is_calm(metrics)
        incident = structs.replace(
            incident,
            updated=minute,
            surprise=signal.surprise,
            peak=max(incident.peak, signal.surprise),
            holds_since=_since(incident.holds_since, holds, minute),
            calm_since=_since(incident.calm_since, calm, minute),
        )
        self._keep(Step(kind="updated", minute=minute, incident=incident, signal=signal))
        incident = self._roll_up(rule, self._fire(rule, incident, signal, may_open, stories), signal)
        incident = self._tell(rule, incident, signal)
        if incident.calm_since is not None and minute - incident.calm_since >= rule.keep_firing_for:
            self._resolve(incident, signal)

    def _opened(self, rule: Rule, signal: Signal) -> Incident:
        minute = signal.minute
        incident = Incident(
            id=incident_id(rule.name, signal.scope, minute),
            rule=rule.name,
            scope=signal.scope,
            state="pending",
            opened=minute,
            updated=minute,
            surprise=signal.surprise,
            peak=signal.surprise,
        )
        self._keep(Step(kind="opened", minute=minute, incident=incident, signal=signal))
        return incident

    def _reopened(self, rule: Rule, signal: Signal) -> Incident | None:
        recent = self._recent.get((rule.name, signal.scope))
        if recent is None or recent.fired is None or recent.resolved is None:
            return None
        if signal.minute - recent.resolved > rule.reopen_within:
            return None
        incident = structs.replace(
            recent,
            state="pending",
            resolved=None,
            told=None,
            parent=None,
            holds_since=None,
            calm_since=None,
            updated=signal.minute,
        )
        self._keep(Step(kind="reopened", minute=signal.minute, incident=incident, signal=signal))
        return incident

    def _fire(self, rule: Rule, incident: Incident, signal: Signal, arrived: bool, stories: Stories) -> Incident:
        minute = signal.minute
        if incident.state != "pending" or incident.holds_since is None:
            return incident
        held = minute - incident.holds_since
        if held < rule.hold or not (arrived or held == rule.hold):
            return incident
        found = stories(signal.scope, minute, window_of(rule, signal))
        if len(found) < rule.min_stories or len({one.company for one in found if one.company}) < rule.min_companies:
            return incident
        first = minute if incident.fired is None else incident.fired
        fired = structs.replace(incident, state="firing", fired=first)
        self._keep(Step(kind="fired", minute=minute, incident=fired, signal=signal, stories=found))
        return fired

    def _roll_up(self, rule: Rule, incident: Incident, signal: Signal) -> Incident:
        if not rule.inhibited_by or incident.state not in ("firing", "acknowledged"):
            return incident
        parent = self._parent_of(rule, incident.scope)
        if parent == incident.parent:
            return incident
        kind: Kind = "released" if parent is None else "rolled_up"
        moved = structs.replace(incident, parent=parent)
        self._keep(Step(kind=kind, minute=signal.minute, incident=moved, signal=signal, reason=parent or incident.parent))
        return moved

    def _parent_of(self, rule: Rule, scope: str) -> str | None:
        wider = [
            one
            for one in self._open.values()
            if one.rule in rule.inhibited_by and one.state in ("firing", "acknowledged") and self._takes_in(one.scope, scope)
        ]
        wider.sort(key=lambda one: (*_breadth(one.scope), self._order[one.rule]))
        return wider[0].id if wider else None

    def _takes_in(self, wide: str, scope: str) -> bool:
        outer, inner = parse_scope(wide), parse_scope(scope)
        if BREADTH[outer.kind] >= BREADTH[inner.kind]:
            return False
        if outer.kind == "sector":
            return inner.company_id is not None and self._sectors.get(inner.company_id) == outer.sector
        if outer.kind == "topic":
            return inner.topic == outer.topic
        return outer.kind == "market" or inner.company_id == outer.company_id

    def _tell(self, rule: Rule, incident: Incident, signal: Signal) -> Incident:
        minute = signal.minute
        if incident.state != "firing" or self.quiet_by(incident, minute) is not None:
            return incident
        again = incident.told is not None and rule.repeat > 0 and minute - incident.told >= rule.repeat
        if incident.told is not None and not again:
            return incident
        told = structs.replace(incident, told=minute)
        kind: Kind = "repeated" if again else "told"
        self._keep(Step(kind=kind, minute=minute, incident=told, signal=signal, tell=True))
        return told

    def quiet_by(self, incident: Incident, minute: int) -> str | None:
        """What keeps an incident from telling people in a minute: a silence, or the incident that has taken it in."""
        if incident.parent is not None:
            return f"incident {incident.parent}"
        for silence in self._silences:
            if silence.start <= minute < silence.end and matches(silence.pattern, incident.scope):
                return f"silence {silence.id}"
        return None

    def _resolve(self, incident: Incident, signal: Signal) -> None:
        key, minute = (incident.rule, incident.scope), signal.minute
        resolved = structs.replace(incident, state="resolved", resolved=minute)
        self._keep(Step(kind="resolved", minute=minute, incident=resolved, signal=signal, tell=incident.told is not None))
        del self._open[key]
        self._recent[key] = resolved

    def _keep(self, step: Step) -> None:
        self._open[step.incident.rule, step.incident.scope] = step.incident
        self._steps.append(step)


def _since(since: int | None, holds: bool, minute: int) -> int | None:
    if not holds:
        return None
    return minute if since is None else since


def _hours_end(minute: int) -> int:
    """The last minute of a minute's hour."""
    return minute // HOUR * HOUR + HOUR - 1


def _breadth(scope: str) -> tuple[int, str]:
    return BREADTH[parse_scope(scope).kind], scope


def inputs(rule: Rule, version: str, signal: Signal, stories: int) -> dict[str, Any]:
    """What a decision was made from, as it stays with the incident."""
    unasked = ("scope", "minute", "surprise", *(("silence", "awaited") if rule.silence is None else ()))
    seen = {name: round(value, 6) if isinstance(value, float) else value for name, value in signal._asdict().items()}
    return {
        **{name: value for name, value in seen.items() if name not in unasked and (value is not None or name not in GAUGED)},
        "window_min": window_of(rule, signal),
        "stories": stories,
        "rule": rule.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "rule_version": rule.version,
        "rules_version": version,
    }


def line_of(rule: Rule, signal: Signal) -> float:
    """The surprise at which a rule fires, as far as it goes by surprise; else the level of its first condition."""
    for condition in rule.when:
        if condition.metric == "surprise":
            return condition.level
        if condition.metric == "excess":
            return condition.level + float(getattr(signal, "line", 0.0))
    return rule.when[0].level


def summary(name: str, rule: Rule, signal: Signal, stories: int) -> str:
    """A sentence for people: `Facebook: 9 negative stories in 6 h, weight 6.1 where 0.3 was expected`."""
    if rule.silence is not None:
        return f"{name}: no news where {getattr(signal, 'awaited', 0.0):.0f} articles were expected by now"
    length = window_of(rule, signal)
    window = f"{length // 60} h" if length % 60 == 0 else f"{length} min"
    noun = "story" if stories == 1 else "stories"
    expected = f"{signal.expected:.2g}" if signal.expected >= 0.01 else "less than 0.01"
    return f"{name}: {stories} negative {noun} in {window}, weight {signal.mass:.1f} where {expected} was expected"
