import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.settings import RuleSettings
from streams.logic.mood import Sums
from streams.logic.surge import DAY, FLOOR_MASS, HOUR, Rule, WindowDetector, surprise

RULE = RuleSettings()
SCOPE = "company:boeing"


def negative(mass: float, mentions: int = 1) -> Sums:
    return Sums(mentions, mentions * 1_000_000, int(0.9e6) * mentions, 0, 0, int(mass * 1_000_000), 0)


def exact_tail(count: int, mean: float) -> float:
    """-log10 P(X >= count) of a Poisson variable."""
    below = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count))
    return -math.log10(1 - below)


@pytest.mark.parametrize(("count", "mean"), [(4, 0.05), (9, 1.1), (20, 6.0), (3, 2.9)])
def test_surprise_never_overstates_the_poisson_tail(count: int, mean: float) -> None:
    assert 0 < surprise(count, mean) <= exact_tail(count, mean) + 1e-4
    assert surprise(mean, mean) == surprise(0, mean) == 0


def test_four_heavy_stories_out_of_nothing_are_enough_and_three_are_not() -> None:
    assert surprise(4 * 0.7, FLOOR_MASS) > RULE.fire > surprise(3 * 0.7, FLOOR_MASS)


def test_what_lies_in_the_guard_is_not_expected() -> None:
    detector = WindowDetector(RULE)
    detector.step(0, {SCOPE: negative(0)}, ())
    now = 40 * DAY
    detector.step(now - RULE.window_min - 12 * HOUR, {SCOPE: negative(50)}, ())
    quiet = detector.at(SCOPE, now)
    assert quiet.baseline_mass == 0
    assert quiet.baseline_min == RULE.baseline_days * DAY
    assert quiet.expected == FLOOR_MASS
    assert detector.at(SCOPE, now + DAY).baseline_mass == 50


def test_a_busy_past_makes_a_busy_day_expected() -> None:
    detector = WindowDetector(RULE)
    for hour in range(30 * 24):
        detector.step(hour * HOUR, {SCOPE: negative(1)}, ())
    signal = detector.at(SCOPE, 30 * DAY - 1)
    assert signal.mass == 6
    assert signal.expected == pytest.approx(6, rel=0.05)
    assert signal.surprise < 0.1


def test_before_a_day_lies_before_the_guard_what_lies_within_it_counts() -> None:
    detector = WindowDetector(RULE)
    for hour in range(20):
        detector.step(hour * HOUR, {SCOPE: negative(1)}, ())
    signal = detector.at(SCOPE, 20 * HOUR - 1)
    assert signal.baseline_mass == 14
    assert signal.baseline_min == 14 * HOUR


def test_scopes_that_brought_something_or_are_watched_are_judged() -> None:
    detector = WindowDetector(RULE)
    detector.step(5, {"company:a": negative(1)}, ())
    signals = detector.step(6, {SCOPE: negative(1)}, ("company:a",))
    assert [signal.scope for signal in signals] == ["company:a", SCOPE]
    assert [signal.mass for signal in signals] == [1, 1]


history = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3_000_000)), min_size=1, max_size=60)


@given(history, st.integers(0, 3 * DAY))
def test_a_signal_changes_only_when_it_says_so(steps: list[tuple[int, int]], ahead: int) -> None:
    detector = WindowDetector(RULE)
    minute = 100_000
    for gap, mass in steps:
        minute += gap
        detector.step(minute, {SCOPE: negative(mass / 1e6)}, ())
    minute += ahead
    change = detector.next_change(SCOPE, minute)
    assert change > minute
    now = detector.at(SCOPE, minute)._replace(minute=0)
    assert all(detector.at(SCOPE, quiet)._replace(minute=0) == now for quiet in range(minute, change))


@given(history, st.data())
def test_rebuilding_gives_the_signals_of_continuing(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    rule = RuleSettings(window_min=90, baseline_days=1, guard_h=2, keep_firing_min=30)
    detector, arrivals, minute = WindowDetector(rule), {}, 50_000
    for gap, mass in steps:
        minute += gap
        arrivals[minute] = {SCOPE: negative(mass / 1e6)}
        detector.step(minute, arrivals[minute], ())
    now = minute + data.draw(st.integers(0, 2000))
    border = (now - rule.window_min - rule.keep_firing_min) // HOUR * HOUR
    hours: dict[int, int] = {}
    for at, sums in arrivals.items():
        if now - detector.lookback <= at < border:
            hours[at // HOUR] = hours.get(at // HOUR, 0) + sums[SCOPE].negative_weight
    fresh = WindowDetector(rule)
    fresh.rebuild(min(arrivals), {SCOPE: hours}, {at: sums for at, sums in arrivals.items() if at >= border})
    for at in range(now - rule.keep_firing_min, now + 300):
        assert fresh.at(SCOPE, at) == detector.at(SCOPE, at)


def test_what_is_too_old_is_forgotten_and_nothing_changes_by_it() -> None:
    rule = RuleSettings(window_min=60, baseline_days=1, guard_h=1, keep_firing_min=10)
    detector = WindowDetector(rule)
    for minute in range(20_000):
        detector.step(minute, {SCOPE: negative(0.01)}, ())
    held = detector._scopes[SCOPE]
    assert len(held.minutes) < 2000
    assert len(held.hours) < 100
    signal = detector.at(SCOPE, 19_999)
    assert signal.mentions == 60
    assert signal.baseline_mass == pytest.approx(14.4)


def test_the_version_of_a_rule_changes_with_its_thresholds() -> None:
    assert Rule(RULE).version == Rule(RuleSettings()).version
    assert Rule(RULE).version != Rule(RuleSettings(fire=3.5)).version
