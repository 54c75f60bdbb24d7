"""How long something took or is ago, as people read it: one way for the command line, the pages and the reports."""

from datetime import timedelta

UNKNOWN = "–"


def lasting(length: timedelta | float | None) -> str:
    """`0.42 s`, `42 s`, `5 min`, `3.2 h`, `23 h`, `12 days`; a number is of seconds, what is below zero is none, None unknown."""
    if length is None:
        return UNKNOWN
    seconds = max(0.0, length.total_seconds() if isinstance(length, timedelta) else length)
    if seconds < 120:
        return f"{_short(seconds)} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{_short(seconds / 3600)} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days"


def _short(value: float) -> str:
    """Two digits below ten, no fraction from there on."""
    return f"{round(value, 2):.2g}" if value < 10 else f"{value:.0f}"
