import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.logic.e_detector import (
    BUSY,
    ECHO,
    ECHO_MIN,
    EXTRA,
    HALF_LIFE_MIN,
    NOTHING,
    Floats,
    after_marks,
    after_quiet,
    faded,
    gains,
    strengths,
    surprise,
)

QUIET = strengths(np.array([0.001]))


def shaped(value: float) -> Floats:
    return np.full((1, len(EXTRA)), value)


def gain(*marks: float, rate: float = 0.001, wander: float = 0.0, echo: float = 0.0) -> Floats:
    return gains([marks], strengths(np.array([rate])), np.array([rate]), wander, np.array([echo])).log


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-6, 300), st.integers(0, 300), st.floats(-5, 40))
def test_quiet_minutes_in_closed_form_are_as_one_by_one(level: float, minutes: int, log_r: float) -> None:
    extra = strengths(np.array([level]))
    slow = np.exp(shaped(log_r))
    for _ in range(minutes):
        slow = (1 + 0.5 ** (1 / HALF_LIFE_MIN) * slow) * np.exp(-extra)
    fast = after_quiet(shaped(log_r), extra, np.array([minutes]))
    assert np.exp(fast) == pytest.approx(slow, rel=1e-7, abs=1e-300)


def test_quiet_minutes_may_be_split_anywhere() -> None:
    whole = after_quiet(shaped(NOTHING), QUIET, np.array([500]))
    half = after_quiet(shaped(NOTHING), QUIET, np.array([123]))
    assert after_quiet(half, QUIET, np.array([377])) == pytest.approx(whole, rel=1e-12)
    assert after_quiet(half, QUIET, np.array([0])) == pytest.approx(half, rel=1e-15)
    echo = np.array([2.0])
    assert faded(faded(echo, 100), 50) == pytest.approx(faded(echo, 150))


def test_a_thousand_marks_in_a_minute_of_a_busy_scope_overflow_nothing() -> None:
    extra = strengths(np.array([900.0]))
    log_r = after_marks(shaped(NOTHING), extra, gain(*(1.0,) * 1000, rate=900.0))
    assert np.isfinite(log_r).all()
    assert np.isfinite(surprise(after_quiet(log_r, extra, np.array([10_000]))))


def test_a_mark_of_nothing_is_none_and_others_count_by_what_was_expected() -> None:
    assert gain(0.0, 0.0) == pytest.approx(shaped(0.0))
    assert np.exp(gain(1.0)) == pytest.approx(1 + EXTRA[None, :] / 0.001)
    assert np.exp(gain(1.0, rate=10 * BUSY))[0, -1] == pytest.approx(2)


def test_what_has_come_of_late_makes_more_of_it_expected() -> None:
    first, second = gain(1.0), gain(1.0, 1.0) - gain(1.0)
    assert np.exp(second) == pytest.approx(1 + EXTRA[None, :] / (0.001 + ECHO / ECHO_MIN))
    assert (second < first).all()
    # As many as were to be expected tell nothing; more of them tell that the rate may be higher than the past says.
    assert gain(1.0, rate=0.5, wander=0.5, echo=20.0) == pytest.approx(gain(1.0, rate=0.5, echo=20.0))
    assert (gain(1.0, rate=0.5, wander=0.5, echo=40.0) < gain(1.0, rate=0.5, echo=40.0)).all()


def test_what_a_scope_is_told_does_not_depend_on_the_others() -> None:
    extra = strengths(np.full(3, 0.01))
    together = gains([(0.9, 0.4), (), (0.3,) * 9], extra, np.full(3, 0.01), 0.3, np.array([0.5, 0.2, 1.5]))
    alone = gains([(0.9, 0.4)], extra[:1], np.array([0.01]), 0.3, np.array([0.5]))
    assert (together.log[0] == alone.log[0]).all()
    assert together.echo[0] == alone.echo[0]
    assert (together.log[1] == 0).all()
    assert together.echo[1] == 0.2


def test_on_marks_that_draw_others_r_less_the_minutes_gone_is_a_supermartingale() -> None:
    rng = np.random.default_rng(1)
    rate, minutes, runs = 0.02, 60, 20_000
    extra = np.broadcast_to(EXTRA, (runs, len(EXTRA)))
    # Doubtful marks are worth less than their mass, so that sure ones are the worst case: there it is a martingale.
    for mark, least, most in ((1.0, 0.93, 1.05), (0.5, 0.3, 0.95)):
        growth, echo = np.zeros((runs, len(EXTRA))), np.zeros(runs)
        for _ in range(minutes):
            echo = faded(echo, 1)
            came = rng.random(runs) < 1 - np.exp(-(rate + ECHO * echo / ECHO_MIN) / mark)
            told = gains([(mark,) if hit else () for hit in came], extra, np.full(runs, rate), 0.0, echo)
            echo = told.echo
            growth = (1 + growth) * np.exp(told.log - EXTRA)
        # Of the strongest surge a few runs in 20,000 make up the mean.
        assert least <= growth[:, 0].mean() / minutes <= most
