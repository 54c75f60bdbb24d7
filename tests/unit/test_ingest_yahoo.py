"""yfinance talks to Yahoo's servers only, and through a client that imitates a browser, so a stand-in module takes its place."""

import asyncio
import sys
from datetime import UTC, date, datetime
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from pipelines.ingest.source import Batch
from pipelines.ingest.yahoo import YahooSource
from squall.errors import UserError
from squall.records import Bar, decode

SOURCE = YahooSource("IBM", date(2013, 1, 22))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    class Ticker:
        def __init__(self, ticker: str) -> None:
            self.ticker = ticker

        def history(self, **options: Any) -> pd.DataFrame:
            calls.append({"ticker": self.ticker, **options})
            if self.ticker == "NONE":
                raise RuntimeError("possibly delisted")
            days = pd.DatetimeIndex(["2013-01-22", "2013-01-23", "2013-01-24"], tz="America/New_York")
            prices = {"Open": [194.1, 203.5, None], "High": [196.5, 208.6, None], "Low": [193.9, 202.7, None]}
            return pd.DataFrame({**prices, "Close": [196.1, 204.7, None], "Volume": [7, 12, 0], "Adj Close": 1.0}, index=days)

    module = ModuleType("yfinance")
    module.Ticker = Ticker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yfinance", module)
    return calls


def batches(source: YahooSource, position: dict[str, Any]) -> list[Batch]:
    async def collect() -> list[Batch]:
        return [batch async for batch in source.batches(position)]

    return asyncio.run(collect())


def test_bars_as_traded_without_days_that_have_none(asked: list[dict[str, Any]]) -> None:
    [batch] = batches(SOURCE, {})
    bars = [decode(send.value, Bar) for send in batch.sends]
    assert [(bar.ticker, bar.close, bar.available_at) for bar in bars] == [
        ("IBM", 196.1, datetime(2013, 1, 22, 21, tzinfo=UTC)),
        ("IBM", 204.7, datetime(2013, 1, 23, 21, tzinfo=UTC)),
    ]
    assert batch.position == {"day": "2013-01-23"}
    assert asked[0]["start"] == "2013-01-22"
    assert asked[0]["auto_adjust"] is False


def test_it_goes_on_from_the_last_bar(asked: list[dict[str, Any]]) -> None:
    batches(SOURCE, {"day": "2013-01-23"})
    assert asked[0]["start"] == "2013-01-23"


@pytest.mark.usefixtures("asked")
def test_what_yahoo_refuses_is_an_error_of_the_source() -> None:
    [batch] = batches(YahooSource("NONE", date(2013, 1, 22)), {"day": "2013-01-23"})
    assert batch.error == "yfinance: possibly delisted"
    assert batch.position == {"day": "2013-01-23"}


def test_without_yfinance_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(UserError, match=r"pip install 'squall\[yfinance\]'"):
        batches(SOURCE, {})
