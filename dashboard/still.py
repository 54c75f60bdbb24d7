"""What does not move under the eye: parts of a page that are the same again are not sent, and so not drawn anew."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from dash import no_update
from plotly.io.json import to_json_plotly


def marks(parts: Sequence[Any]) -> list[str]:
    """A short text for each part, the same for the same components."""
    return [blake2b(to_json_plotly(part).encode(), digest_size=8).hexdigest() for part in parts]


def changed(parts: Sequence[Any], seen: Sequence[str] | None) -> tuple[list[Any], list[str]]:
    """The parts, with `no_update` for each whose mark is the one `seen` at its place; and the marks of all."""
    now = marks(parts)
    before = seen if seen and len(seen) == len(now) else [""] * len(now)
    return [part if new != old else no_update for part, new, old in zip(parts, now, before, strict=True)], now
