"""How long things are said to have taken."""

from datetime import timedelta

import pytest

from squall.durations import lasting


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (-5, "0 s"),
        (0.0021, "0 s"),
        (0.424, "0.42 s"),
        (3.21, "3.2 s"),
        (42.4, "42 s"),
        (300, "5 min"),
        (11_520, "3.2 h"),
        (14_400, "4 h"),
        (82_800, "23 h"),
        (1_036_800, "12 days"),
    ],
)
def test_a_duration_is_said_in_its_unit(seconds: float | None, said: str) -> None:
    assert lasting(seconds) == said
    if seconds is not None:
        assert lasting(timedelta(seconds=seconds)) == said
