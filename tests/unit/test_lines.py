"""Alarm lines that move: nothing opens by that, and what a restart gives back goes on the same."""

import random
from datetime import UTC, datetime

import pytest

from squall.db.calibrations import Calibration, Standing, words
from squall.lines import Line, Lines, bounds, detector_mark
from squall.settings import DetectionSettings
from streams.logic.detection import Arrival
from streams.logic.surge_detector import HEADROOM, SurgeDetector

DAY = 24 * 60
DAYS = 6
NOW = DAYS * DAY
SETTINGS = DetectionSettings(baseline_days=7)
SCOPES = [f"company:c{number}" for number in range(8)]
LOWER = Lines(Line(1.0, -2.0), Line(0.2, -1.0))


def taught() -> SurgeDetector:
    """Six days of news; of the last hours the more negative news, the greater a company's number."""
    rng = random.Random(4)
    found: dict[int, dict[str, Arrival]] = {}
    for _ in range(DAYS * 40):
        found.setdefault(rng.randrange(NOW), {})[rng.choice(SCOPES)] = story(rng.uniform(0.0, 0.3))
    for number, scope in enumerate(SCOPES):
        for story_number in range(number - 1):
            found.setdefault(NOW - 60 + 5 * story_number, {})[scope] = story(0.6)
    detector = SurgeDetector(SETTINGS)
    for minute, arrivals in sorted(found.items()):
        detector.step(minute, arrivals)
    return detector


def story(negative: float) -> Arrival:
    return Arrival((negative,), (1.0,), 1, 1.0, negative, 0.0, "industrials")


def excess(detector: SurgeDetector, minute: int) -> dict[str, tuple[float, float]]:
    signals = [detector.at(scope, minute) for scope in SCOPES]
    return {one.scope: (one.surprise - one.line, one.volume_surprise - one.line) for one in signals}


def test_a_line_that_falls_brings_no_scope_nearer_than_it_was() -> None:
    detector = taught()
    before = excess(detector, NOW - 1)
    assert any(0 > one[0] > -2 for one in before.values()), "some stand between the lines"
    assert any(one[0] > 0 for one in before.values())
    line = detector.line("company")
    detector.move_lines(LOWER, NOW)
    assert detector.line("company") == pytest.approx(line - 2)
    for scope, both in excess(detector, NOW - 1).items():
        for was, now in zip(before[scope], both, strict=True):
            assert now == pytest.approx(min(was + 2, max(was, -HEADROOM)), abs=2e-4)
    # The next bad news of a surge that goes on is enough where it stood just below the line.
    [near] = [scope for scope, one in before.items() if one[0] == max(one[0] for one in before.values() if one[0] < 0)]
    opened = [minute for minute in range(1, 30) if detector.step(NOW + minute, {near: story(0.9)})[0].alarm]
    assert opened
    assert opened[0] <= 6


def test_a_line_that_rises_leaves_what_is_known_as_it_was() -> None:
    detector = taught()
    detector.move_lines(LOWER, NOW)
    low = {scope: detector.at(scope, NOW).surprise for scope in SCOPES}
    detector.move_lines(bounds(SETTINGS), NOW + 1)
    assert {scope: detector.at(scope, NOW).surprise for scope in SCOPES} == low


def test_a_restart_keeps_the_lines_and_goes_on_the_same() -> None:
    straight, restarted = taught(), SurgeDetector(SETTINGS)
    straight.move_lines(LOWER, NOW)
    restarted.restore(straight.export())
    assert restarted.lines == LOWER
    for minute in range(NOW, NOW + 600, 7):
        arrivals = {SCOPES[minute % 8]: story(0.6)}
        assert restarted.step(minute, arrivals) == straight.step(minute, arrivals)
    # The same lines once more are no change.
    before = straight.export()
    straight.move_lines(LOWER, NOW + 700)
    assert straight.export() == before


def test_the_settings_move_the_line_of_companies_alone() -> None:
    assert bounds(DetectionSettings(budget=3, calibration=-1.5)) == Lines(Line(3.0, -1.5), Line(0.2))
    marks = {detector_mark(one) for one in (SETTINGS, DetectionSettings(), DetectionSettings(guard_days=1))}
    assert len(marks) == 3


def test_what_a_line_rests_on_is_said_in_a_sentence() -> None:
    at = datetime(2015, 3, 2, 5, 7, tzinfo=UTC)
    found = Calibration("companies", 0.5, -2.0, at, at, 59, 4, 100, 59, "v5", "ana", at, at)
    said = {
        words(Standing("companies", 1.0, None, found)),
        words(Standing("companies", 1.0, -1.5, None)),
        words(Standing("wider", 0.2, None, None)),
    }
    assert said == {
        "calibrated on 59 days up to 2015-03-02, budget 1 a day, 0.25 false a day expected, renewed 2015-03-02 05:07 UTC",
        "calibration -1.5 by SQUALL_DETECTION__CALIBRATION, budget 1 a day",
        "not calibrated, warns very seldom, budget 0.2 a day: `squall calibrate` measures it",
    }
