"""`squall ingest close`: what it does on days on which there is nothing to fetch."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from squall.cli import app
from squall.errors import UsageError, UserError
from squall.sessions import session_close
from squall.settings import get_settings


@pytest.fixture(autouse=True)
def tickers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SQUALL_PRICES__TICKERS", '["AAPL"]')
    yield
    get_settings.cache_clear()


def close(day: str) -> tuple[int, str, BaseException | None]:
    get_settings.cache_clear()
    result = CliRunner().invoke(app, ["ingest", "close", "--day", day])
    return result.exit_code, result.output, result.exception


def test_a_holiday_has_nothing_to_do() -> None:
    assert close("2025-12-25")[:2] == (99, "XNYS holds no session on 2025-12-25\n")


def test_no_tickers_have_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUALL_PRICES__TICKERS", "[]")
    assert close("2025-12-24")[:2] == (99, "SQUALL_PRICES__TICKERS is empty\n")


def test_a_session_that_is_not_over_is_refused() -> None:
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while session_close(day) is None:
        day += timedelta(days=1)
    _, _, error = close(f"{day:%Y-%m-%d}")
    assert isinstance(error, UserError)
    assert "try again then" in str(error)


def test_an_unknown_exchange_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUALL_PRICES__EXCHANGE", "NOWHERE")
    _, _, error = close("2025-12-24")
    assert isinstance(error, UsageError)
    assert str(error).startswith("SQUALL_PRICES__EXCHANGE: ")
