"""The newest received charts of companies at instants, and their images."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from squall.records import Mention
from streams.logic.bar_history import STALE

_NEWEST = """
SELECT asked.id, newest.id
FROM unnest(%(ids)s::text[], %(companies)s::text[], %(times)s::timestamptz[]) AS asked (id, company, at)
CROSS JOIN LATERAL (
    SELECT id FROM chart WHERE company_id = asked.company AND available_at <= asked.at AND available_at > asked.at - %(stale)s
    ORDER BY available_at DESC, id LIMIT 1
) newest
"""
_IMAGES = "SELECT id, image FROM chart WHERE id = ANY(%(ids)s)"


def newest_charts(connection: Connection, mentions: Sequence[Mention]) -> dict[str, str]:
    """By mention the id of its company's chart that was the newest at its time; none where that had been known for ten days."""
    if not mentions:
        return {}
    values = {
        "ids": [mention.id for mention in mentions],
        "companies": [mention.company_id for mention in mentions],
        "times": [mention.event_time for mention in mentions],
        "stale": STALE,
    }
    return {row[0]: row[1] for row in connection.exec_driver_sql(_NEWEST, values)}


def chart_images(connection: Connection, ids: Collection[str]) -> dict[str, bytes]:
    """Images as they came, by the chart's id."""
    return {row[0]: bytes(row[1]) for row in connection.exec_driver_sql(_IMAGES, {"ids": list(ids)})} if ids else {}
