"""What an incident says of itself: the figures it was decided from, and a sentence for people. Pure."""

from typing import Any

from squall.rules import GAUGED, Rule
from streams.logic.incident_types import Signal, window_of


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
