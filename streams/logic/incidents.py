"""How signals become incidents: pending, firing, acknowledged, resolved. Pure; minutes are integers since 1970.

*pending*: the surprise is above the line, but too few stories say so. *firing*: enough do. *acknowledged*: a person has seen it;
only people acknowledge. *resolved*: the surprise has stayed below the resolve level for `keep_firing_min`.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct, structs

from squall.records import content_id
from squall.settings import RuleSettings
from streams.logic.mood import Sums
from streams.logic.surge import Detector, Rule, Signal

State = Literal["pending", "firing", "acknowledged", "resolved"]
Kind = Literal["opened", "fired", "updated", "resolved"]
EVIDENCE_ROWS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Incident(Struct, frozen=True, kw_only=True):
    """A surge in a scope. Surprises are those of the latest and of the highest minute."""

    id: str
    scope: str
    state: State
    opened: int
    fired: int | None = None
    resolved: int | None = None
    updated: int
    surprise: float
    peak: float


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


class Step(Struct, frozen=True):
    """What a minute did to an incident. `stories` are those that made it open or fire, heaviest first."""

    kind: Kind
    incident: Incident
    signal: Signal
    stories: tuple[Evidence, ...] = ()


Stories = Callable[[str, int], tuple[Evidence, ...]]
"""The negative stories of a scope in the window that ends with a minute, heaviest first."""


def at_minute(minute: int) -> datetime:
    """The start of a minute, in UTC."""
    return _EPOCH + minute * _MINUTE


def minute_number(at: datetime) -> int:
    """The minute in which an instant lies."""
    return (at - _EPOCH) // _MINUTE


def incident_id(rule: str, scope: str, opened: int) -> str:
    """Id of the incident of a rule and scope that opened in a minute."""
    return content_id("incident", rule, scope, at_minute(opened).isoformat())


def is_surge(signal: Signal, rule: RuleSettings) -> bool:
    """Whether surprise and share of negative are both up."""
    return signal.surprise >= rule.fire and signal.negative_share >= rule.min_negative_share


class Watch:
    """Drives the incidents of one rule through closed minutes.

    It keeps nothing that does not follow from the detector's past and the incidents' rows, so that `resume` with those from the
    database continues exactly where another left off.
    """

    def __init__(self, rule: Rule, detector: Detector) -> None:
        self._rule = rule
        self._settings = rule.settings
        self._detector = detector
        self._open: dict[str, Incident] = {}
        self._calm_since: dict[str, int] = {}
        self._wake: dict[str, int] = {}

    def resume(self, incidents: Iterable[Incident], minute: int) -> None:
        """Take over the open incidents as they stand after `minute`, the last one decided."""
        self._open = {incident.scope: incident for incident in incidents}
        self._calm_since = {}
        self._wake = {}
        for incident in self._open.values():
            calm = self._calm_before(incident, minute)
            if calm is not None:
                self._calm_since[incident.scope] = calm
            self._set_wake(incident.scope, minute)

    def _calm_before(self, incident: Incident, minute: int) -> int | None:
        calm = None
        for earlier in range(minute, max(incident.opened, minute - self._settings.keep_firing_min) - 1, -1):
            if self._detector.at(incident.scope, earlier).surprise >= self._settings.resolve:
                break
            calm = earlier
        return calm

    def run(self, arrivals: Mapping[int, Mapping[str, Sums]], until: int, stories: Stories) -> list[Step]:
        """Decide all minutes up to `until`, in order; minutes in which nothing can change are passed over.

        Args:
            arrivals: what each minute brought by scope, the minutes ascending, all later than those decided before.
        """
        steps: list[Step] = []
        for minute, arrived in arrivals.items():
            self._quiet_until(minute - 1, stories, steps)
            due = [scope for scope, wake in self._wake.items() if wake <= minute]
            for signal in self._detector.step(minute, arrived, due):
                self._judge(signal, signal.scope in arrived, stories, steps)
        self._quiet_until(until, stories, steps)
        return steps

    def _quiet_until(self, until: int, stories: Stories, steps: list[Step]) -> None:
        while self._wake:
            minute = min(self._wake.values())
            if minute > until:
                return
            for scope in sorted(scope for scope, wake in self._wake.items() if wake <= minute):
                self._judge(self._detector.at(scope, minute), False, stories, steps)

    def _judge(self, signal: Signal, arrived: bool, stories: Stories, steps: list[Step]) -> None:
        # Only a minute that brings something can open or fire: time alone makes nothing worse.
        surging = arrived and is_surge(signal, self._settings)
        incident = self._open.get(signal.scope)
        if incident is None and not surging:
            return
        undecided = surging and (incident is None or incident.state == "pending")
        found = stories(signal.scope, signal.minute) if undecided else ()
        if incident is None:
            incident = self._opened(signal)
            self._keep(Step("opened", incident, signal, found), steps)
        else:
            peak = max(incident.peak, signal.surprise)
            incident = structs.replace(incident, updated=signal.minute, surprise=signal.surprise, peak=peak)
            self._keep(Step("updated", incident, signal), steps)
        if undecided and len(found) >= self._settings.min_stories:
            fired = structs.replace(incident, state="firing", fired=signal.minute)
            self._keep(Step("fired", fired, signal, found), steps)
        self._calm_down(signal, steps)

    def _opened(self, signal: Signal) -> Incident:
        minute = signal.minute
        return Incident(
            id=incident_id(self._rule.name, signal.scope, minute),
            scope=signal.scope,
            state="pending",
            opened=minute,
            updated=minute,
            surprise=signal.surprise,
            peak=signal.surprise,
        )

    def _calm_down(self, signal: Signal, steps: list[Step]) -> None:
        scope, minute = signal.scope, signal.minute
        if signal.surprise >= self._settings.resolve:
            self._calm_since.pop(scope, None)
        else:
            since = self._calm_since.setdefault(scope, minute)
            if minute - since >= self._settings.keep_firing_min:
                resolved = structs.replace(self._open[scope], state="resolved", resolved=minute)
                self._keep(Step("resolved", resolved, signal), steps)
                del self._open[scope], self._calm_since[scope]
                self._wake.pop(scope, None)
                return
        self._set_wake(scope, minute)

    def _keep(self, step: Step, steps: list[Step]) -> None:
        self._open[step.incident.scope] = step.incident
        steps.append(step)

    def _set_wake(self, scope: str, minute: int) -> None:
        wake = self._detector.next_change(scope, minute)
        since = self._calm_since.get(scope)
        if since is not None:
            wake = min(wake, since + self._settings.keep_firing_min)
        self._wake[scope] = max(wake, minute + 1)


def inputs(rule: Rule, signal: Signal, stories: int) -> dict[str, Any]:
    """What a decision was made from, as it stays with the incident."""
    return {
        "window_min": rule.settings.window_min,
        "mass": round(signal.mass, 6),
        "expected": signal.expected,
        "mentions": signal.mentions,
        "negative_share": signal.negative_share,
        "stories": stories,
        "baseline_mass": round(signal.baseline_mass, 6),
        "baseline_min": signal.baseline_min,
        "rule": rule.settings.model_dump(mode="json"),
        "rule_version": rule.version,
    }


def summary(name: str, rule: RuleSettings, signal: Signal, stories: int) -> str:
    """A sentence for people: `Facebook: 9 negative stories in 6 h, weight 6.1 where 0.3 was expected`."""
    hours, minutes = divmod(rule.window_min, 60)
    window = f"{hours} h" if not minutes else f"{rule.window_min} min"
    noun = "story" if stories == 1 else "stories"
    return f"{name}: {stories} negative {noun} in {window}, weight {signal.mass:.1f} where {signal.expected:.2g} was expected"
