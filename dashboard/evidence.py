"""Reading what an incident carries as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard.formats import web_link
from dashboard.rows import Evidence


def read_evidence(items: Sequence[Mapping[str, Any]]) -> tuple[Evidence, ...]:
    """The articles that an incident rests on, heaviest first as stored."""
    return tuple(
        Evidence(
            title=str(item.get("title") or "Headline not kept"),
            url=web_link(item.get("url")),
            source=str(item.get("source") or ""),
            at=_time(item.get("event_time")),
            sentiment=_difference(item.get("positive"), item.get("negative")),
            weight=_number(item.get("weight")),
            articles=int(_number(item.get("story_articles")) or 1),
            impact=_number(item.get("impact")),
        )
        for item in items
    )


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _difference(positive: object, negative: object) -> float | None:
    above, below = _number(positive), _number(negative)
    return None if above is None or below is None else above - below


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
