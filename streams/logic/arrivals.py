"""What scored mentions bring to their scopes, story by story. Pure."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from squall.records import MILLION
from squall.scopes import Kind, company_scope, parse_scope
from streams.logic.detection import Arrival, mark_of
from streams.logic.mood import Contribution, Sums, parts_of

Minutes = dict[int, dict[str, Arrival]]
Seen = tuple[str, str]
"""A scope, and a story that has reached it."""


class Item(NamedTuple):
    """A scored mention as it counts for decisions."""

    minute: int
    article_id: str
    story_id: str
    contribution: Contribution


def scopes_of(item: Item) -> list[str]:
    """The scopes that a mention counts for."""
    return [scope for scope, _ in parts_of(item.contribution)]


def arrivals_of(items: Iterable[Item], seen: Collection[Seen], kinds: Collection[Kind]) -> Minutes:
    """What each minute brought by scope, minutes ascending.

    Args:
        items: in order of event time and article.
        seen: the stories that reached a scope before the first of them.
        kinds: the kinds of scope wanted.
    """
    first: dict[Seen, str] = dict.fromkeys(seen, "")
    mentions: dict[int, dict[str, int]] = {}
    stories: dict[tuple[int, str], dict[str, Sums]] = {}
    topics: dict[Seen, str] = {}
    sectors: dict[str, str] = {}
    for item in items:
        for scope, sums in parts_of(item.contribution):
            if parse_scope(scope).kind not in kinds:
                continue
            counts = mentions.setdefault(item.minute, {})
            counts[scope] = counts.get(scope, 0) + 1
            # The first article's parts count together: it may name several companies of the scope.
            if first.setdefault((scope, item.story_id), item.article_id) == item.article_id:
                parts = stories.setdefault((item.minute, scope), {})
                parts[item.story_id] = parts[item.story_id].plus(sums) if item.story_id in parts else sums
                topics[scope, item.story_id] = item.contribution.topic
        if item.contribution.company_id is not None:
            sectors[company_scope(item.contribution.company_id)] = item.contribution.sector or ""
    return {
        minute: {
            scope: _arrival(
                [(topics[scope, story], part) for story, part in stories.get((minute, scope), {}).items()],
                counts[scope],
                sectors.get(scope, ""),
            )
            for scope in sorted(counts)
        }
        for minute, counts in sorted(mentions.items())
    }


def _arrival(stories: list[tuple[str, Sums]], mentions: int, sector: str) -> Arrival:
    parts = [part for _, part in stories]
    by_topic: dict[str, int] = {}
    for topic, part in stories:
        by_topic[topic] = by_topic.get(topic, 0) + part.items
    return Arrival(
        marks=tuple(sorted((_mark(part) for part in parts), reverse=True)),
        weights=tuple(sorted((part.weight / MILLION for part in parts), reverse=True)),
        mentions=mentions,
        items=sum(part.items for part in parts) / MILLION,
        negative=sum(part.negative for part in parts) / MILLION,
        positive=sum(part.positive for part in parts) / MILLION,
        sector=sector,
        squares=sum((part.positive - part.negative) ** 2 / part.items for part in parts if part.items) / MILLION,
        topics=tuple((topic, items / MILLION) for topic, items in sorted(by_topic.items())),
    )


def _mark(part: Sums) -> float:
    return mark_of(part.weight / MILLION, part.negative / part.items) if part.items else 0.0
