"""Companies keep their ids; tickers and names are resolved as of a day."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from squall.cli import companies as cli
from squall.companies import (
    SECTORS,
    Company,
    CompanyError,
    Listing,
    TickerIndex,
    clash,
    load_companies,
    problems,
    read_companies,
    shared_names,
    shipped_file,
)
from squall.company_build import (
    aliases_of,
    build_table,
    chosen_ids,
    clean_name,
    parse_alias,
    parse_listing,
    read_stocks,
    write_table,
)
from squall.errors import UsageError
from squall.settings import get_settings

TABLE = load_companies(None)
INDEX = TickerIndex(TABLE)


def found(ticker: str, at: str) -> str | None:
    company = INDEX.find(ticker, datetime.fromisoformat(at).replace(tzinfo=UTC))
    return company.id if company else None


@pytest.mark.parametrize(
    ("ticker", "at", "company"),
    [
        ("FB", "2012-05-18T00:00", "meta-platforms"),
        ("FB", "2022-06-08T23:59", "meta-platforms"),
        ("FB", "2022-06-09T00:00", None),
        ("META", "2022-06-08T12:00", None),
        ("META", "2022-06-09T12:00", "meta-platforms"),
        ("GOOG", "2013-01-02T12:00", "alphabet"),
        ("GOOGL", "2015-01-02T12:00", "alphabet"),
        ("PCLN", "2015-01-02T12:00", "booking-holdings"),
        ("UTX", "2015-01-02T12:00", "rtx"),
        ("SQ", "2018-01-02T12:00", "block"),
        ("$brk.b", "2020-01-02T12:00", "berkshire-hathaway"),
        ("RDS-B", "2015-01-02T12:00", "shell"),
        ("BA", "2020-01-02T12:00", "boeing"),
        ("BA.L", "2020-01-02T12:00", "bae-systems"),
        ("LON:BA", "2020-01-02T12:00", "bae-systems"),
        ("MRK.DE", "2020-01-02T12:00", "merck-kgaa"),
        ("AAPL.O", "2020-01-02T12:00", "apple"),
        ("NOSUCH", "2020-01-02T12:00", None),
    ],
)
def test_a_ticker_is_resolved_as_of_the_time(ticker: str, at: str, company: str | None) -> None:
    assert found(ticker, at) == company


def test_the_day_is_that_of_utc() -> None:
    evening_in_new_york = datetime.fromisoformat("2022-06-08T21:00:00-04:00")
    holder = INDEX.find("META", evening_in_new_york)
    assert holder is not None
    assert holder.id == "meta-platforms"


def test_the_shipped_table_is_sound() -> None:
    assert problems(TABLE) == []
    assert len(TABLE) > 1500
    assert {company.sector for company in TABLE} == set(SECTORS)
    assert shipped_file().read_bytes() == write_table(sorted(TABLE, key=lambda company: company.id))


def test_the_tickers_of_stocknet_are_known() -> None:
    path = get_settings().data_dir / "stocknet" / "companies.tsv"
    if not path.exists():
        pytest.skip(f"no {path}: the data folder is not at hand")
    symbols = [line.split("\t")[1] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    assert len(symbols) == 88
    assert [symbol for symbol in symbols if found(symbol, "2014-12-01T12:00") is None] == ["$AGFS"]
    assert found("AGFS", "2015-09-01T12:00") == "agrofresh"


def test_problems_are_named() -> None:
    held = Listing(ticker="AB", exchange="NYSE", until=date(2020, 1, 1))
    one = Company(id="one", name="One", sector="energy", listings=(held,))
    other = msgspec.structs.replace(one, id="other", sector="oil", listings=(Listing(ticker="AB", exchange="NASDAQ"),))
    wrong = msgspec.structs.replace(one, listings=(Listing(ticker="C", since=date(2020, 1, 2), until=date(2020, 1, 1)),))
    assert [line.split(":")[0] for line in problems([one, other, wrong])] == ["other", "other", "one", "one"]
    assert not clash(one.listings[0], Listing(ticker="AB", exchange="NYSE", since=date(2020, 1, 2)))
    assert not clash(one.listings[0], Listing(ticker="AB", exchange="LON"))


def test_shared_names_are_listed() -> None:
    assert shared_names(TABLE)["merck"] == ["merck", "merck-kgaa"]


def test_additions_stand_beside_the_table(tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    acme: dict[str, Any] = {"id": "acme", "name": "Acme", "sector": "industrials"}
    own.write_text(json.dumps([acme | {"listings": [{"ticker": "FB", "since": "2023-01-01"}]}]))
    assert load_companies(own)[-1].id == "acme"
    own.write_text(json.dumps([acme | {"listings": [{"ticker": "FB"}]}]))
    with pytest.raises(CompanyError, match="acme: ticker FB belongs to meta-platforms"):
        load_companies(own)
    own.write_text('[{"id": "apple", "name": "Apple Records", "sector": "communication"}]')
    with pytest.raises(CompanyError, match="is there already"):
        load_companies(own)
    own.write_text('[{"id": "acme"}]')
    with pytest.raises(CompanyError, match="name"):
        load_companies(own)
    with pytest.raises(CompanyError, match="No such file"):
        load_companies(tmp_path / "absent.json")


def test_names_lose_their_legal_form_and_words_are_no_names() -> None:
    assert clean_name("The Mosaic Company") == "Mosaic Company"
    assert clean_name("Rio Tinto (corporation)") == "Rio Tinto"
    assert [alias.text for alias in aliases_of("Cactus, Inc.", frozenset({"cactus"}))] == ["Cactus Inc"]
    assert aliases_of("Nvidia", frozenset()) == (parse_alias("Nvidia"),)
    assert parse_alias("Dow~2 2019-04-01..").since == date(2019, 4, 1)
    assert parse_listing("FB@NASDAQ 2012-05-18..2022-06-08").until == date(2022, 6, 8)
    with pytest.raises(CompanyError, match="~1"):
        parse_alias("Dow~3")


class Stocks:
    """A list of stocks in the shape of pytickersymbols."""

    def __init__(self, *stocks: dict[str, Any]) -> None:
        self.stocks = stocks

    def get_stocks_by_index(self, index: str) -> list[dict[str, Any]]:
        return [stock for stock in self.stocks if stock["index"] == index]


def stock(name: str, symbol: str, index: str = "S&P 500") -> dict[str, Any]:
    return {"name": name, "symbol": symbol, "index": index, "industries": ["Energy"], "symbols": []}


def test_a_rebuild_keeps_ids_and_old_tickers() -> None:
    def build(existing: tuple[Company, ...], sec: dict[str, tuple[int, str]], *stocks: dict[str, Any]) -> tuple[Company, ...]:
        return build_table(read_stocks(Stocks(*stocks), frozenset(), {}, sec), {}, existing, sec, frozenset())

    sec = {"OLD": (7, "NYSE"), "AB": (8, "Nasdaq")}
    first = build((), sec, stock("Old Name Inc.", "OLD"), stock("Abel", "AB"))
    assert [(company.id, company.cik) for company in first] == [("abel", 8), ("old-name", 7)]
    assert build(first, sec, stock("Abel", "AB"), stock("Old Name Inc.", "OLD")) == first
    assert build(first, {}, stock("Old Name Inc.", "OLD"), stock("Abel", "AB")) == first

    renamed = build(first, sec, stock("New Name Inc.", "OLD"))
    assert [(company.id, company.name) for company in renamed] == [("abel", "Abel"), ("old-name", "New Name")]
    moved = build(first, sec, stock("Old Name Inc.", "NEW"))
    assert [listing.ticker for listing in moved[1].listings] == ["NEW", "OLD"]


def test_one_id_for_two_companies_is_refused() -> None:
    sec = {"A": (1, "NYSE"), "B": (2, "NYSE")}
    stocks = read_stocks(Stocks(stock("First Bancorp", "A"), stock("First BanCorp.", "B")), frozenset(), {}, sec)
    with pytest.raises(CompanyError, match="several companies"):
        build_table(stocks, {}, (), sec, frozenset())
    entries: dict[str, dict[str, Any]] = {"first-north": {"of": "A"}, "first-south": {"of": "B", "name": "First South"}}
    apart = read_stocks(Stocks(stock("First Bancorp", "A"), stock("First BanCorp.", "B")), frozenset(), chosen_ids(entries), sec)
    assert [company.id for company in build_table(apart, entries, (), sec, frozenset())] == ["first-north", "first-south"]


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "own.json"
    monkeypatch.setenv("SQUALL_COMPANIES_FILE", str(path))
    get_settings.cache_clear()
    return path


@pytest.fixture(autouse=True)
def _fresh_settings() -> Any:
    yield
    get_settings.cache_clear()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, arguments)


def test_add_writes_the_own_file_and_refuses_clashes(own_file: Path) -> None:
    added = run("add", "acme", "--name", "Acme Widgets", "--sector", "industrials", "--ticker", "ACMX@NYSE", "--alias", "Acme~1")
    assert added.exit_code == 0, added.output
    assert [company.id for company in read_companies(own_file)] == ["acme"]
    assert json.loads(run("list", "acmx", "--json").output)[0]["name"] == "Acme Widgets"
    assert run("check").exit_code == 0

    taken = run("add", "fruit", "--name", "Fruit", "--sector", "technology", "--ticker", "AAPL@NASDAQ")
    assert isinstance(taken.exception, CompanyError)
    assert "belongs to apple" in str(taken.exception)
    malformed = run("add", "Fruit", "--name", "Fruit", "--sector", "technology")
    assert isinstance(malformed.exception, UsageError)
    assert [company.id for company in read_companies(own_file)] == ["acme"]


def test_add_without_an_own_file_says_what_to_set() -> None:
    refused = run("add", "acme", "--name", "Acme", "--sector", "industrials")
    assert isinstance(refused.exception, UsageError)
    assert "SQUALL_COMPANIES_FILE" in str(refused.exception)


def test_build_changes_nothing_when_nothing_changed(tmp_path: Path) -> None:
    done = run("build", "--output", str(tmp_path / "table.json"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "table.json").read_bytes() == shipped_file().read_bytes()
