"""How numbers and words are written on every page. What is unknown is an en dash, never 0."""

from datetime import timedelta
from html import escape
from urllib.parse import urlsplit

from squall import durations

UNKNOWN = durations.UNKNOWN
MINUS = "−"
MOOD_CUTS = (0.1, 0.35, 0.6)


FALL = "How likely the price is to fall by more than 0.5 % against the market over the next day, by the fused model"


def signed(value: float | None, digits: int = 2) -> str:
    """`+0.42`, `−0.17`, `0.00`."""
    if value is None:
        return UNKNOWN
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def move(fraction: float | None) -> str:
    """A fraction as a percentage with its sign: `−3.4 %`."""
    return UNKNOWN if fraction is None else f"{signed(fraction * 100, 1)} %"


def share(fraction: float | None) -> str:
    """A probability or share: `62 %`, and `<1 %` for what is small but not nothing."""
    if fraction is None:
        return UNKNOWN
    if 0 < fraction < 0.01:
        return "<1 %"
    return f"{fraction * 100:.0f} %"


def surprise(value: float | None, threshold: float | None) -> str:
    """Evidence and alarm line, both log10: `4.2 / 3.6`."""
    left = UNKNOWN if value is None else f"{value:.1f}"
    return f"{left} / {UNKNOWN if threshold is None else f'{threshold:.1f}'}"


def count(number: int | None) -> str:
    """`1,204`."""
    return UNKNOWN if number is None else f"{number:,}"


def plural(number: int, noun: str, more: str | None = None) -> str:
    """`1 story`, `3 stories`."""
    return f"{count(number)} {noun if number == 1 else more or noun + 's'}"


def price(value: float | None) -> str:
    """A price with two digits."""
    return UNKNOWN if value is None else f"{value:,.2f}"


def step_words(step: timedelta) -> str:
    """`15 min`, `1 h`, `1 day`, `7 days`."""
    minutes = int(step.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 1440:
        return f"{minutes // 60} h"
    return plural(minutes // 1440, "day")


def listed(words: list[str], most: int = 3) -> str:
    """`Apple, Google and IBM`; beyond `most` it says how many more."""
    shown, rest = words[:most], len(words) - most
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def mood_step(value: float) -> int:
    """Step of the mood palette, −3 to +3."""
    size = sum(abs(value) >= cut for cut in MOOD_CUTS)
    return size if value > 0 else -size


def web_link(url: str | None) -> str:
    """The address if it is http or https and names a host, otherwise empty."""
    try:
        parts = urlsplit((url or "").strip())
        safe = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return ""
    return (url or "").strip() if safe else ""


def chart_text(text: str, width: int = 90) -> str:
    """Text for a chart, which reads tags and entities: escaped, and cut to `width` characters."""
    text = " ".join(text.split())
    return escape(text if len(text) <= width else text[: width - 1].rstrip() + "…")
