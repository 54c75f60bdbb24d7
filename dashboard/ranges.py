"""Ranges of time, and the buckets in which a range is shown."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PRESETS = {
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "5d": timedelta(days=5),
    "1m": timedelta(days=30),
    "6m": timedelta(days=182),
    "1y": timedelta(days=365),
}
STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 30 * 1440)
)
POINTS = 400
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Buckets:
    """`number` buckets of `step`, from `start`, in UTC; the last one holds the end of the range."""

    start: datetime
    step: timedelta
    number: int

    @property
    def starts(self) -> list[datetime]:
        """Where each begins."""
        return [self.start + index * self.step for index in range(self.number)]

    @property
    def end(self) -> datetime:
        """Where the last one ends."""
        return self.start + self.number * self.step


def zone(name: str | None) -> ZoneInfo:
    """A zone by its IANA name; UTC for what is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def instant(words: str | None) -> datetime | None:
    """A time with its zone in ISO form; None for what is none."""
    try:
        at = datetime.fromisoformat(words) if words else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None


def buckets(end: datetime, span: timedelta, most: int, tz: ZoneInfo) -> Buckets:
    """At most `most` buckets of a round length that cover `span` up to `end`.

    They are aligned to the zone's midnight at the end; those of a day or more to UTC's, since moods are summed up by its days.
    """
    step = next((step for step in STEPS if span / step <= most), STEPS[-1])
    midnight = end.astimezone(tz if step < DAY else UTC).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    last = midnight + DAY - step if step > DAY else midnight + (end - midnight) // step * step
    number = min(most, max(1, ceil(span / step)))
    return Buckets(last - (number - 1) * step, step, number)


def wall(at: datetime, end: datetime, tz: ZoneInfo) -> str:
    """Wall-clock text for a chart, which knows no zones: the offset at the range's end holds for the whole range."""
    offset = end.astimezone(tz).utcoffset() or timedelta(0)
    return (at.astimezone(UTC) + offset).strftime("%Y-%m-%d %H:%M:%S")


def zone_label(at: datetime, tz: ZoneInfo) -> str:
    """`Europe/Berlin, UTC+01:00`."""
    if tz.key == "UTC":
        return "UTC"
    offset = at.astimezone(tz).strftime("%z")
    return f"{tz.key.replace('_', ' ')}, UTC{offset[:3]}:{offset[3:5]}"
