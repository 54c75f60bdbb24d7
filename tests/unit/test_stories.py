"""Stories, parents and ranks follow from the set of articles, whatever the order and the batches in which they arrive."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.logic.sketches import bands, from_bytes, shingles, signatures, similarities, to_bytes
from streams.logic.stories import Likeness, Node, Placement, Sketch, novelty, place

START = datetime(2015, 3, 2, tzinfo=UTC)
LIKENESS = Likeness(timedelta(hours=72), 0.5)
WORDS = "harbour ferry strike union dock wage offer vote night crew".split()


class Memory:
    """A shelf in memory, to which placements are applied."""

    def __init__(self) -> None:
        self.sketches: dict[str, Sketch] = {}
        self.placed: dict[str, Node] = {}
        self.stories: dict[str, int] = {}
        self.loaded = 0

    def in_bands(self, bands: Sequence[int], since: datetime, until: datetime) -> Iterable[tuple[int, str]]:
        wanted = set(bands)
        for sketch in self.sketches.values():
            if since <= sketch.event_time <= until:
                yield from ((band, sketch.id) for band in sketch.bands if band in wanted)

    def nodes(self, ids: Sequence[str]) -> Mapping[str, tuple[Node, Sketch]]:
        return {one: (self.placed[one], self.sketches[one]) for one in ids}

    def members(self, since: Mapping[str, datetime]) -> Iterable[Node]:
        found = [node for node in self.placed.values() if node.story_id in since and node.event_time >= since[node.story_id]]
        self.loaded += len(found)
        return found

    def sizes(self, stories: Sequence[str]) -> Mapping[str, int]:
        return {story: self.stories[story] for story in stories}

    def add(self, batch: Sequence[tuple[str, datetime, str]]) -> Placement:
        """Place articles of (id, event time, text), and check what the placement says of its stories."""
        latest = {one: (one, at, text) for one, at, text in batch}
        made = signatures([text for _, _, text in latest.values()])
        changed = [
            Sketch(one, at, signature, tuple(map(int, row)), one not in self.sketches)
            for (one, at, _), signature, row in zip(latest.values(), made, bands(made), strict=True)
        ]
        placement = place(changed, self, LIKENESS)
        self.placed |= placement.nodes
        self.sketches |= {sketch.id: sketch for sketch in changed}
        self.stories |= {story: size.articles for story, size in placement.stories.items()}
        for story in placement.gone:
            del self.stories[story]
        for story, size in placement.stories.items():
            times = [node.event_time for node in self.placed.values() if node.story_id == story]
            assert size.last_at == max(times)
            assert size.first_at in {None, min(times)}
        return placement

    def result(self) -> dict[str, tuple[str | None, str, int]]:
        return {node.id: (node.parent_id, node.story_id, node.rank) for node in self.placed.values()}


def by_definition(articles: Iterable[tuple[str, datetime, str]]) -> dict[str, tuple[str | None, str, int]]:
    """Parents, stories and ranks by the definition, comparing each with each."""
    ordered = sorted({one: (at, one, text) for one, at, text in articles}.values())
    made = signatures([text for _, _, text in ordered])
    cut = [set(map(int, row)) for row in bands(made)]
    found: dict[str, tuple[str | None, str, int]] = {}
    for place_of_one, (at, one, _) in enumerate(ordered):
        parent = None
        for earlier in range(place_of_one):
            before, other, _ = ordered[earlier]
            alike = similarities(made[place_of_one], made[earlier : earlier + 1])[0] >= LIKENESS.similarity
            if at - before <= LIKENESS.window and alike and cut[place_of_one] & cut[earlier]:
                parent = other
                break
        story = found[parent][1] if parent else one
        found[one] = (parent, story, sum(1 for _, of, _ in found.values() if of == story))
    return found


texts = st.lists(st.sampled_from(WORDS), min_size=2, max_size=7, unique=True).map(" ".join)
articles = st.lists(st.tuples(st.integers(0, 24), texts), min_size=1, max_size=14)


@settings(max_examples=100, deadline=None)
@given(articles, st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_batches_give_the_same(rows: Any, rng: random.Random, data: Any) -> None:
    made = [(f"a{number}", START + timedelta(hours=8 * at), text) for number, (at, text) in enumerate(rows)]
    memory, left = Memory(), rng.sample(made, len(made))
    while left:
        size = data.draw(st.integers(1, len(left)))
        memory.add(left[:size])
        left = left[size:]
    assert memory.result() == by_definition(made)
    stories = [story for _, story, _ in memory.result().values()]
    assert memory.stories == {story: stories.count(story) for story in stories}


@settings(max_examples=60, deadline=None)
@given(articles, st.lists(st.tuples(st.integers(0, 13), texts), max_size=6), st.randoms(use_true_random=False))
def test_corrected_texts_end_where_the_last_text_belongs(rows: Any, corrections: Any, rng: random.Random) -> None:
    made = [(f"a{number}", START + timedelta(hours=8 * at), text) for number, (at, text) in enumerate(rows)]
    memory = Memory()
    for article in rng.sample(made, len(made)):
        memory.add([article])
    final = {one: (one, at, text) for one, at, text in made}
    for number, text in corrections:
        one, at, _ = made[number % len(made)]
        final[one] = (one, at, text)
        memory.add([final[one]])
    assert memory.result() == by_definition(final.values())


def test_a_late_first_article_takes_over_the_story() -> None:
    memory = Memory()
    text = "harbour ferry strike union dock wage offer"
    memory.add([("b", START + timedelta(hours=1), text), ("c", START + timedelta(hours=2), text)])
    placement = memory.add([("a", START, text)])
    assert memory.result() == {"a": (None, "a", 0), "b": ("a", "a", 1), "c": ("a", "a", 2)}
    assert placement.gone == {"b"}


def test_a_repeat_in_order_loads_no_member_of_its_story() -> None:
    memory = Memory()
    text = "harbour ferry strike union dock wage offer"
    for number in range(50):
        memory.add([(f"a{number:02}", START + timedelta(minutes=number), text)])
    assert memory.loaded == 0
    assert memory.result()["a49"] == ("a00", "a00", 49)


def test_beyond_the_window_of_its_parent_a_repeat_begins_anew() -> None:
    text = "harbour ferry strike union dock wage offer"
    memory = Memory()
    memory.add([("a", START, text), ("b", START + timedelta(hours=73), text)])
    assert memory.result()["b"] == (None, "b", 0)


@pytest.mark.parametrize(("rank", "expected"), [(0, 100), (1, 50), (2, 33), (3, 25), (99, 1), (500, 0)])
def test_novelty_falls_with_the_rank(rank: int, expected: int) -> None:
    assert novelty(rank) == expected


def test_case_addresses_and_signs_do_not_count() -> None:
    assert shingles("$BA Shares FALL after probe https://t.co/x1") == shingles("ba shares fall after probe")


def test_short_texts_match_only_when_equal() -> None:
    made = signatures(["$BA falls", "BA falls", "BA falls again", "ba FALLS https://t.co/abc"])
    assert similarities(made[0], made).tolist() == [1, 1, 0, 1]


def test_estimates_follow_the_true_similarity() -> None:
    one = [f"w{number}" for number in range(60)]
    other = [*one[:45], *(f"v{number}" for number in range(15))]
    made = signatures([" ".join(one), " ".join(other)])
    true = len(set(shingles(" ".join(one))) & set(shingles(" ".join(other)))) / len(
        set(shingles(" ".join(one))) | set(shingles(" ".join(other)))
    )
    assert abs(similarities(made[0], made[1:])[0] - true) < 0.2


def test_a_text_of_megabytes_costs_no_more_than_its_beginning() -> None:
    assert len(shingles("word " * 1_000_000)) < 2_001


def test_signatures_survive_storage_and_bands_tell_their_number() -> None:
    made = signatures(["harbour ferry strike union dock", ""])
    assert np.array_equal(from_bytes(to_bytes(made[0])), made[0])
    cut = bands(made)
    assert cut.shape == (2, 16)
    assert (cut >= 0).all()
    assert (cut >> 59).tolist() == [list(range(16))] * 2
