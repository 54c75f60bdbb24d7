"""A backtest of a generated week: its rules alone are in force, and its alerts are held against the prices."""

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.week import SURGING, generated_week

BURST = datetime(2015, 3, 6, 15, tzinfo=UTC)
RULES = """
rules:
  - name: of-the-backtest
    when:
      - { metric: excess, above: 0, resolve: -1.5 }
      - { metric: share_up, above: 0.5 }
    min_stories: 3
"""


def bars() -> list[dict[str, Any]]:
    """Closes that go up and down by turns; on the day of the burst the company of the burst loses a tenth."""
    found = []
    for number, ticker in enumerate((SURGING, "IBM", "AAPL", "MSFT")):
        for place, day in enumerate(pd.bdate_range("2015-01-05", "2015-03-20")):
            fallen = ticker == SURGING and day.date() >= BURST.date()
            close = (100 + (place % (2 + number)) / 2) * (0.9 if fallen else 1.0)
            found.append(
                {
                    "ticker": ticker,
                    "start": day.date(),
                    "open": close,
                    "high": close,
                    "low": close,
                    "close": close,
                    "volume": 1000,
                }
            )
    return found


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(
            {name: ",".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows
        )
    return path


def test_alerts_are_held_against_what_the_price_did(home: Path, tmp_path: Path) -> None:
    rules, page = tmp_path / "mine.yml", tmp_path / "page.html"
    rules.write_text(RULES, encoding="utf-8")
    news, prices = write(tmp_path / "news.csv", generated_week(150)), write(tmp_path / "prices.csv", bars())
    command = (
        *(sys.executable, "-m", "squall", "backtest", "--rules", rules, "--news", news, "--prices", prices, "--page", page),
        *("--from", "2015-03-05", "--to", "2015-03-09", "--workers", "1", "--json"),
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
    environment = {**kept, "SQUALL_HOME": str(home), "SQUALL_MODEL__THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {alert["rule"] for alert in found["alerts"]} == {"of-the-backtest"}
    [alert] = [one for one in found["alerts"] if one["name"] == "Boeing"]
    assert alert["followed"]
    assert alert["fall"] < -3
    assert datetime.fromisoformat(alert["fired"]) >= BURST
    assert 0 < alert["delay_minutes"] < 60
    assert alert["after"]["1h"] is None
    assert alert["after"]["1d"] == pytest.approx(-0.1, abs=0.02)
    assert found["company_days"] == 4 * found["companies"]
    assert found["false"] + found["followed"] + found["unjudged"] == len(found["alerts"])
    assert found["false_a_company_day"] == pytest.approx(found["false"] / found["company_days"], abs=1e-6)
    assert "Boeing" in page.read_text(encoding="utf-8")
