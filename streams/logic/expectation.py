"""What each scope is expected to bring in the present hour, from sums of the days before. Pure."""

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squall.scopes import Kind
from squall.sessions import week_slots
from squall.settings import DetectionSettings
from streams.logic import baseline
from streams.logic.baseline import Ints
from streams.logic.e_detector import Floats

HOUR = 60
DAY = 24 * HOUR
KINDS: tuple[Kind, ...] = ("company", "company/topic", "sector", "topic", "market")
NEGATIVE, VOLUME, ITEMS, NEGATIVES = range(4)
"""Sums of a scope's day: marks, weights, articles, their P(negative). The first two are the series that are judged."""
SERIES = (NEGATIVE, VOLUME)

# A scope is expected to bring at least so much mass a day: it keeps the resting surprise of the quietest below the line.
FLOOR_DAY = 0.05
# The past share of negative is shrunk to the group's, worth so many articles, and that to PRIOR_SHARE.
SHARE_ITEMS = 5.0
PRIOR_SHARE = 0.25
# As `baseline.SHAPE_MASS`, for the hours in which articles are awaited.
AWAITED_MASS = 1.0
# 1970-01-01 as `date.toordinal` counts.
_EPOCH = date(1970, 1, 1).toordinal()


def day_slots(day: int, exchange: str) -> Ints:
    """As `week_slots`, of a day since 1970; shape (24,)."""
    return np.array(week_slots(date.fromordinal(_EPOCH + day), exchange))


class Expectation:
    """Sums of the last days by scope, and what follows from them once a day; in a stream's first days once an hour.

    Scopes and groups are numbered from 0 in the order of `add`. A group is what shares a shape of the week and a prior.
    """

    ARRAYS = (
        *("kind", "group", "past", "group_hours"),
        *("alpha", "beta", "wander", "group_mean", "group_days", "group_share", "past_share", "shape"),
        *("item_level", "item_shape"),
    )
    """Names of the arrays from which everything follows."""

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        days = self._days = settings.baseline_days + settings.guard_days + 1
        self.kind: Ints = np.zeros(0, np.int64)
        self.group: Ints = np.zeros(0, np.int64)
        # The days before today, and today as the last.
        self.past: Floats = np.zeros((4, 0, days))
        self.group_hours: Floats = np.zeros((0, days * 24))

        self.alpha: Floats = np.zeros((2, 0))
        self.beta: Floats = np.zeros((2, 0))
        self.wander: Floats = np.full(2, baseline.WANDER[0])
        self.group_mean: Floats = np.zeros((2, 0))
        self.group_days: Floats = np.zeros(0)
        self.group_share: Floats = np.zeros(0)
        self.past_share: Floats = np.zeros(0)
        self.item_level: Floats = np.zeros(0)
        self.shape: Floats = np.zeros((0, baseline.SLOTS))
        # Hardly shrunk: who waits for news must know the hours that bring none.
        self.item_shape: Floats = np.zeros((0, baseline.SLOTS))

    def add(self, kinds: Ints, groups: Ints) -> None:
        """Add scopes without a past; groups may be new."""
        for _ in range(len(self.group_share), int(groups.max()) + 1):
            self.group_hours = np.concatenate([self.group_hours, np.zeros((1, self._days * 24))])
            self.group_mean = np.concatenate([self.group_mean, np.full((2, 1), baseline.PRIOR_DAY)], axis=1)
            self.group_days = np.append(self.group_days, self.group_days.max(initial=0.0))
            self.group_share = np.append(self.group_share, PRIOR_SHARE)
            self.shape = np.concatenate([self.shape, np.ones((1, baseline.SLOTS))])
            self.item_shape = np.concatenate([self.item_shape, np.zeros((1, baseline.SLOTS))])
        self.kind, self.group = np.append(self.kind, kinds), np.append(self.group, groups)
        self.past = np.concatenate([self.past, np.zeros((4, len(kinds), self._days))], axis=1)
        alpha = np.full((2, len(kinds)), baseline.PRIOR_SHAPE)
        self.alpha = np.concatenate([self.alpha, alpha], axis=1)
        self.beta = np.concatenate([self.beta, alpha / self.group_mean[:, groups] + self.group_days[groups]], axis=1)
        self.past_share = np.append(self.past_share, self.group_share[groups])
        # A scope without a past is not awaited.
        self.item_level = np.append(self.item_level, np.zeros(len(kinds)))

    def note(self, hour: int, chosen: Ints, brought: Floats) -> None:
        """Take in a minute.

        Args:
            chosen: numbers of the scopes, each once.
            brought: the sums of their new stories; shape (4, scopes).
        """
        self.past[:, chosen, -1] += brought
        np.add.at(self.group_hours[:, hour % 24 - 24], self.group[chosen], brought[VOLUME])

    def begin_hour(self, hour: int, since: int) -> None:
        """Let an hour (number since 1970) follow the one before it; `since` is the first minute of the stream."""
        guard = self._guard(hour, since)
        if hour % 24 == 0:
            self.past[..., :-1] = self.past[..., 1:]
            self.past[..., -1] = 0.0
            self.group_hours[:, :-24] = self.group_hours[:, 24:]
            self.group_hours[:, -24:] = 0.0
        if hour % 24 == 0 or guard == 0:
            self._fit(hour, since, guard)

    def _guard(self, hour: int, since: int) -> int:
        """Days that the baseline stays behind today: fewer in a young stream, and at first today itself counts."""
        return min(self._settings.guard_days, (hour // 24 - since // DAY) // 3)

    def _fit(self, hour: int, since: int, guard: int) -> None:
        end = self._days - (guard + 1 if guard else 0)
        start = max(0, end - self._settings.baseline_days)
        hours = (hour // 24 - self._days + 1) * 24 + np.arange(self._days * 24)
        slots = np.concatenate([day_slots(int(first) // 24, self._settings.exchange) for first in hours[::24]])
        observed = (hours >= since // HOUR) & (hours < hour)
        observed[: start * 24] = False
        observed[end * 24 :] = False
        groups = len(self.group_share)
        working = np.arange(baseline.SLOTS) < 5 * 24
        self.shape = baseline.fit_shape(self.group_hours, observed, slots, working)
        self.item_shape = baseline.fit_shape(self.group_hours, observed, slots, working, AWAITED_MASS)
        exposure = (self.shape[:, slots] * observed).reshape(groups, self._days, 24).sum(axis=2)[:, start:end] / 24
        past = self.past[:, :, start:end]
        self.group_days = exposure.sum(axis=1)
        weights = np.ones_like(past[0])
        for series in SERIES[::-1]:
            level = baseline.fit_level(past[series], exposure, self.group, groups)
            self.alpha[series], self.beta[series] = level.alpha, level.beta
            self.group_mean[series], self.wander[series] = level.group_mean, level.wander
            weights = level.weights
        items, negative = (past[ITEMS] * weights).sum(axis=1), (past[NEGATIVES] * weights).sum(axis=1)
        all_items, all_negative = (np.bincount(self.group, part, groups) for part in (items, negative))
        self.group_share = (SHARE_ITEMS * PRIOR_SHARE + all_negative) / (SHARE_ITEMS + all_items)
        self.item_level = items / (1.0 + (exposure[self.group] * weights).sum(axis=1))
        self.past_share = (SHARE_ITEMS * self.group_share[self.group] + negative) / (SHARE_ITEMS + items)

    @property
    def level(self) -> Floats:
        """Mass a mean day brings by the past, of each series; shape (2, scopes)."""
        level: Floats = self.alpha / self.beta
        return level

    def of_hour(self, hour: int) -> tuple[Floats, Floats, Floats]:
        """What a minute of an hour is expected to bring: of negative mass and of articles, shape (scopes,) each; and the upper
        end of what is likely for each series, which news is judged against, shape (2, scopes)."""
        slot = day_slots(hour // 24, self._settings.exchange)[hour % 24]
        shape, awaited = (one[:, slot][self.group] / DAY for one in (self.shape, self.item_shape))
        mean = self.level * shape
        high = mean * baseline.gamma_quantile(1.0 / self.alpha, self._settings.caution)
        return mean[NEGATIVE], self.item_level * awaited, np.maximum(high, FLOOR_DAY / DAY)

    def export(self) -> dict[str, Any]:
        """The arrays, for `restore`."""
        return {name: packed(getattr(self, name)) for name in self.ARRAYS}

    def restore(self, arrays: dict[str, Any]) -> None:
        """Take the arrays of `export`."""
        for name in self.ARRAYS:
            setattr(self, name, unpacked(arrays[name]))


def packed(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    """An array as type, shape and bytes."""
    return array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes()


def unpacked(parts: Any) -> NDArray[Any]:
    """The array of `packed`."""
    kind, shape, content = parts
    return np.frombuffer(content, np.dtype(kind)).reshape(shape).copy()
