from datetime import date

import numpy as np
import pytest

from squall.sessions import week_slots
from streams.logic import baseline
from streams.logic.baseline import SLOTS, fit_level, fit_shape, gamma_quantile

ONE_GROUP = np.zeros(40, np.int64)
OPEN = np.arange(SLOTS) < 120


def test_little_history_is_shrunk_to_the_group_and_much_speaks_for_itself() -> None:
    rng = np.random.default_rng(2)
    masses = rng.poisson(4.0, (40, 28)).astype(float)
    masses[0] = 0.0
    exposure = np.ones((1, 28))
    level = fit_level(masses, exposure, ONE_GROUP, 1)
    assert level.mean[1:].mean() == pytest.approx(4, rel=0.1)
    assert level.mean[0] < 0.1

    hour = np.zeros((1, 28))
    hour[0, -1] = 1 / 24
    masses = np.zeros((40, 28))
    masses[1:20, -1] = 1.0
    level = fit_level(masses, hour, ONE_GROUP, 1)
    assert 1 < level.mean[39] < level.group_mean[0] < level.mean[1] < 24


def test_a_past_surge_counts_for_little() -> None:
    masses = np.random.default_rng(3).poisson(1.0, (40, 28)).astype(float)
    calm = fit_level(masses, np.ones((1, 28)), ONE_GROUP, 1)
    masses[7, 20] = 60.0
    surged = fit_level(masses, np.ones((1, 28)), ONE_GROUP, 1)
    assert surged.weights[7, 20] < 0.05
    assert surged.mean[7] < calm.mean[7] + 0.2


def test_what_a_rate_may_be_is_the_wider_the_less_is_known() -> None:
    quantiles = gamma_quantile(np.array([0.01, 0.25, 1.0, 2.0]), 1.645)
    assert quantiles == pytest.approx([1.17, 1.93, 2.99, 3.78], rel=0.02)
    assert gamma_quantile(np.array([50.0]), 1.645) >= 1


def test_the_shape_of_the_week_is_learnt_and_its_mean_is_one() -> None:
    slots = np.concatenate([week_slots(date(2014, 3, 3 + day)) for day in range(28)])
    busy = (slots % 24 >= 9) & (slots % 24 < 17) & (slots < 120)
    hours = np.where(busy, 50.0, 5.0)[None, :]
    shape = fit_shape(hours, np.ones(len(slots), bool), slots, OPEN)
    assert shape[0][slots].mean() == pytest.approx(1)
    assert shape[0, 10] / shape[0, 3] == pytest.approx(10, rel=0.15)
    assert shape[0, 6 * 24 + 10] < 0.5
    assert fit_shape(hours, np.zeros(len(slots), bool), slots, OPEN) == pytest.approx(np.ones((1, SLOTS)))


def test_the_local_hour_moves_with_daylight_saving() -> None:
    before, after = week_slots(date(2014, 3, 7)), week_slots(date(2014, 3, 10))
    assert before[14] == 4 * 24 + 9
    assert after[13] == 0 * 24 + 9
    turn = week_slots(date(2014, 3, 9))
    assert turn[6] == 6 * 24 + 1
    assert turn[7] == 6 * 24 + 3


def test_a_holiday_is_a_sunday_and_the_far_future_goes_by_weekdays() -> None:
    assert week_slots(date(2014, 7, 4))[15] == 6 * 24 + 11
    assert week_slots(date(2014, 7, 3))[15] == 3 * 24 + 11
    assert week_slots(date(2150, 1, 5))[20] == 15
    with pytest.raises(ValueError, match="no calendar"):
        week_slots(date(2014, 7, 3), "NOWHERE")


def test_residuals_are_about_standard_normal() -> None:
    counts = np.random.default_rng(4).poisson(9.0, 20_000).astype(float)
    far = baseline.residual(counts, np.full(20_000, 9.0))
    assert far.mean() == pytest.approx(0, abs=0.1)
    assert far.std() == pytest.approx(1, rel=0.05)
