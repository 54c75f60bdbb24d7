import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.logic.e_detector import HALF_LIFE_MIN, LIFTS, NOTHING, Floats, after_marks, after_quiet, log_gain, surprise


def shaped(value: float) -> Floats:
    return np.full((1, len(LIFTS)), value)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-9, 3), st.integers(0, 300), st.floats(-5, 40))
def test_quiet_minutes_in_closed_form_are_as_one_by_one(cost: float, minutes: int, log_r: float) -> None:
    slow = np.exp(shaped(log_r))
    for _ in range(minutes):
        slow = (1 + 0.5 ** (1 / HALF_LIFE_MIN) * slow) * np.exp(-cost)
    fast = after_quiet(shaped(log_r), shaped(cost), np.array([minutes]))
    assert fast == pytest.approx(np.log(slow), rel=1e-9, abs=1e-9)


def test_quiet_minutes_may_be_split_anywhere() -> None:
    cost = shaped(0.01)
    whole = after_quiet(shaped(NOTHING), cost, np.array([500]))
    half = after_quiet(shaped(NOTHING), cost, np.array([123]))
    assert after_quiet(half, cost, np.array([377])) == pytest.approx(whole, rel=1e-12)
    assert after_quiet(half, cost, np.array([0])) == pytest.approx(half, rel=1e-15)


def test_a_thousand_marks_in_a_minute_of_a_busy_scope_overflow_nothing() -> None:
    gain = log_gain(np.ones(1000))[None, :]
    log_r = after_marks(shaped(NOTHING), shaped(900.0), gain)
    assert np.isfinite(log_r).all()
    assert np.isfinite(surprise(after_quiet(log_r, shaped(900.0), np.array([10_000]))))


def test_the_order_of_marks_is_all_one_and_a_mark_of_nothing_is_none() -> None:
    marks = np.array([0.9, 0.2, 0.5])
    assert log_gain(marks) == pytest.approx(log_gain(marks[::-1]))
    assert log_gain(np.zeros(4)) == pytest.approx(np.zeros(5))
    assert np.exp(log_gain(np.array([1.0]))) == pytest.approx(LIFTS)


def test_on_poisson_marks_r_less_the_minutes_gone_is_a_martingale() -> None:
    rng = np.random.default_rng(1)
    rate, minutes, runs = 0.02, 60, 40_000
    lift = 4.0
    growth = np.zeros(runs)
    for _ in range(minutes):
        counts = rng.poisson(rate, runs)
        marks = np.where(counts[:, None] > np.arange(3), rng.random((runs, 3)), 0.0)
        growth = (1 + growth) * np.prod(1 + marks * (lift - 1), axis=1) * np.exp(-(lift - 1) * rate * 0.5)
    assert growth.mean() == pytest.approx(minutes, rel=0.05)
