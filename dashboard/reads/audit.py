"""Who changed what and when: the pages' audit, and what the command line did to incidents, silences, rules and models."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.queries import Reader

MOST = 300
KINDS: Mapping[str, tuple[str, ...]] = {
    "Incidents": ("incident", "silence"),
    "Labels": ("label",),
    "Watch-lists": ("watchlist",),
    "Models and rules": ("model", "rules"),
    "People": ("user", "login", "logout"),
}
"""First words of acts, by what they are about; `redrive` has a place in the whole list only."""

# What the pages do stands in the audit already, a moment from the entry in the incident's own or the silence's.
_ONCE = """NOT EXISTS (SELECT FROM audit a WHERE a.actor = {actor} AND a.act LIKE 'incident %'
    AND a.at BETWEEN {at} - interval '5 seconds' AND {at} + interval '5 seconds')"""
_SQL = f"""
WITH told AS (
    SELECT at, actor, act, subject, detail, address FROM audit
    UNION ALL SELECT at, actor, 'model ' || kind, to_version, jsonb_build_object('from', from_version, 'reason', reason), ''
    FROM promotion
    UNION ALL SELECT applied_at, author, 'rules apply', version, '{{}}', '' FROM rule_set
    UNION ALL SELECT recorded_at, actor, 'incident ' || kind, incident_id, detail, '' FROM incident_event e
    WHERE kind IN ('acknowledged', 'note', 'marked_false', 'unmarked_false')
      AND {_ONCE.format(actor="e.actor", at="e.recorded_at")}
    UNION ALL SELECT created_at, author, 'silence add', pattern, jsonb_build_object('reason', reason), '' FROM silence s
    WHERE {_ONCE.format(actor="s.author", at="s.created_at")}),
newest AS (
    SELECT *, split_part(act, ' ', 1) AS kind FROM told
    WHERE (CAST(:actor AS text) IS NULL OR actor = :actor)
      AND (CAST(:kinds AS text[]) IS NULL OR split_part(act, ' ', 1) = ANY(:kinds))
    ORDER BY at DESC LIMIT :most)
SELECT n.at, n.actor, n.act, n.subject, n.detail, n.address, i.scope,
       (SELECT a.title FROM mention m JOIN article a ON a.id = m.article_id
        WHERE n.kind = 'label' AND m.id = n.subject) AS headline
FROM newest n LEFT JOIN incident i ON n.kind = 'incident' AND i.id = n.subject ORDER BY n.at DESC
"""


@dataclass(frozen=True)
class Change:
    """One change. `scope` and `headline`: of the incident or the labelled item that was changed."""

    at: datetime
    actor: str
    act: str
    subject: str
    detail: Mapping[str, Any]
    address: str
    scope: str | None
    headline: str | None


def changes(reader: Reader, kind: str = "", actor: str | None = None) -> list[Change]:
    """The newest changes.

    Args:
        kind: one of `KINDS`; empty: all.
        actor: who made them; None: anybody.
    """
    kinds = list(KINDS[kind]) if kind in KINDS else None
    return reader.rows(Change, _SQL, kinds=kinds, actor=actor, most=MOST)
