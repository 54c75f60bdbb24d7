"""What is kept for all viewers, and sums that are read in two parts."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.kept import Kept
from dashboard.moods import added
from dashboard.rows import Mood

START = datetime(2026, 1, 5, tzinfo=UTC)


def mood(scope: str, hours: int, amount: int) -> Mood:
    return Mood(scope, START + timedelta(hours=hours), amount, amount, amount, amount, amount, amount, amount)


def test_fresh_is_kept_and_nothing_is_not() -> None:
    kept, answers = Kept(), iter([[], ["one"], ["two"]])
    assert kept.get("key", 60, lambda: next(answers)) == []
    assert kept.get("key", 60, lambda: next(answers)) == ["one"]
    assert kept.get("key", 60, lambda: next(answers)) == ["one"]
    assert kept.get("other", 60, lambda: next(answers)) == ["two"]


def test_old_is_given_at_once_and_read_anew_behind_it() -> None:
    kept, begun, go_on = Kept(), threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert go_on.wait(30)
        return "new"

    kept.get("key", 60, lambda: "old")
    assert kept.get("key", 0, slowly) == "old"
    assert begun.wait(30)
    assert kept.get("key", 0, lambda: "never asked") == "old"
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "kept":
            thread.join(30)
    assert kept.get("key", 60, lambda: "never asked") == "new"


def test_too_old_is_waited_for_and_its_error_is_raised() -> None:
    kept = Kept()
    kept.get("key", 60, lambda: "old")
    assert kept.get("key", 0, lambda: "new", old_s=0) == "new"
    with pytest.raises(OSError, match="away"):
        kept.get("key", 0, _away, old_s=0)


def _away() -> str:
    raise OSError("away")


def test_many_who_want_the_same_new_thing_cause_one_reading() -> None:
    kept, readings = Kept(), []
    all_here = threading.Barrier(8)

    def read() -> str:
        readings.append(1)
        return "value"

    def ask() -> None:
        all_here.wait(30)
        kept.get("key", 60, read)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert readings == [1]


def test_sums_of_the_bucket_that_was_cut_are_added_up() -> None:
    closed = [mood("market", 0, 2), mood("market", 1, 3), mood("company:a", 1, 1)]
    rest = [mood("market", 1, 4), mood("market", 2, 5)]
    assert added(closed, rest) == [mood("company:a", 1, 1), mood("market", 0, 2), mood("market", 1, 7), mood("market", 2, 5)]
