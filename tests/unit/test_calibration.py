"""The line that a watch-list's own permuted history asks for keeps the budget on history that it has not seen."""

import numpy as np
import pytest

from benchmarks.detection.judging import Scores
from benchmarks.detection.ours import minutes_of
from benchmarks.detection.series import ROW, Series
from benchmarks.detection.simulate import simulated
from squall.lines import FAMILIES
from squall.settings import DetectionSettings
from streams.logic.calibration import HOLD, LEAST_LINE, days_needed, line_for, play_null
from streams.logic.detection import Arrival
from streams.logic.expectation import DAY
from streams.logic.past import Past
from streams.logic.surge_detector import SurgeDetector

SETTINGS = DetectionSettings(baseline_days=7)
SCOPES, DAYS, JUDGED_FROM = 25, 24, 10


def history(seed: int) -> tuple[Series, Past]:
    series = simulated(SCOPES, DAYS, np.random.default_rng(seed))
    return series, Past(minutes_of(series, ROW))


@pytest.mark.slow
def test_the_budget_holds_on_null_data_that_the_line_was_not_measured_on() -> None:
    null = play_null(history(21)[1], SETTINGS, np.random.default_rng(1))["companies"]
    assert null.days == 4 * (DAYS - JUDGED_FROM)
    series, _ = history(22)
    detector, found = SurgeDetector(SETTINGS), []
    for minute, arrivals in minutes_of(series, ROW):
        for said in detector.step(minute, arrivals):
            if minute >= JUDGED_FROM * DAY and said.share_up:
                found.append((int(said.scope.rpartition("sim")[2]), minute, said.surprise))
    scope, at, score = (np.array(column) for column in zip(*found, strict=True))
    order = np.lexsort((at, scope))
    scores = Scores(scope[order], at[order] // ROW, score[order])
    days = DAYS - JUDGED_FROM
    assert null.measured(0.1) is None
    for budget in (1.0, 10.0):
        measured = null.measured(budget)
        assert measured is not None
        assert measured.counted <= measured.allowed < budget * null.days
        moved = measured.value
        # Far below the bound, which holds whatever the stream: that is what a calibration is for.
        assert moved < -1
        incidents = len(scores.openings(null.bound - np.log10(budget) + moved).row)
        assert incidents <= budget * days + 3 * (budget * days + 1) ** 0.5
    at_bound = len(scores.openings(null.bound).row)
    assert at_bound <= days + 3 * days**0.5


def test_too_short_a_history_says_nothing() -> None:
    minutes = [(day * DAY + 9, {"company:a": Arrival((0.5,), (1.0,), 1, 1.0, 0.5)}) for day in range(12)]
    for some, budget in (([], 1.0), (minutes[:9], 1.0), (minutes, 0.1)):
        nulls = play_null(Past(some), SETTINGS, np.random.default_rng(1))
        assert [nulls[family].measured(budget) for family in FAMILIES] == [None, None]
    assert days_needed(DetectionSettings(), 0.2) == (81, 31)


def test_each_family_is_measured_by_itself_and_days_that_nobody_listened_do_not_count() -> None:
    market = {"market": Arrival((0.9,), (1.0,), 1, 1.0, 0.9)}
    minutes = [(day * DAY + 9, market) for day in range(30) if day not in (20, 21)]
    nulls = play_null(Past(minutes), SETTINGS, np.random.default_rng(1))
    assert nulls["companies"].measured(1.0) is None
    assert nulls["wider"].days == 4 * (20 - 2)
    measured = nulls["wider"].measured(100.0)
    assert measured is not None
    # However many the budget allows, the line stands where a quiet scope does not reach it.
    assert measured.value == pytest.approx(LEAST_LINE - nulls["wider"].bound + 2, abs=1e-4)


def test_the_line_is_the_lowest_that_allows_no_more() -> None:
    found = [(0, "a", 10, 5.0), (0, "a", 10 + HOLD, 6.0), (0, "b", 5, 3.25), (1, "a", 10, 4.0), (1, "a", 11 + HOLD, 2.0)]
    assert line_for(found, 0) == (6.01, 0)
    assert line_for(found, 1) == (4.01, 1)
    assert line_for(found, 3) == (LEAST_LINE, 3)
    assert line_for(found, 4) == (LEAST_LINE, 3)
