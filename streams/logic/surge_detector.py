"""When the negative news of a scope has left its own past behind: the detector of surges, all scopes at once. Pure.

State moves at canonical minutes only (a scope's arrivals, the end of each hour); in between it is computed in closed form. So
what it says of a minute does not depend on which minutes it was asked for.
"""

import zlib
from collections.abc import Collection, Mapping
from math import log, log10

import msgspec
import numpy as np

from squall.lines import DETECTOR, Line, Lines, bounds, family_of
from squall.scopes import Kind, parse_scope
from squall.settings import DetectionSettings
from streams.logic.baseline import Ints
from streams.logic.detection import Arrival, Signal
from streams.logic.e_detector import EXTRA, NOTHING, Floats, after_marks, after_quiet, faded, gains, log_mean, strengths, surprise
from streams.logic.expectation import DAY, HOUR, KINDS, NEGATIVE, SERIES, VOLUME, Expectation, packed, unpacked
from streams.logic.metrics import silence
from streams.logic.moods import Moods

# The line is never lower than for a watch-list of so many scopes: three stories are no surge, however few are watched.
LEAST_FAMILY = 500
# Scopes wider than a company are too busy to be judged by a prior: they wait until the stream is so old.
WARM = 2 * DAY
# By how much log10 R stays above the line at the end of an hour: an alarm that is out needs no more proof, and ends the sooner.
HEADROOM = 1.5
# The share of negative is up where it stands so many standard errors above the past, and at a quarter or more. At a half it is up
# whatever the past: a company of which little but bad news is heard would else have to do worse than that.
SHARE_ERRORS = 0.25
LEAST_SHARE, AMPLE_SHARE = 0.25, 0.5
# The strength whose CUSUM says since when something stands out.
_SINCE = 0
_MASS, _EXPECTED, _STORIES, _MENTIONS, _ITEMS, _NEGATIVES = range(6)


class SurgeDetector:
    """The marked e-detector over scopes, against baselines of their own past; see `streams.logic.detection.Detector`.

    Args:
        lines: the alarm lines to begin with; None: as the settings have them.
    """

    ARRAYS = ("asof", "log_r", "echo", "cusum", "start", "sums", "awaited")

    def __init__(self, settings: DetectionSettings, lines: Lines | None = None) -> None:
        self._settings = settings
        self.lines = lines or bounds(settings)
        self._number: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._since: int | None = None
        """The first minute that brought anything."""
        self._hour = 0
        """The hour whose expectations hold now."""
        self._expectation = Expectation(settings)
        self.moods = Moods(settings)
        self._companies = 0
        self._mean: Floats = np.zeros(0)
        self._items: Floats = np.zeros(0)
        self._rate: Floats = np.zeros((2, 0))
        self._extra: Floats = np.zeros((2, 0, len(EXTRA)))
        self.asof: Ints = np.zeros(0, np.int64)
        self.log_r: Floats = np.zeros((2, 0, len(EXTRA)))
        self.echo: Floats = np.zeros((2, 0))
        self.cusum: Floats = np.zeros(0)
        self.start: Ints = np.zeros(0, np.int64)
        self.sums: Floats = np.zeros((6, 0))
        self.awaited: Floats = np.zeros(0)
        """Articles that were to be expected since the last one."""

    @property
    def lookback(self) -> int:
        """Minutes of history that a baseline goes by."""
        return (self._settings.baseline_days + self._settings.guard_days + 1) * DAY

    def step(self, minute: int, arrivals: Mapping[str, Arrival], watched: Collection[str] = ()) -> list[Signal]:
        """Take in a minute, later than all before; signals of what brought something or is watched, in order of their names."""
        self._roll(minute)
        if arrivals:
            self._take(minute, arrivals)
            self.moods.take(minute, arrivals)
        return self._signals(sorted({*arrivals, *watched}), minute)

    def at(self, scope: str, minute: int) -> Signal:
        """The signal of a scope at the end of the last minute taken in, or of a later one; none earlier may follow."""
        self._roll(minute)
        return self._signals([scope], minute)[0]

    def silent(self, minute: int, level: float) -> list[str]:
        """The scopes whose `Signal.silence` is so high at the end of the last minute taken in, or of a later one."""
        self._roll(minute)
        hushed = self._hushed(np.arange(len(self._number)), minute)[1] >= level
        return [name for name, number in self._number.items() if hushed[number]]

    def _hushed(self, places: Ints, minute: int) -> tuple[Floats, Floats]:
        """Articles awaited by some scopes since their last one, and how surprising their silence is, to 4 digits."""
        awaited = self.awaited[places] + self._items[places] * (minute - self.asof[places])
        hush = silence(awaited, self._expectation.item_level[places], float(self._expectation.wander[VOLUME]))
        return awaited, np.round(hush, 4)

    def line(self, kind: Kind) -> float:
        """log10 of the alarm line of a kind of scope: by Ville's inequality the budget is kept where it is the family's minutes
        over the budget."""
        family = self._companies if kind == "company" else len(self._number) - self._companies
        line = self.lines.of(family_of(kind))
        return round(log10(max(family, LEAST_FAMILY) * DAY / line.budget) + line.calibration, 4)

    def move_lines(self, lines: Lines, minute: int) -> None:
        """Let other alarm lines hold from a minute on, later than all before.

        A line that falls opens nothing: a scope then stands as far from it as it stood from the one before, or `HEADROOM` below
        it where it stood farther. R is only ever made less by that, so that the bound goes on to hold.
        """
        if lines == self.lines:
            return
        self._roll(minute)
        self._pass(np.arange(len(self._number)), minute - 1)
        before = self._line_of_each()
        self.lines = lines
        after = self._line_of_each()
        stands = log_mean(self.log_r) / log(10)
        wanted = after + np.maximum(stands - before, -HEADROOM)
        with np.errstate(invalid="ignore"):
            less = np.where(wanted < stands, wanted - stands, 0.0)
        self.log_r += less[..., None] * log(10)

    def _line_of_each(self) -> Floats:
        """The line of each scope."""
        lines: Floats = np.array([self.line(kind) for kind in KINDS])[self._expectation.kind]
        return lines

    def _roll(self, minute: int) -> None:
        """End the hours before that of `minute`."""
        hour = minute // HOUR
        if self._since is None:
            self._hour = hour
            return
        while self._hour < hour:
            self._hour += 1
            self._pass(np.arange(len(self._number)), self._hour * HOUR - 1)
            self.log_r = np.minimum(self.log_r, (self._line_of_each() + HEADROOM)[:, None] * log(10))
            self._expectation.begin_hour(self._hour, self._since)
            self._expect()
            if self._hour * HOUR < self._since + WARM:
                self.log_r[:, self._expectation.kind != 0] = NOTHING

    def _expect(self) -> None:
        """What is expected in the present hour."""
        self._mean, self._items, self._rate = self._expectation.of_hour(self._hour)
        self._extra = strengths(self._expectation.level / DAY)

    def _pass(self, chosen: Ints, until: int) -> None:
        """Let some scopes be quiet until the end of a minute."""
        quiet = until - self.asof[chosen]
        self.log_r[:, chosen] = after_quiet(self.log_r[:, chosen], self._extra[:, chosen], quiet)
        self.echo[:, chosen] = faded(self.echo[:, chosen], quiet)
        self.sums[_EXPECTED, chosen] += self._mean[chosen] * quiet
        self.awaited[chosen] += self._items[chosen] * quiet
        left = np.maximum(self.cusum[chosen] - self._extra[NEGATIVE, chosen, _SINCE] * quiet, 0.0)
        self.cusum[chosen] = left
        self.sums[:, chosen[left == 0]] = 0.0
        self.asof[chosen] = until

    def _take(self, minute: int, arrivals: Mapping[str, Arrival]) -> None:
        if self._since is None:
            self._since = minute
        names = sorted(arrivals)
        found = [arrivals[name] for name in names]
        if new := [name for name in names if name not in self._number]:
            self._add(new, arrivals, minute)
        chosen = np.array([self._number[name] for name in names])
        self._pass(chosen, minute - 1)
        brought = np.array([(one.mass, sum(one.weights), one.items, one.negative) for one in found]).T
        counts = np.array([(len(one.weights), one.mentions) for one in found], np.float64).T
        self._expectation.note(self._hour, chosen, brought)

        echo, extra = faded(self.echo[:, chosen], 1), self._extra[:, chosen]
        taken = [
            gains(marks, extra[series], self._rate[series, chosen], self._expectation.wander[series], echo[series])
            for series, marks in zip(SERIES, ([one.marks for one in found], [one.weights for one in found]), strict=True)
        ]
        self.log_r[:, chosen] = after_marks(self.log_r[:, chosen], extra, np.stack([one.log for one in taken]))
        self.echo[:, chosen] = [one.echo for one in taken]
        idle = self.cusum[chosen] == 0
        self.start[chosen[idle]] = minute
        added = np.stack([brought[0], self._mean[chosen], *counts, *brought[2:]])
        self.sums[:, chosen] = np.where(idle, 0.0, self.sums[:, chosen]) + added
        moved = taken[NEGATIVE].log[:, _SINCE] - extra[NEGATIVE, :, _SINCE]
        self.cusum[chosen] = np.maximum(self.cusum[chosen] + moved, 0.0)
        self.awaited[chosen[brought[2] > 0]] = 0.0
        self.asof[chosen] = minute

    def _add(self, names: list[str], arrivals: Mapping[str, Arrival], minute: int) -> None:
        kinds = [parse_scope(name).kind for name in names]
        groups = []
        for name, kind in zip(names, kinds, strict=True):
            self._number[name] = len(self._number)
            key = f"{kind}:{arrivals[name].sector}" if kind == "company" else kind
            groups.append(self._groups.setdefault(key, len(self._groups)))
        more = len(names)
        self._expectation.add(np.array([KINDS.index(kind) for kind in kinds]), np.array(groups))
        self._companies += kinds.count("company")
        self._expect()
        self.asof = np.append(self.asof, np.full(more, minute - 1))
        self.log_r = np.concatenate([self.log_r, np.full((2, more, len(EXTRA)), NOTHING)], axis=1)
        self.echo = np.concatenate([self.echo, np.zeros((2, more))], axis=1)
        self.cusum = np.append(self.cusum, np.zeros(more))
        self.start = np.append(self.start, np.zeros(more, np.int64))
        self.sums = np.concatenate([self.sums, np.zeros((6, more))], axis=1)
        self.awaited = np.append(self.awaited, np.zeros(more))

    def _signals(self, names: list[str], minute: int) -> list[Signal]:
        places = np.array([self._number[name] for name in names if name in self._number], np.int64)
        quiet = minute - self.asof[places]
        surprises = surprise(after_quiet(self.log_r[:, places], self._extra[:, places], quiet))
        lines = {kind: self.line(kind) for kind in KINDS}
        found = iter(zip(places, surprises.T, *self._hushed(places, minute), strict=True))
        signals = []
        for name in names:
            kind = parse_scope(name).kind
            if name not in self._number:
                signals.append(Signal(name, minute, 0.0, 0.0, lines[kind], share_up=False, since=minute))
                continue
            number, both, *hushed = next(found)
            judged = kind == "company" or minute >= (self._since or 0) + WARM
            signals.append(self._signal(name, int(number), minute, both * judged, lines[kind], *hushed))
        return signals

    def _signal(self, name: str, number: int, minute: int, surprises: Floats, line: float, awaited: float, hush: float) -> Signal:
        quiet = int(minute - self.asof[number])
        lasts = self.cusum[number] > self._extra[NEGATIVE, number, _SINCE] * quiet
        sums = self.sums[:, number] if lasts else np.zeros(6)
        items, negative = float(sums[_ITEMS]), float(sums[_NEGATIVES])
        past, mean = float(self._expectation.past_share[number]), float(self._mean[number])
        above_past = past * items + SHARE_ERRORS * (past * (1.0 - past) * items) ** 0.5
        return Signal(
            scope=name,
            minute=minute,
            surprise=float(surprises[0]),
            volume_surprise=float(surprises[1]),
            line=line,
            share_up=items > 0 and negative >= min(max(LEAST_SHARE * items, above_past), AMPLE_SHARE * items),
            since=int(self.start[number]) if lasts else minute,
            mass=round(float(sums[_MASS]), 6),
            expected=round(float(sums[_EXPECTED]) + mean * quiet, 6) if lasts else 0.0,
            stories=int(sums[_STORIES]),
            mentions=int(sums[_MENTIONS]),
            negative_share=round(negative / items, 6) if items else 0.0,
            past_share=round(past, 6),
            level=round(mean * DAY, 6),
            silence=float(hush),
            awaited=round(float(awaited), 6),
        )

    def export(self) -> bytes:
        """All that it keeps; `restore` of it continues exactly here."""
        held = {
            "mark": self._mark(),
            "lines": self.lines,
            "names": list(self._number),
            "groups": list(self._groups),
            "since": self._since,
            "hour": self._hour,
            "arrays": {name: packed(getattr(self, name)) for name in self.ARRAYS},
            "expectation": self._expectation.export(),
            "moods": self.moods.export(),
        }
        return zlib.compress(msgspec.msgpack.encode(held), 1)

    def restore(self, state: bytes) -> None:
        """Continue where the detector that exported `state` stood.

        Raises:
            ValueError: the state is of another layout or other settings.
        """
        held = msgspec.msgpack.decode(zlib.decompress(state))
        if held["mark"] != self._mark():
            raise ValueError("the detector's state is of another layout or other settings")
        self.lines = Lines(*(Line(*line) for line in held["lines"]))
        self._number = {name: number for number, name in enumerate(held["names"])}
        self._groups = {name: number for number, name in enumerate(held["groups"])}
        self._since, self._hour = held["since"], held["hour"]
        for name in self.ARRAYS:
            setattr(self, name, unpacked(held["arrays"][name]))
        self._expectation.restore(held["expectation"])
        self._companies = int(np.count_nonzero(self._expectation.kind == KINDS.index("company")))
        self.moods.restore(held["moods"])
        self._expect()

    def succeed(self, before: "SurgeDetector", minute: int) -> None:
        """Go on for a detector that saw the same past as another model version scored it, after the same minute.

        Baselines and sums stay its own. Of the evidence it takes the lesser, and what one of both alone calls negative begins
        below the line: nothing stands out because the version is another.
        """
        missing = [name for name in before._number if name not in self._number]
        if missing:
            self._add(missing, {name: Arrival(sector=before._sector(name)) for name in missing}, minute)
        for one in (self, before):
            one._roll(minute)
            one._pass(np.arange(len(one._number)), minute)
        least = np.full_like(self.log_r, NOTHING)
        for name, theirs in before._number.items():
            number = self._number[name]
            negative = [one.at(name, minute).share_up for one in (self, before)]
            least[:, number] = before.log_r[:, theirs]
            below = (self.line(parse_scope(name).kind) - HEADROOM) * log(10)
            held = [] if all(negative) else [NEGATIVE, VOLUME] if any(negative) else [NEGATIVE]
            least[held, number] = np.minimum(least[held, number], below)
        self.log_r = np.minimum(self.log_r, least)
        self._since = min((one._since for one in (self, before) if one._since is not None), default=None)

    def _sector(self, name: str) -> str:
        key = list(self._groups)[int(self._expectation.group[self._number[name]])]
        return key.partition(":")[2]

    def _mark(self) -> list[int]:
        # The layout follows from these; thresholds may change without the past being lost.
        return [DETECTOR, self._settings.baseline_days, self._settings.guard_days]
