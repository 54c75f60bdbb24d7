from itertools import pairwise

import pytest

from squall.settings import DetectionSettings
from streams.logic.detection import Arrival
from streams.logic.moods import Moods

SETTINGS = DetectionSettings(baseline_days=7, guard_days=2)
DAY = 1440
START = 16_000 * DAY
SCOPE = "company:boeing"


def arrival(*tones: float, topic: str = "Earnings") -> Arrival:
    """Stories whose tone is P(positive) - P(negative)."""
    count = float(len(tones))
    return Arrival(
        items=count,
        positive=sum(max(0.0, tone) for tone in tones),
        negative=sum(max(0.0, -tone) for tone in tones),
        squares=sum(tone**2 for tone in tones),
        topics=((topic, count),),
    )


def calm(moods: Moods, days: int) -> None:
    for hour in range(0, 24 * days, 4):
        moods.take(START + 60 * hour, {SCOPE: arrival(0.3 if hour % 8 else -0.1)})


def test_a_bad_day_shows_against_the_past_and_is_over_a_day_later() -> None:
    moods = Moods(SETTINGS)
    calm(moods, 8)
    at = START + 8 * DAY
    assert moods.mood_change(SCOPE, at - 1) == pytest.approx(0, abs=0.1)
    assert moods.topic_change(SCOPE, at - 1) == 0
    moods.take(at, {SCOPE: arrival(*[-0.8] * 6, topic="Legal")})
    mood, topics = moods.mood_change(SCOPE, at), moods.topic_change(SCOPE, at)
    assert mood is not None
    assert topics is not None
    assert mood < -2
    assert 0.4 < topics < 1
    assert moods.mood_change(SCOPE, at + 23 * 60 + 59) is not None
    assert moods.mood_change(SCOPE, at + DAY) is None


def test_without_a_past_before_the_guard_days_nothing_is_said() -> None:
    moods = Moods(SETTINGS)
    calm(moods, 3)
    assert moods.mood_change(SCOPE, START + 2 * DAY) is None
    assert moods.mood_change(SCOPE, START + 3 * DAY - 1) is None
    moods.take(START + 3 * DAY, {SCOPE: arrival(-0.8)})
    assert moods.mood_change(SCOPE, START + 3 * DAY) is not None
    assert moods.mood_change("company:unheard", START + 3 * DAY) is None


def test_what_is_older_than_the_baseline_does_not_count() -> None:
    moods = Moods(SETTINGS)
    for hour in range(24):
        moods.take(START + 60 * hour, {SCOPE: arrival(-0.9)})
    last = START + (SETTINGS.baseline_days + SETTINGS.guard_days) * DAY
    moods.take(last, {SCOPE: arrival(0.1, 0.1, 0.1)})
    assert moods.mood_change(SCOPE, last + DAY - 1) is not None
    moods.take(last + DAY, {SCOPE: arrival(0.1, 0.1, 0.1)})
    assert moods.mood_change(SCOPE, last + DAY) is None


def test_a_restored_state_goes_on_the_same() -> None:
    whole = Moods(SETTINGS)
    minutes = [START + 97 * number for number in range(150)]
    tones = [((number * 37) % 20 - 10) / 10 for number in range(150)]
    topics = ["Earnings", "Legal", "Macro"]
    parts = Moods(SETTINGS)
    found = []
    for number, (minute, after) in enumerate(pairwise(minutes)):
        one = {SCOPE: arrival(tones[number], topic=topics[number % 3])}
        whole.take(minute, one)
        parts.take(minute, one)
        if number % 10 == 0:
            held = parts.export()
            parts = Moods(SETTINGS)
            parts.restore(held)
        same = [(each.mood_change(SCOPE, after), each.topic_change(SCOPE, after)) for each in (whole, parts)]
        assert same[0] == same[1]
        found.append(same[0])
    assert len(set(found)) > 50
