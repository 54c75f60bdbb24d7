"""Which story an article belongs to, and how many came before it: the same whatever the order of arrival. Pure.

The parent of an article is the earliest article before it, in the order of (event time, id), that lies within the window and is
similar enough; its story is the root of the chain of parents; its rank is the number of articles of that story before it. All
three follow from the set of articles alone. `place` brings them up to date after some articles came or changed, and touches only
what that can have moved.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from streams.logic.sketches import Signatures, similarities

Order = tuple[datetime, str]
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sketch:
    """An article that came or changed: its signature, shape (64,), and its bands."""

    id: str
    event_time: datetime
    signature: Signatures
    bands: tuple[int, ...]
    new: bool = True

    @property
    def order(self) -> Order:
        """Its place in time."""
        return self.event_time, self.id


@dataclass(frozen=True, slots=True)
class Node:
    """An article's place among the others. `parent_at` is the event time of its parent."""

    id: str
    event_time: datetime
    parent_id: str | None
    parent_at: datetime | None
    story_id: str
    rank: int

    @property
    def order(self) -> Order:
        """Its place in time."""
        return self.event_time, self.id

    @property
    def parent_order(self) -> Order | None:
        """Its parent's place in time."""
        return None if self.parent_id is None or self.parent_at is None else (self.parent_at, self.parent_id)


@dataclass(frozen=True, slots=True)
class Likeness:
    """When an article repeats an earlier one: `window` apart in event time at most, `similarity` alike (Jaccard) at least."""

    window: timedelta
    similarity: float


@dataclass(frozen=True, slots=True)
class StorySize:
    """What a story row says; `first_at` is None where its leader was not touched."""

    articles: int
    first_at: datetime | None
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Placement:
    """What moved: nodes that are new or not as stored, stories that are new or not as stored, stories that are no more."""

    nodes: Mapping[str, Node]
    stories: Mapping[str, StorySize]
    gone: frozenset[str]


class Shelf(Protocol):
    """The stored articles, as `place` needs to see them."""

    def in_bands(self, bands: Sequence[int], since: datetime, until: datetime) -> Iterable[tuple[int, str]]:
        """(band, article id) of the stored articles in these bands, with event times between, limits included."""
        ...

    def nodes(self, ids: Sequence[str]) -> Mapping[str, tuple[Node, Sketch]]:
        """The stored articles with these ids."""
        ...

    def members(self, since: Mapping[str, datetime]) -> Iterable[Node]:
        """The members of stories, of each those from its time on."""
        ...

    def sizes(self, stories: Sequence[str]) -> Mapping[str, int]:
        """The number of articles of stories."""
        ...


def novelty(rank: int) -> int:
    """Novelty, 0 to 100, of the article with this rank in its story: 100 for the first, 50 for the second."""
    return round(100 / (1 + rank))


def place(changed: Sequence[Sketch], shelf: Shelf, likeness: Likeness) -> Placement:
    """Where the changed articles belong, and who else moves because of them.

    Args:
        changed: new articles, and stored ones whose signature is another now. The shelf holds them as they were, or not at all.
    """
    if not changed:
        return Placement({}, {}, frozenset())
    fresh = {sketch.id: sketch for sketch in changed}
    stored = shelf.nodes([sketch.id for sketch in changed if not sketch.new])
    old_stories = {node.story_id: BEGINNING for node, _ in stored.values()}
    orphans = [node.id for node in shelf.members(old_stories) if node.parent_id in stored and node.id not in fresh]
    known = dict(shelf.nodes(orphans)) | dict(stored)
    seekers = fresh | {one: known[one][1] for one in orphans}
    candidates = _candidates(seekers, fresh, shelf, likeness.window)
    missing = {other for others in candidates.values() for other in others} - fresh.keys() - known.keys()
    known |= shelf.nodes(sorted(missing))
    nodes = {one: node for one, (node, _) in known.items()}
    pairs = _alike(candidates, {one: sketch for one, (_, sketch) in known.items()} | fresh, likeness)
    return _regroup(fresh, nodes, _parents(seekers, fresh, pairs, nodes), shelf)


def _candidates(
    seekers: Mapping[str, Sketch], fresh: Mapping[str, Sketch], shelf: Shelf, window: timedelta
) -> dict[str, set[str]]:
    by_band: dict[int, list[str]] = defaultdict(list)
    for sketch in fresh.values():
        for band in sketch.bands:
            by_band[band].append(sketch.id)
    wanted = sorted({band for sketch in seekers.values() for band in sketch.bands})
    times = [sketch.event_time for sketch in seekers.values()]
    for band, other in shelf.in_bands(wanted, min(times) - window, max(times) + window):
        if other not in fresh:
            by_band[band].append(other)
    found: dict[str, set[str]] = {}
    for sketch in seekers.values():
        others = {other for band in sketch.bands for other in by_band.get(band, ())}
        found[sketch.id] = others - {sketch.id}
    return found


def _alike(
    candidates: Mapping[str, set[str]], sketches: Mapping[str, Sketch], likeness: Likeness
) -> Iterator[tuple[Sketch, Sketch]]:
    """Of the candidates, those that are near enough and similar enough."""
    import numpy as np

    for one, others in candidates.items():
        mine = sketches[one]
        near = [sketches[other] for other in others if abs(sketches[other].event_time - mine.event_time) <= likeness.window]
        if near:
            alike = similarities(mine.signature, np.stack([other.signature for other in near])) >= likeness.similarity
            yield from ((mine, other) for other, similar in zip(near, alike, strict=True) if similar)


def _parents(
    seekers: Mapping[str, Sketch],
    fresh: Mapping[str, Sketch],
    pairs: Iterable[tuple[Sketch, Sketch]],
    known: Mapping[str, Node],
) -> dict[str, Order | None]:
    """New parents: of all seekers, and of those stored articles that a fresh one has become the earliest match of."""
    parents: dict[str, Order | None] = dict.fromkeys(seekers)
    for one, other in pairs:
        if other.order < one.order:
            parents[one.id] = min(parents[one.id] or other.order, other.order)
        elif one.id in fresh and other.id not in seekers:
            current = parents[other.id] if other.id in parents else known[other.id].parent_order
            if current is None or one.order < current:
                parents[other.id] = one.order
    return parents


def _regroup(
    fresh: Mapping[str, Sketch], known: Mapping[str, Node], parents: Mapping[str, Order | None], shelf: Shelf
) -> Placement:
    since: dict[str, datetime] = {}

    def load(story: str, at: datetime) -> None:
        since[story] = min(since.get(story, at), at)

    for one, parent in parents.items():
        node = known.get(one)
        if node and node.parent_order == parent:
            continue
        if node:
            load(node.story_id, BEGINNING)
        if parent and (leader := known.get(parent[1])):
            load(leader.story_id, node.event_time if node else fresh[one].event_time)
    before = {node.id: node for node in shelf.members(since)} if since else {}
    sizes = dict(shelf.sizes(sorted(since))) if since else {}
    for node in before.values():
        sizes[node.story_id] -= 1
    pool = before | {one: Node(one, sketch.event_time, None, None, one, 0) for one, sketch in fresh.items() if one not in known}
    for one, parent in parents.items():
        if one in pool:
            at, name = parent or (None, None)
            pool[one] = replace(pool[one], parent_id=name, parent_at=at)
    return _ranked(pool, before, sizes, known)


def _ranked(
    pool: Mapping[str, Node], before: Mapping[str, Node], sizes: Mapping[str, int], known: Mapping[str, Node]
) -> Placement:
    """Stories and ranks in a pool of nodes; a parent outside the pool stays where it is."""
    counts = {story: count for story, count in sizes.items() if count}
    moved: dict[str, Node] = {}
    story_of: dict[str, str] = {}
    stories: dict[str, StorySize] = {}
    for node in sorted(pool.values(), key=lambda one: one.order):
        if node.parent_id is None:
            story = node.id
        elif node.parent_id in story_of:
            story = story_of[node.parent_id]
        else:
            story = (known[node.parent_id] if node.parent_id in known else before[node.id]).story_id
        rank = counts.get(story, 0)
        story_of[node.id] = story
        counts[story] = rank + 1
        first_at = node.event_time if story == node.id else stories[story].first_at if story in stories else None
        stories[story] = StorySize(rank + 1, first_at, node.event_time)
        placed = replace(node, story_id=story, rank=rank)
        if placed != before.get(node.id):
            moved[node.id] = placed
    gone = frozenset(story for story in sizes if story not in counts)
    return Placement(moved, stories, gone)
