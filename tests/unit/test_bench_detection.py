"""The detection benchmark's harness: what it counts is what happened, and detectors are told apart."""

import numpy as np
import pytest

from benchmarks.detection.judging import GRACE_MIN, HOLD_ROWS, Scores, judge, threshold_at
from benchmarks.detection.ours import OURS
from benchmarks.detection.rivals import RIVALS
from benchmarks.detection.scenes import QUICK, build
from benchmarks.detection.series import DAY, ROW, ROWS_A_DAY, WARM_UP_DAYS, Burst, Pool, day_permuted, injected
from benchmarks.detection.simulate import simulated

FIRST = WARM_UP_DAYS * ROWS_A_DAY
RNG = np.random.default_rng(0)


def scores(*rows: tuple[int, int, float]) -> Scores:
    scope, row, score = zip(*rows, strict=True)
    return Scores(np.array(scope), np.array(row), np.array(score))


def test_an_incident_stays_open_until_six_quiet_hours_have_passed() -> None:
    said = scores((0, 10, 5.0), (0, 20, 1.0), (0, 10 + HOLD_ROWS, 6.0), (0, 11 + 2 * HOLD_ROWS, 7.0), (1, 12, 9.0))
    opened = said.openings(5.0)
    assert list(zip(opened.scope, opened.row, strict=True)) == [(0, 10), (0, 11 + 2 * HOLD_ROWS), (1, 12)]


def test_the_threshold_is_the_lowest_that_keeps_the_rate() -> None:
    said = scores(*((number, FIRST, float(number)) for number in range(100)))
    assert threshold_at([said], 7) == 93.0
    assert threshold_at([said], 0) > 99.0


def test_recall_delay_and_nab_of_a_found_and_a_missed_burst() -> None:
    series = simulated(2, WARM_UP_DAYS + 5, np.random.default_rng(1))
    first = FIRST * ROW
    bursts = (Burst(0, first, first + 30, 5, "even"), Burst(1, first, first + 30, 5, "even"))
    series = series.with_items(series.scope, series.minute, series.weight, series.negative, bursts=bursts)
    said = scores((0, FIRST + 3, 9.0), (1, FIRST + ROWS_A_DAY, 9.0))
    outcome = judge(said, series, 9.0)
    assert outcome.recall == 0.5
    assert outcome.delays.tolist() == [3 * ROW + ROW - 1, np.inf]
    assert outcome.false == 1
    # A window missed earns what silence earns, 0 here; the hit most of a window's worth; the false alarm costs .11.
    assert outcome.nab == pytest.approx(100 * (1 + 0.9610 - 0.11) / (2 * (1 + 0.9866)), abs=0.5)
    assert judge(said, series, 99.0).nab == 0.0


def test_shuffled_days_keep_what_is_in_a_day() -> None:
    series = simulated(3, 28, np.random.default_rng(2))
    null = day_permuted(series, np.random.default_rng(3))
    assert not np.array_equal(null.minute, series.minute)
    for scope in range(3):
        before, after = (np.bincount(one.minute[one.scope == scope] // DAY, minlength=28) for one in (series, null))
        assert sorted(before) == sorted(after)
        weekend = np.arange(28) % 7 >= 5
        assert before[weekend].sum() == after[weekend].sum()


def test_bursts_are_of_other_companies_and_where_they_say() -> None:
    series = simulated(4, WARM_UP_DAYS + 40, np.random.default_rng(4))
    pool = Pool(np.repeat(np.arange(4), 50), np.ones(200), np.repeat([0.91, 0.92, 0.93, 0.94], 50))
    surged = injected(series, pool, 2, np.random.default_rng(5))
    assert len(surged.bursts) == 8
    assert len(surged.scope) == len(series.scope) + sum(burst.size for burst in surged.bursts)
    for burst in surged.bursts:
        inside = (surged.scope == burst.scope) & (surged.minute >= burst.first) & (surged.minute <= burst.last)
        own = 0.91 + burst.scope / 100
        marks = surged.negative[inside & (surged.weight == 1.0)]
        assert len(marks) >= burst.size
        assert not np.isclose(marks, own).any()


def test_ours_beats_chance_and_chance_is_where_it_should_be() -> None:
    scene = build(QUICK, 1).scoring
    null, surged = scene.nulls[0], scene.surged[0]
    said = {
        name: rival.scores([null, surged], rival.drawn(1, RNG)[0])
        for name, rival in (("random", RIVALS["random"]), ("ours", OURS))
    }
    thresholds = {name: threshold_at([scores[0]], null.judged_days) for name, scores in said.items()}
    recall = {name: judge(scores[1], surged, thresholds[name]).recall for name, scores in said.items()}
    chances = []
    share = (said["random"][0].judged().score >= thresholds["random"]).mean()
    for burst in surged.bursts:
        inside = (surged.scope == burst.scope) & (surged.minute >= burst.first) & (surged.minute <= burst.last + GRACE_MIN)
        chances.append(1 - (1 - share) ** len(np.unique(surged.minute[inside] // ROW)))
    expected = np.array(chances)
    error = np.sqrt((expected * (1 - expected)).sum()) / len(expected)
    assert abs(recall["random"] - expected.mean()) <= 3 * error
    assert recall["ours"] >= recall["random"] + 0.3
