from math import exp

import numpy as np
import pytest

from streams.logic.metrics import Tone, confirmed, divergence, mood_change, price_move, silence, topic_change

PAST = Tone(200, 20, 60)


def tone(*values: float) -> Tone:
    return Tone(len(values), sum(values), sum(value**2 for value in values))


def test_a_fallen_mood_counts_by_how_many_say_so() -> None:
    few, many = mood_change(tone(*[-0.6] * 3), PAST), mood_change(tone(*[-0.6] * 12), PAST)
    assert few is not None
    assert many is not None
    assert many < few < -1.5
    assert mood_change(tone(*[0.1] * 5), PAST) == pytest.approx(0)
    assert mood_change(tone(0.9, 0.9), PAST) is None
    assert mood_change(tone(*[0.9] * 5), Tone()) is None


def test_a_mean_of_ordinary_articles_moves_by_about_one_standard_error() -> None:
    rng = np.random.default_rng(5)
    past = tone(*rng.uniform(-1, 1, 2000))
    found = [mood_change(tone(*rng.uniform(-1, 1, 6)), past) for _ in range(2000)]
    assert np.std([one for one in found if one is not None]) == pytest.approx(1, rel=0.1)


def test_a_price_moves_in_its_own_sigmas_and_without_a_past_not_at_all() -> None:
    closes = [100 * exp(0.01 * (-1) ** day) for day in range(60)]
    move = price_move(closes, closes[-1] * 0.94)
    assert move == pytest.approx(-3.06, abs=0.1)
    assert price_move(closes[:20], 100) is None
    assert price_move([100.0] * 60, 90) is None
    assert price_move([*closes, 0.0], 90) is None


def test_a_fall_of_the_mood_diverges_until_the_price_confirms_it() -> None:
    assert (divergence(-3, 0.2), confirmed(-3, 0.2)) == (True, False)
    assert (divergence(-3, -4), confirmed(-3, -4)) == (False, True)
    assert (divergence(-1, 0.2), confirmed(-1, -4)) == (False, False)
    assert divergence(None, 0.2) is divergence(-3, None) is confirmed(-3, None) is None


def test_silence_surprises_the_more_the_more_was_awaited_and_the_less_days_wander() -> None:
    nothing, some, more = silence(np.array([0.0, 7.0, 14.0]), np.full(3, 7.0), 0.25)
    assert nothing == 0
    assert more == pytest.approx(2 * some)
    assert some == pytest.approx(4 * np.log10(1 + 0.25 * 7))
    # Poisson's probability of nothing is the limit, and a busy day may be a slow one.
    assert silence(np.array([7.0]), np.array([7.0]), 1e-9)[0] == pytest.approx(7 / np.log(10))
    assert silence(np.array([7.0]), np.array([300.0]), 0.25)[0] < 0.2
    assert silence(np.array([0.0]), np.array([0.0]), 0.25)[0] == 0


def test_the_mix_of_topics() -> None:
    assert topic_change({"earnings": 4, "legal": 2}, {"earnings": 40, "legal": 20}) == pytest.approx(0)
    assert topic_change({"legal": 5}, {"earnings": 40}) == pytest.approx(1)
    some = topic_change({"legal": 3, "earnings": 3}, {"earnings": 40})
    assert some is not None
    assert 0.3 < some < 0.8
    assert topic_change({"legal": 1}, {"earnings": 40}) is None
