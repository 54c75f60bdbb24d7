"""Builds the company table from lists of tickers and our own file of names and dates. Ids in the existing table are kept."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

import msgspec

from squall.companies import AMERICAN, SECTORS, Alias, Company, CompanyError, Listing, normal_ticker

US_INDICES = ("S&P 500", "NASDAQ 100", "S&P 600")
EUROPEAN_INDICES = (
    "AEX", "BEL 20", "CAC Mid 60", "CAC_40", "DAX", "EURO STOXX 50", "FTSE 100", "IBEX 35", "MDAX", "OMX Helsinki 25",
    "OMX Stockholm 30", "SDAX", "Switzerland 20", "TecDAX",
)  # fmt: skip
SUFFIXES = {
    "AS": ("AMS", "NL"), "BR": ("EBR", "BE"), "DE": ("ETR", "DE"), "HE": ("HEL", "FI"), "L": ("LON", "GB"), "MC": ("BME", "ES"),
    "MI": ("BIT", "IT"), "PA": ("EPA", "FR"), "ST": ("STO", "SE"), "SW": ("SWX", "CH"),
}  # fmt: skip
HOME = dict(SUFFIXES.values())
US_EXCHANGES = {"NYSE": "NYSE", "Nasdaq": "NASDAQ", "NASDAQ": "NASDAQ", "CBOE": "CBOE", "AMEX": "NYSE"}
LEGAL = re.compile(
    r",? (Inc\.?|Corp\.?|Corporation|Incorporated|plc|PLC|S\.?A\.?|S\.A\.F\.|AG|SE|N\.?V\.?|Ltd\.?|Limited|AB|KGaA|SCA|"
    r"Holding AG|& Co\.?|LLC|Holdings?|Group|Trust|\+? ?REIT|\(.*\))$"
)
TRADE = re.compile(
    r" (Pharmaceuticals?|Therapeutics|Technolog(y|ies)|International|Brands|Bancorp|Industries|Enterprises|Systems|Solutions|"
    r"Worldwide|Laboratories|Semiconductor|Biosciences|Entertainment|Networks|Company|Companies)$"
)
SECTOR_WORDS = (
    ("real-estate", "real estate", "property", "immobilien", "reit", "retis"),
    ("utilities", "utilities", "versorger", "windenergie", "renewable energy", "wind energy"),
    ("health-care", "health care", "healthcare", "biotech", "pharma", "medical", "medizin", "pflege", "caregiving"),
    ("communication", "communication services", "telecom", "telekom", "media", "medien", "publishing", "werbung", "broadcast"),
    ("technology", "information technology", "technology", "software", "semiconductor", "halbleiter", "technologie", "internet",
     "it-dienst", "it services", "it and consulting", "computer", "rechner", "elektronik", "electronic", "iot"),
    ("energy", "energy", "oil", "erdöl", "öl"),
    ("financials", "financials", "bank", "insurance", "versicherung", "financial", "invest", "private equity", "beteiligung",
     "asset management"),
    ("consumer-staples", "consumer staples", "consumer non-cyclical", "beverage", "food", "tobacco", "getränke"),
    ("consumer-discretionary", "consumer discretionary", "consumer cyclical", "automo", "retail", "travel", "tourism", "leisure",
     "gambl", "lotter", "freizeit", "e-commerce", "hospitality", "fashion", "sports", "unterhaltung", "home", "konsum"),
    ("materials", "materials", "chemi", "mining", "metal", "steel", "riechstoffe", "zement", "glas", "montan"),
)  # fmt: skip


def slug(name: str) -> str:
    """A readable id: lower case, ASCII, words joined by dashes."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name.replace("'", "")).strip("-")[:60].strip("-")


def clean_name(name: str) -> str:
    """A company's name without its legal form and without what an encyclopedia adds in parentheses."""
    name = re.sub(r"^The ", "", name.replace("\u2019", "'").replace("\u2013", "-"))
    while (shorter := LEGAL.sub("", name)) != name:
        name = shorter
    return name[:1].upper() + name[1:]


def sector_of(industries: Iterable[str]) -> str:
    """The sector that the list's industries speak for most plainly: a name of one of ours decides, words do otherwise."""
    lowered = [industry.lower() for industry in industries]
    words = {name.lower(): key for key, name in SECTORS.items()} | {"information technology": "technology"}
    named = [words[industry] for industry in lowered if industry in words]
    if len(set(named)) == 1:
        return named[0]
    for sector, *cues in SECTOR_WORDS:
        if any(cue in industry for cue in cues for industry in lowered):
            return sector
    return "industrials"


def _dates(text: str) -> tuple[str, date | None, date | None]:
    """`name 2012-05-18..2022-06-08` -> the name, its first and its last day."""
    match = re.fullmatch(r"(.+?)\s+(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?", text)
    if not match:
        return text, None, None
    try:
        since, until = (date.fromisoformat(day) if day else None for day in match.group(2, 3))
    except ValueError as error:
        raise CompanyError(f"{text}: {error}") from None
    return match[1], since, until


def parse_listing(text: str) -> Listing:
    """`FB@NASDAQ 2012-05-18..2022-06-08` as a listing."""
    name, since, until = _dates(text)
    ticker, _, exchange = name.partition("@")
    return Listing(ticker=normal_ticker(ticker), exchange=exchange, since=since, until=until)


def make_alias(text: str, ambiguity: int = 0, since: date | None = None, until: date | None = None) -> Alias:
    """A name as an alias: one long word that is no English one is known in any case, all else needs its capitals."""
    distinct = ambiguity == 0 and text.isalpha() and len(text) > 4 and not text.isupper()
    return Alias(text=text, ambiguity=ambiguity, cased=not distinct, since=since, until=until)


def parse_alias(text: str) -> Alias:
    """`Dow~2 2019-04-01..` as an alias."""
    name, since, until = _dates(text)
    name, mark, ambiguity = name.partition("~")
    if mark and ambiguity not in ("1", "2"):
        raise CompanyError(f"{text}: only ~1 (also a word or another's name) or ~2 (only context can tell) may follow a name")
    return make_alias(name, int(ambiguity or 0), since, until)


def aliases_of(name: str, words: frozenset[str]) -> tuple[Alias, ...]:
    """Names that texts probably use for a company of which only the name is known.

    Where its name without the legal form is an English word, only the full form names it.
    """
    plain = clean_name(name)
    full = re.sub(r" \(.*\)$", "", name).replace(",", "").removesuffix(".")
    if plain.lower() in words or len(plain) < 3:
        return (make_alias(full),) if full != plain else ()
    found = [make_alias(plain, 2 if plain.isupper() and len(plain) < 5 else 0)]
    short = TRADE.sub("", plain)
    if short != plain and (" " in short or (len(short) > 5 and short.lower() not in words)):
        found.append(make_alias(short, 1))
    return tuple(found)


def _country(stock: Mapping[str, Any], listings: Iterable[Listing], american: bool) -> str:
    domiciles = [isin[:2] for isin in stock.get("isins", ())]
    if american:
        return next((code for code in domiciles if code != "US"), "US") if "US" not in domiciles else "US"
    home = next((HOME[listing.exchange] for listing in listings if listing.exchange in HOME), "")
    return next((code for code in domiciles if code not in ("US", "XS")), home)


def _listings(stock: Mapping[str, Any], american: bool, sec: Mapping[str, tuple[int, str]]) -> list[Listing]:
    """Listings at home; of the others only those in the United States that the SEC's list confirms."""
    found: dict[tuple[str, str], Listing] = {}

    def add(ticker: str, exchange: str) -> None:
        if re.fullmatch(r"[A-Z0-9]{1,8}(-[A-Z0-9]{1,2})?", ticker := normal_ticker(ticker)):
            found.setdefault((ticker, exchange), Listing(ticker=ticker, exchange=exchange))

    symbol = stock.get("symbol") or ""
    stem, _, suffix = symbol.rpartition(".")
    if american and symbol:
        google = {quote["yahoo"]: (quote["google"] or "").partition(":")[0] for quote in stock.get("symbols", ())}
        _, exchange = sec.get(normal_ticker(symbol), (0, google.get(symbol, "")))
        add(symbol, US_EXCHANGES.get(exchange, ""))
    elif suffix in SUFFIXES and "." not in stem:
        add(stem, SUFFIXES[suffix][0])
    for quote in stock.get("symbols", ()):
        exchange, _, ticker = (quote["google"] or "").partition(":")
        if not american and exchange in HOME and not found:
            add(ticker, exchange)
        if not american and exchange in ("NYSE", "NASDAQ") and US_EXCHANGES.get(sec.get(ticker, (0, ""))[1]) == exchange:
            add(ticker, exchange)
    return list(found.values())


def _merge_listings(first: Iterable[Listing], second: Iterable[Listing]) -> tuple[Listing, ...]:
    """Those of `first`, and those of `second` with another ticker or exchange (an unknown exchange is no other)."""
    merged = list(first)
    for listing in second:
        same = [
            old for old in merged if old.ticker == listing.ticker and (old.exchange == listing.exchange or not listing.exchange)
        ]
        if not same:
            merged = [old for old in merged if old.ticker != listing.ticker or old.exchange] + [listing]
    return tuple(sorted(merged, key=lambda listing: (listing.ticker, listing.exchange, listing.since or date.min)))


def _from_entry(key: str, entry: Mapping[str, Any], stock: Company | None) -> Company:
    """A company of our own file, on top of what the lists say of it."""
    sector = entry.get("sector") or (stock.sector if stock else "")
    if sector not in SECTORS:
        raise CompanyError(f"{key}: sector {sector!r} is none of {', '.join(SECTORS)}")
    listings = [parse_listing(text) for text in entry.get("listings", ())]
    return Company(
        id=key,
        name=entry.get("name") or (stock.name if stock else key),
        sector=sector,
        country=entry.get("country") or (stock.country if stock else ""),
        listings=_merge_listings(listings, stock.listings if stock and "only" not in entry else ()),
        aliases=tuple(parse_alias(text) for text in entry.get("names", ())) or (stock.aliases if stock else ()),
        cues=tuple(sorted(entry.get("cues", ()))),
        against=tuple(sorted(entry.get("against", ()))),
    )


def read_stocks(
    source: Any, words: frozenset[str], own: Mapping[str, str], sec: Mapping[str, tuple[int, str]]
) -> dict[str, Company]:
    """Companies of the indices in `source` (a `PyTickerSymbols`) by id; `own` gives the id of a symbol where we chose one."""
    companies: dict[str, Company] = {}
    for index in US_INDICES + EUROPEAN_INDICES:
        american = index in US_INDICES
        for stock in sorted(source.get_stocks_by_index(index), key=lambda stock: (stock["name"], stock.get("symbol") or "")):
            name = clean_name(stock["name"])
            key = own.get(stock.get("symbol") or stock["name"]) or slug(name)
            listings = _listings(stock, american, sec)
            known = companies.get(key)
            companies[key] = Company(
                id=key,
                name=known.name if known else name,
                sector=known.sector if known else sector_of(stock.get("industries", ())),
                country=known.country if known else _country(stock, listings, american),
                listings=_merge_listings(known.listings if known else (), listings),
                aliases=known.aliases if known else aliases_of(stock["name"], words),
            )
    return companies


def _place(listing: Listing) -> tuple[str, str]:
    """A ticker and its exchange; all American exchanges are one."""
    return listing.ticker, "US" if listing.exchange in AMERICAN else listing.exchange


def _with_old_ids(companies: Iterable[Company], existing: Iterable[Company]) -> dict[str, Company]:
    """Companies under the ids that the existing table gave them: that of the holder of one of their tickers."""
    holders = {place: old.id for old in existing for place in map(_place, old.listings)}
    taken = set(holders.values())
    kept: dict[str, Company] = {}
    for company in companies:
        ids = {holders[place] for place in map(_place, company.listings) if place in holders}
        key = company.id if company.id in taken or not ids else min(ids)
        kept.setdefault(key, msgspec.structs.replace(company, id=key))
    return kept


def _with_old_listings(new: Company, old: Company | None, sec: Collection[str]) -> tuple[Listing, ...]:
    """Its listings, and those that only the existing table has: what was written under an old ticker must still find it."""
    before = {one.ticker: one for one in old.listings if one.exchange in AMERICAN} if old else {}
    listings = []
    for one in new.listings:
        known = before.get(one.ticker) if one.exchange in AMERICAN and one.ticker not in sec else None
        listings.append(msgspec.structs.replace(one, exchange=known.exchange) if known else one)
    places = set(map(_place, listings))
    gone = [one for one in old.listings if _place(one) not in places] if old else []
    return _merge_listings(listings, gone)


def build_table(
    stocks: Mapping[str, Company],
    entries: Mapping[str, Mapping[str, Any]],
    existing: Iterable[Company],
    sec: Mapping[str, tuple[int, str]],
    word_tickers: frozenset[str],
) -> tuple[Company, ...]:
    """The whole table, by id. What the lists no longer hold stays as it was; what they lack (a CIK, an exchange) is kept.

    Raises:
        CompanyError: an entry of our own file is wrong.
    """
    joined = dict(stocks)
    for key, entry in entries.items():
        joined[key] = _from_entry(key, entry, stocks.get(key))
    old = {company.id: company for company in existing}
    table = old | _with_old_ids(joined.values(), old.values())
    done = []
    for key in sorted(table):
        company = table[key]
        final = company.listings if entries.get(key, {}).get("only") else _with_old_listings(company, old.get(key), sec)
        listings = tuple(msgspec.structs.replace(x, word=x.ticker in word_tickers) for x in final)
        ciks = [sec[x.ticker][0] for x in final if x.exchange in US_EXCHANGES and x.until is None and x.ticker in sec]
        if len(set(ciks)) > 1:
            raise CompanyError(f"{key}: its tickers belong to several companies: set them apart by `of` in aliases.yaml")
        cik = ciks[0] if ciks else (old[key].cik if key in old else None)
        done.append(msgspec.structs.replace(company, cik=cik, listings=listings))
    return tuple(done)


def write_table(companies: Iterable[Company]) -> bytes:
    """The table as JSON, one company a line, so that a change shows as one line."""
    return b"[\n" + b",\n".join(msgspec.json.encode(company) for company in companies) + b"\n]\n"


def chosen_ids(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Symbol (or, where a stock has none, name) in the lists -> the id that our own file gives it."""
    chosen: dict[str, str] = {}
    for key, entry in entries.items():
        symbols = entry.get("of", ())
        chosen |= dict.fromkeys([symbols] if isinstance(symbols, str) else symbols, key)
    return chosen
