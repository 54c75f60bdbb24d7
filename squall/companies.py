"""Companies under permanent ids, with tickers and names that carry dates.

The table ships as facts (`squall/data/companies.json`); people add their own in the file that `SQUALL_COMPANIES_FILE` names.
An id never changes, whatever becomes of the name and the tickers.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

SECTORS = {
    "communication": "Communication Services",
    "consumer-discretionary": "Consumer Discretionary",
    "consumer-staples": "Consumer Staples",
    "diversified": "Diversified",
    "energy": "Energy",
    "financials": "Financials",
    "health-care": "Health Care",
    "industrials": "Industrials",
    "materials": "Materials",
    "real-estate": "Real Estate",
    "technology": "Technology",
    "utilities": "Utilities",
}

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Ticker = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,6}([.-][A-Z0-9]{1,2})?$")]
Ambiguity = Annotated[int, Meta(ge=0, le=2)]


class CompanyError(ValueError):
    """A company table is wrong; the message is one line that says what and where."""


class Dated(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something that is valid from `since` to `until`, both included, in days of UTC; None: no limit is known."""

    since: date | None = None
    until: date | None = None

    def valid(self, day: date) -> bool:
        """Whether it was in use on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


class Listing(Dated, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A ticker of a company. A share class is set off by a dash: `BRK-B`."""

    ticker: Ticker
    exchange: str = ""


class Alias(Dated, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A name that texts use for a company.

    `cased`: only where the text writes it with its capitals. `ambiguity`: 0 the name says it all, 1 it is a word or another's name as
    well, so a capital must be more than a sentence's first, 2 only what stands around it can tell.
    """

    text: Annotated[str, Meta(min_length=2, max_length=80)]
    cased: bool = False
    ambiguity: Ambiguity = 0


class Company(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A company. `country` is an ISO 3166 code of two letters; `cues` are words that speak for it where a name is ambiguous."""

    id: Slug
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    sector: str
    country: str = ""
    cik: int | None = None
    listings: tuple[Listing, ...] = ()
    aliases: tuple[Alias, ...] = ()
    cues: tuple[str, ...] = ()


def shipped_file() -> Path:
    """Path of the table that ships."""
    return Path(str(files("squall") / "data" / "companies.json"))


def read_companies(path: Path) -> tuple[Company, ...]:
    """Read one file: a JSON list of companies.

    Raises:
        CompanyError: the file is missing or no list of companies.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Company, ...])
    except OSError as error:
        raise CompanyError(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise CompanyError(f"{path}: {error}") from None


def load_companies(path: Path | None = None) -> tuple[Company, ...]:
    """The table that ships, and the additions in `path` (default: the setting `companies_file`) after it.

    Raises:
        CompanyError: a file cannot be read, or an addition clashes with a company that is there.
    """
    raise NotImplementedError


def event_day(at: datetime) -> date:
    """The day of UTC on which listings and aliases are resolved."""
    return at.astimezone(UTC).date()


class TickerIndex:
    """Finds companies by ticker as of a time."""

    def __init__(self, companies: Iterable[Company]) -> None:
        self._holders: dict[str, list[tuple[Listing, Company]]] = {}
        for company in companies:
            for listing in company.listings:
                self._holders.setdefault(listing.ticker, []).append((listing, company))

    def find(self, ticker: str, at: datetime) -> Company | None:
        """The company that held the ticker (any case, `$` before it or not, `BRK.B` as `BRK-B`) at that time."""
        day = event_day(at)
        for listing, company in self._holders.get(normal_ticker(ticker), ()):
            if listing.valid(day):
                return company
        return None


def normal_ticker(ticker: str) -> str:
    """A ticker as the table writes it."""
    return ticker.strip().lstrip("$").upper().replace(".", "-").replace("/", "-").replace("_", "-")
