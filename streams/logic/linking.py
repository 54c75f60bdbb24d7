"""Which companies an article is about, where it names them, and how much it is about each. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from squall.companies import Company


class Link(Struct, frozen=True):
    """A company that an article names.

    `relevance` is 0 to 100; `span` are offsets in `article_text` of the best first occurrence, or None where only the source says
    so (its ticker hints).
    """

    company_id: str
    relevance: int
    span: tuple[int, int] | None


def article_text(title: str, body: str) -> str:
    """The text that spans refer to."""
    return f"{title}\n{body}" if body else title


class Linker:
    """Links texts to the companies of one table."""

    def __init__(self, companies: Iterable[Company]) -> None:
        raise NotImplementedError

    def link(self, title: str, body: str, tickers: Sequence[str], at: datetime) -> list[Link]:
        """Companies named in the text, or hinted at by `tickers`, as of `at`; by relevance (highest first), then id."""
        raise NotImplementedError
