"""Companies under permanent ids, with tickers and names that carry dates.

The table ships as facts (`squall/data/companies.json`); people add their own in the file that `SQUALL_COMPANIES_FILE`
names. An id never changes, whatever becomes of the name and the tickers.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from squall.errors import UserError
from squall.settings import get_settings

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

AMERICAN = frozenset(("NYSE", "NASDAQ", "CBOE", "OTC", ""))
"""Exchanges of the United States; a listing without one is there."""

EXCHANGES = {
    "NYSE": "NYSE", "NASDAQ": "NASDAQ", "NASDAQGS": "NASDAQ", "NASDAQGM": "NASDAQ", "NASDAQCM": "NASDAQ", "AMEX": "NYSE",
    "CBOE": "CBOE", "LON": "LON", "LSE": "LON", "ETR": "ETR", "XETRA": "ETR", "FRA": "ETR", "FWB": "ETR", "EPA": "EPA",
    "AMS": "AMS", "EBR": "EBR", "SWX": "SWX", "SIX": "SWX", "BME": "BME", "BIT": "BIT", "STO": "STO", "HEL": "HEL",
}  # fmt: skip
"""Exchanges as texts name them before a colon -> as the table does."""

SUFFIXES = {
    "AS": "AMS", "BR": "EBR", "DE": "ETR", "HE": "HEL", "L": "LON", "MC": "BME", "MI": "BIT", "PA": "EPA", "ST": "STO",
    "SW": "SWX", "N": "NYSE", "O": "NASDAQ", "OQ": "NASDAQ", "K": "NYSE",
}  # fmt: skip
"""What stands after a ticker's dot -> exchange."""

DASHES = str.maketrans("./_", "---")

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Ticker = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,8}(-[A-Z0-9]{1,2})?$")]
Ambiguity = Annotated[int, Meta(ge=0, le=2)]


class CompanyError(UserError):
    """A company table is wrong; the message is one line that says what and where."""


class Dated(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something that is valid from `since` to `until`, both included, in days of UTC; None: no limit is known."""

    since: date | None = None
    until: date | None = None

    def valid(self, day: date) -> bool:
        """Whether it was in use on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


class Listing(Dated, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A ticker of a company. A share class is set off by a dash: `BRK-B`. `word`: without a `$` it says nothing."""

    ticker: Ticker
    exchange: str = ""
    word: bool = False


class Alias(Dated, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A name that texts use for a company.

    `cased`: without its capitals only context can tell. `ambiguity`: 0 the name says it all; 1 it is a word or another's name
    as well, so its capital must be more than that of a sentence's first word; 2 only context can tell.
    """

    text: Annotated[str, Meta(min_length=2, max_length=80)]
    cased: bool = True
    ambiguity: Ambiguity = 0


class Company(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A company. `country` is an ISO 3166 code of two letters.

    Where a name is ambiguous, `cues` are words that speak for the company and `against` words that speak against it; one of
    these that contains the name (gap up) is never the company.
    """

    id: Slug
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    sector: str
    country: str = ""
    cik: int | None = None
    listings: tuple[Listing, ...] = ()
    aliases: tuple[Alias, ...] = ()
    cues: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


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
    shipped = read_companies(shipped_file())
    path = path or get_settings().companies_file
    if path is None:
        return shipped
    own = read_companies(path)
    for company in own:
        if problem := addition_problem(company, shipped + tuple(other for other in own if other is not company)):
            raise CompanyError(f"{path}: {company.id}: {problem}")
    return shipped + own


def overlaps(one: Dated, other: Dated) -> bool:
    """Whether there is a day on which both are valid."""
    starts = [day for day in (one.since, other.since) if day]
    ends = [day for day in (one.until, other.until) if day]
    return not starts or not ends or max(starts) <= min(ends)


def clash(one: Listing, other: Listing) -> bool:
    """Whether both are the same ticker on the same exchange on the same day (all American exchanges count as one)."""
    place = one.exchange == other.exchange or {one.exchange, other.exchange} <= AMERICAN
    return one.ticker == other.ticker and place and overlaps(one, other)


def addition_problem(company: Company, others: Iterable[Company]) -> str:
    """What keeps a company from standing beside the others; empty: nothing does."""
    if company.sector not in SECTORS:
        return f"sector {company.sector!r} is none of {', '.join(SECTORS)}"
    for other in others:
        if other.id == company.id:
            return "a company of this id is there already"
        for listing in company.listings:
            if any(clash(listing, held) for held in other.listings):
                return f"ticker {listing.ticker} belongs to {other.id} ({other.name}) at that time; give --since or --until"
    return ""


def problems(companies: Iterable[Company]) -> list[str]:
    """What is wrong with a table: ids that occur twice, unknown sectors, wrong dates, tickers held by two at a time."""
    found = []
    seen: set[str] = set()
    held: dict[str, list[tuple[Listing, Company]]] = {}
    for company in companies:
        if company.id in seen:
            found.append(f"{company.id}: this id occurs twice")
        seen.add(company.id)
        if company.sector not in SECTORS:
            found.append(f"{company.id}: sector {company.sector!r} is none of {', '.join(SECTORS)}")
        for dated in (*company.listings, *company.aliases):
            if dated.since and dated.until and dated.since > dated.until:
                found.append(f"{company.id}: since {dated.since} is after until {dated.until}")
        for listing in company.listings:
            for other, holder in held.get(listing.ticker, ()):
                if clash(listing, other):
                    found.append(f"{company.id}: ticker {listing.ticker} belongs to {holder.id} at the same time")
            held.setdefault(listing.ticker, []).append((listing, company))
    return found


def shared_names(companies: Iterable[Company]) -> dict[str, list[str]]:
    """Names that several companies have -> their ids. The linker takes the one for which the context speaks most."""
    holders: dict[str, list[str]] = {}
    for company in companies:
        for name in sorted({alias.text.lower() for alias in company.aliases}):
            holders.setdefault(name, []).append(company.id)
    return {name: ids for name, ids in sorted(holders.items()) if len(ids) > 1}


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

    def find(self, ticker: str, at: datetime, exchange: str = "") -> Company | None:
        """The company that held the ticker at that time, or None where none or several did.

        Any case, `$` before it or not, `BRK.B` as `BRK-B`; `BARC.L` and `LON:BARC` name the exchange, as `exchange` does. Without
        one, an American listing goes before all others.
        """
        held = self.holding(ticker, event_day(at), exchange)
        return held[1] if held else None

    def holding(self, ticker: str, day: date, exchange: str = "") -> tuple[Listing, Company] | None:
        """As `find`, with the listing, on a day of UTC."""
        place, _, name = ticker.strip().rpartition(":")
        name = normal_ticker(name)
        exchange = exchange or EXCHANGES.get(place.upper(), "")
        stem, _, suffix = name.rpartition("-")
        if suffix in SUFFIXES and stem and name not in self._holders:
            name, exchange = stem, SUFFIXES[suffix]
        held = [(listing, company) for listing, company in self._holders.get(name, ()) if listing.valid(day)]
        if exchange:
            same = {exchange, ""} if exchange not in AMERICAN else AMERICAN
            held = [pair for pair in held if pair[0].exchange in same]
        elif american := [pair for pair in held if pair[0].exchange in AMERICAN]:
            held = american
        return held[0] if len({company.id for _, company in held}) == 1 else None


def normal_ticker(ticker: str) -> str:
    """A ticker as the table writes it."""
    return ticker.strip().lstrip("$").upper().translate(DASHES)
