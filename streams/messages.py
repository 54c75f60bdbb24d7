"""What alerts say: a few plain lines for people, and the form that receivers of Alertmanager's webhooks understand."""

import json
from collections.abc import Sequence
from typing import Any

from squall.records import Alert
from squall.settings import Settings

GLYPHS = {"critical": "◆", "high": "▲", "medium": "●", "info": "○"}
HEADLINES = 3
NO_END = "0001-01-01T00:00:00Z"


def link_base(settings: Settings) -> str:
    """Address of the dashboard as links begin with it."""
    dashboard = settings.dashboard
    return (settings.notify.link_base or f"http://{dashboard.host}:{dashboard.port}").rstrip("/")


def link_of(alert: Alert, base: str) -> str:
    """Address of an alert's incident on the dashboard."""
    return f"{base}/incidents?sel={alert.incident_id}"


def lines_of(alert: Alert) -> str:
    """An alert as people read it on a terminal, what it rests on below."""
    glyph = GLYPHS.get(alert.severity, "○")
    lines = [f"{glyph} {alert.severity.upper()} {alert.state}  {alert.at:%Y-%m-%d %H:%M} UTC  {alert.summary}"]
    return "\n".join([*lines, *(f"    {line}" for line in _grounds(alert))])


def title_of(alerts: Sequence[Alert]) -> str:
    """One line for a delivery: `▲ HIGH firing: Boeing`, or how many there are of which rule."""
    first = alerts[0]
    if len(alerts) == 1:
        return f"{GLYPHS.get(first.severity, '○')} {first.severity.upper()} {first.state}: {first.scope_name}"
    firing = sum(alert.state != "resolved" for alert in alerts)
    rules = ", ".join(sorted({alert.rule for alert in alerts}))
    return f"{GLYPHS.get(first.severity, '○')} {len(alerts)} alerts of {rules}: {firing} firing, {len(alerts) - firing} resolved"


def body_of(alerts: Sequence[Alert], base: str) -> str:
    """The text of a delivery: of each alert its summary, what it rests on, and a link."""
    return "\n\n".join("\n".join([alert.summary, *_grounds(alert), link_of(alert, base)]) for alert in alerts)


def alertmanager_payload(alerts: Sequence[Alert], *, channel: str, group_key: str, base: str) -> dict[str, Any]:
    """A delivery in version 4 of Alertmanager's webhook format; of each incident the latest alert counts."""
    latest = list({alert.incident_id: alert for alert in alerts}.values())
    found = [_alertmanager(alert, base) for alert in latest]
    names = {"rule": "alertname"}
    return {
        "version": "4",
        "groupKey": group_key,
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in found) else "resolved",
        "receiver": channel,
        "groupLabels": {names.get(name, name): value for name, value in json.loads(group_key).items()},
        "commonLabels": _common([one["labels"] for one in found]),
        "commonAnnotations": _common([one["annotations"] for one in found]),
        "externalURL": base,
        "alerts": found,
    }


def _alertmanager(alert: Alert, base: str) -> dict[str, Any]:
    resolved = alert.state == "resolved"
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {
            "alertname": alert.rule,
            "severity": alert.severity,
            "scope": alert.scope,
            "name": alert.scope_name,
            "incident": alert.incident_id,
        },
        "annotations": {
            "summary": alert.summary,
            "description": "\n".join(_grounds(alert)),
            "surprise": f"{alert.surprise:.2f}",
            "threshold": f"{alert.threshold:.2f}",
        },
        "startsAt": alert.since.isoformat(),
        "endsAt": alert.at.isoformat() if resolved else NO_END,
        "generatorURL": link_of(alert, base),
        "fingerprint": alert.incident_id[:16],
    }


def _common(found: Sequence[dict[str, str]]) -> dict[str, str]:
    return {name: value for name, value in found[0].items() if all(one.get(name) == value for one in found)}


def _grounds(alert: Alert) -> list[str]:
    """What it rests on: its heaviest headlines, and what the chart shows."""
    headlines = [f"{story['title']} ({story['source']})" for story in alert.evidence[:HEADLINES]]
    return headlines if alert.chart is None else [*headlines, f"Chart: {alert.chart}"]
