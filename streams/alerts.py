"""What is told of an incident, to whom, and together with what."""

import json
from collections.abc import Mapping

from squall.rules import Lists, Rule, RuleSet
from squall.scopes import parse_scope
from squall.settings import Settings

TOPIC = "topic"
CONSOLE = "console"
WEBHOOK = "webhook"


def told(rules: RuleSet, lists: Lists, channel: str, scope: str) -> bool:
    """Whether a channel hears of a scope's incidents; the topic hears of all."""
    audience = rules.channels.get(channel)
    return channel == TOPIC or audience is None or audience.hears(scope, lists)


def channel_names(settings: Settings, rule: Rule | None = None) -> tuple[str, ...]:
    """The channels that a rule's incidents are told on; None: all in force.

    A replay speaks on its own topic only, unless its settings ask for more.
    """
    if settings.namespace and not settings.notify.in_namespaces:
        return (TOPIC,)
    names = settings.notify.channels
    if rule is not None and rule.channels is not None:
        names = tuple(name for name in names if name in rule.channels)
    return (TOPIC, *names)


def group_key(labels: Mapping[str, str]) -> str:
    """Labels that a group's notifications share, as one string."""
    return json.dumps(dict(labels), sort_keys=True)


def group_of(rule: Rule, scope: str, sectors: Mapping[str, str]) -> str:
    """The group of an incident of a rule, as the rule forms groups."""
    parts = parse_scope(scope)
    sector = parts.sector or sectors.get(parts.company_id or "", "")
    labels = {"rule": rule.name, "severity": rule.severity, "sector": sector, "scope": scope}
    return group_key({name: labels[name] for name in rule.group_by})
