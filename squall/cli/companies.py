"""`squall companies`: build, extend, check and search the company table."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from squall.companies import (
    Company,
    CompanyError,
    Listing,
    addition_problem,
    load_companies,
    problems,
    read_companies,
    shared_names,
    shipped_file,
)
from squall.errors import UsageError
from squall.settings import get_settings

app = typer.Typer(help="The companies that news is linked to: build, extend, check and search the table.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
HINTS = {
    "$.id": "an id is lower-case words joined by dashes, such as acme-widgets",
    "$.listings": "a ticker is 1 to 8 letters and digits, with @EXCHANGE and dates after it: FB@NASDAQ 2012-05-18..2022-06-08",
    "$.aliases": "an alias has 2 to 80 characters, with ~1, ~2 and dates after it: Dow~2 2019-04-01..",
    "$.name": "a name has 1 to 120 characters",
}
SEC_FILE = Path("companies", "sec_company_tickers.json")


@app.command()
def build(output: Annotated[Path | None, typer.Option(help="file to write; default: the table that ships")] = None) -> None:
    """Make the table from pytickersymbols, the SEC's list where the data folder has it, and our own names and dates.

    The output is the same for the same inputs. Companies that the table has already keep their ids; none is dropped.
    """
    import yaml
    from pytickersymbols import PyTickerSymbols

    from squall.company_build import build_table, chosen_ids, read_stocks, write_table

    folder = shipped_file().parent
    output = output or shipped_file()
    entries = yaml.safe_load((folder / "aliases.yaml").read_text(encoding="utf-8"))
    words = frozenset((folder / "words.txt").read_text(encoding="utf-8").lower().split())
    word_tickers = frozenset((folder / "word_tickers.txt").read_text(encoding="utf-8").split())
    sec = _read_sec(get_settings().data_dir / SEC_FILE)
    existing = read_companies(shipped_file()) if shipped_file().exists() else ()
    stocks = read_stocks(PyTickerSymbols(), words, chosen_ids(entries), sec)
    table = build_table(stocks, entries, existing, sec, word_tickers)
    if wrong := problems(table):
        raise CompanyError(wrong[0])
    output.write_bytes(write_table(table))
    old = {company.id: company for company in existing}
    changed = sum(company.id in old and company != old[company.id] for company in table)
    added = sum(company.id not in old for company in table)
    print(f"{output}: {len(table)} companies, {added} new, {changed} changed{'' if sec else ', without the list of the SEC'}")


@app.command()
def add(
    company_id: Annotated[str, typer.Argument(metavar="ID", help="permanent id: lower-case words joined by dashes")],
    *,
    name: Annotated[str, typer.Option(help="its name")],
    sector: Annotated[str, typer.Option(help="one of the sectors, such as technology")],
    country: Annotated[str, typer.Option(help="ISO code of two letters")] = "",
    ticker: Annotated[
        list[str] | None, typer.Option(help='TICKER@EXCHANGE, dates after it: "FB@NASDAQ 2012-05-18..2022-06-08"')
    ] = None,
    alias: Annotated[list[str] | None, typer.Option(help='a name in texts; "Gap~2": a word that only context can tell')] = None,
    cue: Annotated[list[str] | None, typer.Option(help="a word that speaks for it where its name is ambiguous")] = None,
    against: Annotated[list[str] | None, typer.Option(help="a word or phrase that speaks against it")] = None,
) -> None:
    """Add a company to your own file (the setting SQUALL_COMPANIES_FILE); its name counts as an alias where none is given."""
    from squall.company_build import make_alias, parse_alias, parse_listing, write_table

    path = get_settings().companies_file
    if path is None:
        raise UsageError("set SQUALL_COMPANIES_FILE to the file that is to hold your companies")
    try:
        made = Company(
            id=company_id,
            name=name,
            sector=sector,
            country=country.upper(),
            listings=tuple(map(parse_listing, ticker or ())),
            aliases=tuple(map(parse_alias, alias or ())) or (make_alias(name),),
            cues=tuple(word.lower() for word in cue or ()),
            against=tuple(word.lower() for word in against or ()),
        )
        company = msgspec.convert(msgspec.to_builtins(made), Company)
    except msgspec.ValidationError as error:
        hint = next((hint for place, hint in HINTS.items() if place in str(error)), str(error))
        raise UsageError(f"{company_id}: {hint}") from None
    own = read_companies(path) if path.exists() else ()
    if problem := addition_problem(company, read_companies(shipped_file()) + own):
        raise CompanyError(f"{company_id}: {problem}")
    if wrong := problems([company]):
        raise UsageError(wrong[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_table(sorted((*own, company), key=lambda one: one.id)))
    print(f"{path}: added {company_id} ({name})")


@app.command()
def check(as_json: AsJson = False) -> None:
    """Verify the table and your own file; exit 1 where an id, a sector, a date or a ticker is wrong.

    Names that companies share are no error, and listed.
    """
    companies = load_companies()
    wrong, shared = problems(companies), shared_names(companies)
    if as_json:
        print(json.dumps({"companies": len(companies), "problems": wrong, "shared_names": shared}))
    else:
        for name, ids in shared.items():
            print(f"shared name {name!r}: {', '.join(ids)}")
        for problem in wrong:
            print(problem)
        print(f"{len(companies)} companies, {len(wrong)} problems, {len(shared)} shared names")
    if wrong:
        raise typer.Exit(1)


@app.command("list")
def list_companies(
    query: Annotated[str, typer.Argument(help="part of an id, a name or an alias, or a ticker")] = "",
    sector: Annotated[str, typer.Option(help="only this sector")] = "",
    as_json: AsJson = False,
) -> None:
    """Search the table."""
    found = [one for one in load_companies() if _matches(one, query.lower()) and sector in ("", one.sector)]
    if as_json:
        print(json.dumps([msgspec.to_builtins(company) for company in found], default=str))
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("id", no_wrap=True), "name", "sector", "country", "tickers", box=None, pad_edge=False)
    for company in found:
        table.add_row(company.id, company.name, company.sector, company.country, _tickers(company.listings))
    Console().print(table)
    print(f"{len(found)} companies")


def _matches(company: Company, query: str) -> bool:
    names = (company.id, company.name, *(alias.text for alias in company.aliases))
    tickers = (listing.ticker.lower() for listing in company.listings)
    return any(query in name.lower() for name in names) or query.lstrip("$") in tickers


def _tickers(listings: Iterable[Listing]) -> str:
    def dates(since: date | None, until: date | None) -> str:
        return f" {since or ''}..{until or ''}" if since or until else ""

    return ", ".join(f"{one.ticker}@{one.exchange or '?'}{dates(one.since, one.until)}" for one in listings)


def _read_sec(path: Path) -> dict[str, tuple[int, str]]:
    """Ticker -> CIK and exchange, of the SEC's list; empty where it is not at hand."""
    if not path.exists():
        return {}
    try:
        listed: dict[str, Any] = json.loads(path.read_bytes())
        place = {field: number for number, field in enumerate(listed["fields"])}
        sec: dict[str, tuple[int, str]] = {}
        for row in listed["data"]:
            sec.setdefault(row[place["ticker"]], (row[place["cik"]], row[place["exchange"]] or ""))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CompanyError(f"{path}: not the SEC's list of companies and tickers ({error})") from None
    return sec
