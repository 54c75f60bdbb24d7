"""A detector that goes on for another, whose past another model version scored: nothing stands out by the change."""

import random
from math import isclose

import pytest

from squall.settings import DetectionSettings
from streams.logic.detection import Arrival
from streams.logic.surge_detector import SurgeDetector

DAY = 24 * 60
DAYS = 6
SCOPES = [f"company:c{number}" for number in range(6)] + ["market"]


def past(factor: float, scopes: list[str], seed: int = 4) -> dict[int, dict[str, Arrival]]:
    """Six days of news, negative by chance and by a factor; the last hours are busy for one company."""
    rng = random.Random(seed)
    found: dict[int, dict[str, Arrival]] = {}
    for number in range(DAYS * 60):
        minute, scope, mark = rng.randrange(DAYS * DAY), rng.choice(SCOPES), rng.uniform(0.02, 0.2)
        if number < 12:
            minute, scope, mark = DAYS * DAY - 40 + 3 * number, SCOPES[0], 0.6
        if scope in scopes:
            negative = min(1.0, factor * mark)
            found.setdefault(minute, {})[scope] = Arrival(
                (negative,), (1.0,), 1, 1.0, negative, 0.1, "x" if "company" in scope else ""
            )
    return dict(sorted(found.items()))


def after(factor: float, scopes: list[str] = SCOPES) -> SurgeDetector:
    detector = SurgeDetector(DetectionSettings())
    for minute, arrivals in past(factor, scopes).items():
        detector.step(minute, arrivals)
    return detector


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_nothing_is_more_surprising_than_it_was(factor: float) -> None:
    end = DAYS * DAY - 1
    before, new = after(1.0), after(factor)
    was, alone = ({scope: one.at(scope, end) for scope in SCOPES} for one in (after(1.0), after(factor)))
    assert was[SCOPES[0]].surprise > 3
    new.succeed(before, end)
    for scope in SCOPES:
        now = new.at(scope, end)
        assert now.surprise <= min(was[scope].surprise, alone[scope].surprise) + 1e-4
        assert now.volume_surprise <= was[scope].volume_surprise + 1e-4
        assert (now.past_share, now.level) == (alone[scope].past_share, alone[scope].level)
        assert now.alarm is None or was[scope].alarm == now.alarm
        if factor == 1.0 and was[scope].share_up:
            assert isclose(now.surprise, was[scope].surprise, abs_tol=1e-4)


def test_the_line_does_not_fall_with_scopes_that_only_the_other_knew() -> None:
    end = DAYS * DAY - 1
    before, new = after(1.0), after(2.0, SCOPES[:3])
    new.succeed(before, end)
    for scope in SCOPES:
        assert new.at(scope, end).line >= after(1.0).at(scope, end).line
    assert new.at(SCOPES[4], end).surprise <= after(1.0).at(SCOPES[4], end).surprise + 1e-4


def test_what_is_stored_goes_on_exactly() -> None:
    end = DAYS * DAY - 1
    new = after(2.0)
    new.succeed(after(1.0), end)
    again = SurgeDetector(DetectionSettings())
    again.restore(new.export())
    later = {end + 30 * number: {SCOPES[number % 6]: Arrival((0.5,), (1.0,), 1, 1.0, 0.5, 0.1, "x")} for number in range(1, 60)}
    for minute, arrivals in later.items():
        assert new.step(minute, arrivals) == again.step(minute, arrivals)
