"""Writes what the incidents' steps say: rows, audit and notifications, in the transaction of the decision."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from squall.db.readback import read_names
from squall.db.rules import InForce
from squall.records import Alert, encode
from squall.rules import Rule
from squall.scopes import scope_name
from squall.settings import Settings
from streams import incident_store as store
from streams.alerts import CONSOLE, TOPIC, channel_names, group_key, group_of, told
from streams.context_store import read_context
from streams.logic.incident_types import EVIDENCE_ROWS, Signal, Step, at_minute, window_of
from streams.logic.incident_words import inputs, line_of, summary

log = structlog.get_logger("squall.watch")

# What the topic's readers get, whether people are told or not.
ANNOUNCED = ("fired", "resolved")


class IncidentWriter:
    """Writes the steps of one chunk of minutes.

    Args:
        sectors: sector by company, for groups.
    """

    def __init__(self, connection: Connection, settings: Settings, rules: InForce, sectors: Mapping[str, str]) -> None:
        self._connection = connection
        self._settings = settings
        self._rules = rules
        self._sectors = sectors
        self._names = read_names(connection)

    def write(self, steps: Sequence[Step]) -> None:
        """Write them all, in order."""
        self._write_rows(steps)
        self._write_context(steps)
        frozen = store.read_frozen(self._connection, {step.incident.id for step in steps})
        for step in steps:
            if step.kind != "updated":
                self._record(step, frozen[step.incident.id])

    def _name(self, scope: str) -> str:
        return scope_name(scope, *self._names)

    def _write_rows(self, steps: Sequence[Step]) -> None:
        opened: dict[str, dict[str, Any]] = {}
        changed: dict[str, dict[str, Any]] = {}
        for step in steps:
            key = step.incident.id
            if step.kind == "opened" and step.signal is not None:
                opened[key] = self._row(step, step.signal)
                continue
            row = opened[key] if key in opened else changed.setdefault(key, {})
            row |= store.columns_of(step.incident)
            if _fires_first(step) and step.signal is not None:
                row |= self._frozen(step, step.signal)
        # What resolved is written first: only one incident of a rule and scope may be open.
        for key, row in sorted(changed.items(), key=lambda item: item[1]["state"] != "resolved"):
            store.update_incident(self._connection, key, row)
        for row in opened.values():
            store.insert_incident(self._connection, row)

    def _write_context(self, steps: Sequence[Step]) -> None:
        """After all rows, in order of time: an incident's past may have been written with it."""
        for step in steps:
            if _fires_first(step) and step.signal is not None:
                incident = step.incident
                evidence = msgspec.to_builtins(step.stories[:EVIDENCE_ROWS])
                window = timedelta(minutes=window_of(self._rule(step), step.signal))
                context = read_context(
                    self._connection, incident.id, incident.scope, at_minute(step.minute), window, evidence, self._names[0]
                )
                store.update_incident(self._connection, incident.id, {"context": context})

    def _row(self, step: Step, signal: Signal) -> dict[str, Any]:
        rule = self._rule(step)
        return {
            "id": step.incident.id,
            "rule": rule.name,
            "rule_version": self._rules.version,
            "scope": step.incident.scope,
            "severity": rule.severity,
            "opened_at": at_minute(step.incident.opened),
            "threshold": line_of(rule, signal),
            **store.columns_of(step.incident),
            **self._frozen(step, signal),
        }

    def _rule(self, step: Step) -> Rule:
        rule = self._rules.rules.named(step.incident.rule)
        if rule is None:
            raise LookupError(step.incident.rule)
        return rule

    def _frozen(self, step: Step, signal: Signal) -> dict[str, Any]:
        """The columns that stay as they were when the incident opened, and then when it fired."""
        rule, stories = self._rule(step), len(step.stories)
        return {
            "summary": summary(self._name(step.incident.scope), rule, signal, stories),
            "inputs": inputs(rule, self._rules.version, signal, stories),
            "evidence": step.stories[:EVIDENCE_ROWS],
        }

    def _record(self, step: Step, frozen: store.Frozen) -> None:
        incident, at = step.incident, at_minute(step.minute)
        detail: dict[str, Any] = {"reason": step.reason} if step.reason else {}
        if step.signal is not None:
            detail |= {
                "surprise": round(step.signal.surprise, 4),
                "mass": round(step.signal.mass, 6),
                "expected": round(step.signal.expected, 6),
            }
        number = store.add_event(self._connection, incident.id, at=at, kind=step.kind, state=incident.state, detail=detail)
        announced = step.kind in ANNOUNCED and incident.fired is not None
        if not (announced or step.tell):
            return
        if announced:
            log.info("incident", kind=step.kind, scope=incident.scope, at=at.isoformat(), surprise=incident.surprise)
        rule = self._rules.rules.named(incident.rule)
        ended = f": {step.reason}" if step.reason else ": back to normal"
        alert = Alert(
            incident_id=incident.id,
            rule=incident.rule,
            scope=incident.scope,
            scope_name=self._name(incident.scope),
            state=incident.state,
            severity=frozen.severity,
            at=at,
            since=at_minute(incident.opened),
            surprise=incident.surprise,
            threshold=frozen.threshold,
            summary=self._name(incident.scope) + ended if step.kind == "resolved" else frozen.summary,
            evidence=tuple(frozen.evidence),
            chart=frozen.chart,
        )
        for channel in channel_names(self._settings, rule):
            if (announced if channel == TOPIC else step.tell) and told(
                self._rules.rules, self._rules.lists, channel, incident.scope
            ):
                self._leave(channel, number, rule, alert)

    def _leave(self, channel: str, number: int, rule: Rule | None, alert: Alert) -> None:
        payload = encode(alert)
        if channel in (TOPIC, CONSOLE) or rule is None:
            group = group_key({"incident": alert.incident_id})
            store.add_outbox(self._connection, alert.incident_id, number, channel, payload, group=group)
            return
        group, times = group_of(rule, alert.scope, self._sectors), self._rules.rules.group
        store.add_outbox(
            self._connection, alert.incident_id, number, channel, payload,
            group=group, wait_s=times.wait, interval_s=times.interval,
        )  # fmt: skip


def _fires_first(step: Step) -> bool:
    """Whether an incident fires, and has never fired before."""
    return step.kind == "fired" and step.incident.fired == step.minute
