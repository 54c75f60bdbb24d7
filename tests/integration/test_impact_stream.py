"""Impact through a real broker, database and worker processes, and as the command line reads it back."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from squall.embedded.health import folder, parse
from squall.embedded.state import read_json
from tests.harness import BROKERS, Run, Services, replayed, services

START = datetime(2015, 6, 1, 15, tzinfo=UTC)
LIMIT_S = 120
WITH_BARS, WITHOUT = ("AAPL", "IBM"), ("GE",)
ROWS = """
SELECT mention_id, company_id, negative, neutral, positive, topic, impact, impact_model, impact_shares FROM score ORDER BY 1
"""


@pytest.fixture(scope="module", params=BROKERS)
def on(request: pytest.FixtureRequest) -> Iterator[Services]:
    with services(request.param) as found:
        yield found


def news() -> list[dict[str, Any]]:
    said = ("slumps after a recall", "gains on record orders", "cuts its outlook as demand weakens")
    tickers = (*WITH_BARS, *WITHOUT)
    return [
        {
            "published_at": START + timedelta(minutes=13 * number),
            "fetched_at": START + timedelta(minutes=13 * number),
            "title": f"${tickers[number % 3]} {said[number // 3 % 3]}, says note {number * 7919}",
            "guid": f"n{number}",
            "source": "Harbour Wire",
        }
        for number in range(60)
    ]


def bars() -> list[dict[str, Any]]:
    rows = []
    for seed, ticker in enumerate(WITH_BARS):
        closes = 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, 100)))
        days = [START.date() + timedelta(days=back) for back in range(-139, 1)]
        for day, close in zip([day for day in days if day.weekday() < 5][-100:], closes.tolist(), strict=True):
            rows.append(
                {
                    "ticker": ticker,
                    "start": day.isoformat(),
                    "open": close * 1.002,
                    "high": close * 1.01,
                    "low": close * 0.99,
                    "close": close,
                    "volume": 1e6,
                }
            )
    return rows


def scores(run: Run) -> list[tuple[Any, ...]]:
    with run.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(ROWS))]


def squall(on: Services, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
    environment["SQUALL_HOME"] = str(on.settings.home)
    done = subprocess.run(
        (sys.executable, "-m", "squall", *arguments), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rows_have_impact_and_the_commands_say_what_moved_it(on: Services) -> None:
    about: list[dict[str, str]] = []

    def look(_children: Any, _engine: Any) -> None:
        until = time.monotonic() + LIMIT_S
        while not about and time.monotonic() < until:
            for file in folder(on.settings.in_namespace("impact")).glob("worker-*.json"):
                if (said := parse(read_json(file))) and said.about:
                    about.append(said.about)
            time.sleep(0.1)

    with replayed(on, "impact", news(), bars(), disturb=look) as run:
        found = scores(run)
        told = {
            row["id"]: row
            for row in json.loads(squall(on, "mentions", "list", "--namespace", "impact", "--limit", "0", "--json"))
        }
        priced = next(row for row in found if row[8]["price"] is not None)
        explained = squall(on, "explain", priced[0], "--namespace", "impact")
    assert len(found) == 60
    assert {company for company, *_ in (row[1:] for row in found)} == {"apple", "ibm", "general-electric"}
    for key, company, *_, impact, version, shares in found:
        assert version == about[0]["fused model"]
        assert {name for name, share in shares.items() if share is None} == (
            {"price", "chart"} if company == "general-electric" else set()
        )
        known = told[key]
        assert known["impact"] == (None if company == "general-electric" else impact / 1_000_000)
    assert f"{priced[6] / 1_000_000:.0%} likely over the next day" in explained
    assert "moved by price" in explained
    # Two workers that get the same in another order say the same to the bit.
    with replayed(on, "impact2", news(), bars(), workers=2, shuffle_s=200) as again:
        assert scores(again) == found
