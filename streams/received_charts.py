"""The newest received chart of companies at instants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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


class Received(NamedTuple):
    """A chart as it came: its id, and the bytes of its image."""

    id: str
    image: bytes


def received_charts(connection: Connection, mentions: Sequence[Mention]) -> dict[str, Received]:
    """By mention the chart of its company that was the newest at its time; none where that had been known for ten days."""
    if not mentions:
        return {}
    values = {
        "ids": [mention.id for mention in mentions],
        "companies": [mention.company_id for mention in mentions],
        "times": [mention.event_time for mention in mentions],
        "stale": STALE,
    }
    newest: dict[str, str] = {row[0]: row[1] for row in connection.exec_driver_sql(_NEWEST, values)}
    rows = connection.exec_driver_sql(_IMAGES, {"ids": sorted(set(newest.values()))})
    charts = {key: Received(key, bytes(image)) for key, image in rows}
    return {mention: charts[chart] for mention, chart in newest.items()}
