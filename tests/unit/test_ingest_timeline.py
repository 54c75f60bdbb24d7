from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.rows import news_from_row
from pipelines.ingest.timeline import CALM_DOWN, Item, Step, broken_items, end_of, items_of, merge
from squall.errors import UsageError
from squall.records import Tick, minute_of
from squall.settings import Settings

SETTINGS = Settings(_env_file=None)
LATENESS = timedelta(seconds=SETTINGS.stream.lateness_s)
MINUTE = timedelta(minutes=1)
START = datetime(2015, 3, 2, 10, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def item(seconds: float, name: str = "") -> Item:
    return Item(at(seconds), b"key", name.encode(), name)


def row(seconds: float, **fields: Any) -> dict[str, Any]:
    return {"published_at": at(seconds), "title": "Apple names a new plant manager", **fields}


def told(steps: list[Step]) -> list[str | datetime | None]:
    return [step.send.at if isinstance(step.send, Tick) else step.send.article_id for step in steps]


def test_items_come_by_event_time_with_a_time_record_before_the_first_of_each_minute() -> None:
    steps = list(merge([item(70, "b"), item(10, "a"), item(130, "c"), item(30, "a2"), item(7200, "d")], SETTINGS))
    assert told(steps) == ["a", "a2", at(60), "b", at(120), "c", at(7200), "d", end_of(at(7200), SETTINGS)]


def test_items_of_one_instant_keep_their_order() -> None:
    steps = list(merge([item(5, name) for name in "cab"], SETTINGS))
    assert told(steps)[:3] == ["c", "a", "b"]


def test_the_last_time_record_decides_the_last_minute_and_the_window_after_it() -> None:
    end = list(merge([item(59)], SETTINGS))[-1].send
    assert end == Tick(at=START + MINUTE + LATENESS + CALM_DOWN)


def test_no_items_and_too_much_shuffling_are_refused() -> None:
    with pytest.raises(UsageError, match="no news"):
        list(merge([], SETTINGS))
    with pytest.raises(UsageError, match="lateness"):
        list(merge([item(0)], SETTINGS, shuffle_s=LATENESS.total_seconds() + 1))


@given(
    st.lists(st.floats(0, 5_000, allow_nan=False), min_size=1, max_size=60),
    st.sampled_from([0.0, 20.0, 299.0, LATENESS.total_seconds()]),
    st.integers(0, 5),
)
def test_no_item_comes_after_its_minute_is_closed_and_no_time_record_promises_too_much(
    seconds: list[float], shuffle_s: float, seed: int
) -> None:
    items = [item(second, str(number)) for number, second in enumerate(seconds)]
    steps = list(merge(items, SETTINGS, shuffle_s, seed))
    assert {step.send for step in steps if isinstance(step.send, Item)} == set(items)
    watermark = START - timedelta(days=1)
    for step in steps:
        if isinstance(step.send, Tick):
            assert step.send.at > watermark
            watermark = step.send.at
        else:
            assert minute_of(step.send.at) + MINUTE + LATENESS > watermark
            assert step.send.at + timedelta(seconds=shuffle_s) >= watermark
    assert isinstance(steps[-1].send, Tick)
    assert [step.clock for step in steps] == sorted(step.clock for step in steps)


def test_shuffling_changes_the_order_and_the_seed_repeats_it() -> None:
    items = [item(second, str(second)) for second in range(100)]

    def order(seed: int) -> list[str | datetime | None]:
        return told([step for step in merge(items, SETTINGS, 120, seed) if isinstance(step.send, Item)])

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != [str(second) for second in range(100)]


def test_an_article_fetched_long_after_its_publication_counts_from_its_fetching() -> None:
    limit = LATENESS.total_seconds()
    rows = [row(0), row(0, fetched_at=at(limit)), row(0, fetched_at=at(limit + 1)), row(60, fetched_at=at(0))]
    items = items_of([news_from_row(one, "test") for one in rows], SETTINGS)
    assert [one.at for one in items] == [at(0), at(0), at(limit + 1), at(60)]


def test_a_row_that_is_no_article_comes_with_its_neighbour() -> None:
    rows = [row(5, title=""), row(10), row(15, published_at="soon"), row(20)]
    items = items_of([news_from_row(one, "test") for one in rows], SETTINGS)
    assert [(one.at, one.article_id is None) for one in items] == [
        (at(10), True),
        (at(10), False),
        (at(10), True),
        (at(20), False),
    ]


def test_broken_payloads_are_merged_by_their_time() -> None:
    steps = list(merge([item(0, "a"), item(50, "b"), *broken_items([(at(20), b"{nonsense")])], SETTINGS))
    assert told(steps)[:3] == ["a", None, "b"]
