"""How signals become incidents: pending, firing, acknowledged, resolved. Pure; minutes are integers since 1970.

*pending*: a rule's conditions hold, but not for long enough, or too few stories say so. *firing*: enough do. *acknowledged*: a
person has seen it; only people acknowledge. *resolved*: it has been calm for the rule's `keep_firing_for`, or the rule is gone. A
surge soon after reopens the incident. An incident of a wider scope takes in those under it; they and silenced ones tell nobody.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from msgspec import structs

from squall.acts import matches
from squall.rules import BREADTH, GAUGED, Lists, Rule, RuleSet
from squall.scopes import parse_scope
from streams.logic.incident_types import (
    HOUR,
    Detector,
    Gauge,
    Incident,
    Kind,
    Signal,
    SilenceSpan,
    Step,
    Stories,
    incident_id,
    metrics_of,
    no_gauge,
    window_of,
)

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
        self._updates: dict[Key, Step] = {}
        """The last step of each incident, where that only updated it."""
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

        Of the minutes that only updated an incident, the last one is told, last, unless something else became of it after that.

        Args:
            arrivals: what each minute brought by scope, the minutes ascending, all later than those decided before.
        """
        self._steps, self._updates, self._gauge = [], {}, gauge
        for minute, arrived in arrivals.items():
            self._pass_until(minute - 1, stories)
            self._decide(minute, arrived, stories)
        self._pass_until(until, stories)
        return [*self._steps, *self._updates.values()]

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
        signals = list(self._detector.step(minute, arrived, watched))
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
            stories = cache(stories)  # what opens mostly fires in the same minute, by the same ones
            incident = self._reopened(rule, signal) or self._opened(rule, signal, stories)
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

    def _opened(self, rule: Rule, signal: Signal, stories: Stories) -> Incident:
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
        found = stories(signal.scope, minute, window_of(rule, signal))
        self._keep(Step(kind="opened", minute=minute, incident=incident, signal=signal, stories=found))
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
        key = step.incident.rule, step.incident.scope
        self._open[key] = step.incident
        if step.kind == "updated":
            self._updates[key] = step
        else:
            self._updates.pop(key, None)
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
