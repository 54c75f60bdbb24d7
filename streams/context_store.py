"""What stands beside an incident's evidence, as known when it fired: price and chart, who else is hit, similar incidents."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from models.chart_reader import UNREADABLE, chart_words
from squall.db.prices import moves_after, price_at
from squall.scopes import parse_scope
from streams.logic.metrics import mean_by_weight
from streams.logic.similar import LEAST, likeness, words_of

OTHERS = 5
SIMILAR = 3
PAST = 500
"""Past incidents that are looked at, the latest first."""

_CHART = """
SELECT id, "end", image FROM chart WHERE company_id = %(company)s AND available_at <= %(end)s
ORDER BY available_at DESC, id LIMIT 1
"""
# What became known after a minute was decided counts for nothing here, as in the evidence.
_OTHERS = """
SELECT s.company_id, count(DISTINCT m.story_id) FROM score s
JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time
WHERE s.event_time >= %(first)s AND s.event_time < %(end)s AND NOT s.late AND m.story_id = ANY(%(stories)s)
  AND s.company_id IS NOT NULL AND s.company_id IS DISTINCT FROM %(company)s
  AND coalesce((s.frozen ->> 'weight')::int, s.weight) > 0
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(most)s
"""
_PAST = """
SELECT id, scope, company_id, fired_at, summary, evidence FROM incident
WHERE fired_at < %(at)s AND id <> %(id)s AND evidence <> '[]' ORDER BY fired_at DESC, id LIMIT %(most)s
"""


def read_context(
    connection: Connection,
    incident_id: str,
    scope: str,
    at: datetime,
    window: timedelta,
    evidence: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
) -> dict[str, Any]:
    """What is frozen beside the evidence of an incident that fires.

    Args:
        at: the minute in which it fires.
        window: the stretch that its evidence comes from.
        names: name by company.

    Returns:
        `price` and `chart` of its company (None: there is none; `words` are what the chart shows), `others` (companies in the
        same stories), `similar` (past incidents, whose `after` is later knowledge of theirs), `impact` and `modalities` (how
        likely a fall of the price is, and how far text, price and chart moved that: means of the evidence by weight; None where
        no story has it).
    """
    end, company = at + timedelta(minutes=1), parse_scope(scope).company_id
    return {
        "price": price_at(connection, company, end) if company else None,
        "chart": _chart(connection, company, end) if company else None,
        "others": _others(connection, company, end - window, end, evidence, names),
        "similar": _similar(connection, incident_id, at, evidence, names, company),
        **_impact(evidence),
    }


def _chart(connection: Connection, company: str, end: datetime) -> dict[str, Any] | None:
    row = connection.exec_driver_sql(_CHART, {"company": company, "end": end}).one_or_none()
    if row is None:
        return None
    words, _ = chart_words(bytes(row.image)) or (None, "")
    return {"id": row.id, "end": row.end, "words": None if words == UNREADABLE else words}


def _impact(evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    said = [story for story in evidence if story.get("impact") is not None]
    if not said:
        return {"impact": None, "modalities": None}
    names = said[0]["impact_shares"]
    return {
        "impact": mean_by_weight((story["impact"], story["weight"]) for story in said),
        "modalities": {name: mean_by_weight((story["impact_shares"][name], story["weight"]) for story in said) for name in names},
    }


def _others(
    connection: Connection,
    company: str | None,
    first: datetime,
    end: datetime,
    evidence: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
) -> list[dict[str, Any]]:
    stories = [story["story_id"] for story in evidence]
    values = {"first": first, "end": end, "stories": stories, "company": company, "most": OTHERS}
    rows = connection.exec_driver_sql(_OTHERS, values)
    return [{"company": key, "name": names.get(key, key), "stories": count} for key, count in rows]


def _similar(
    connection: Connection,
    incident_id: str,
    at: datetime,
    evidence: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    company: str | None,
) -> list[dict[str, Any]]:
    own = words_of((story["title"] for story in evidence), [names.get(company or "", "")])
    found = []
    for key, scope, other, fired, summary, past in connection.exec_driver_sql(_PAST, {"at": at, "id": incident_id, "most": PAST}):
        alike = likeness(own, words_of((story["title"] for story in past), [names.get(other or "", "")]))
        if alike >= LEAST:
            found.append((-alike, -fired.timestamp(), key, scope, other, fired, summary))
    similar = []
    for minus, _, key, scope, other, fired, summary in sorted(found)[:SIMILAR]:
        after = moves_after(connection, other, fired, at) if other else None
        similar.append(
            {"incident": key, "scope": scope, "fired_at": fired, "summary": summary, "likeness": -minus, "after": after}
        )
    return similar
