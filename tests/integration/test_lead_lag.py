"""`squall leadlag` over mood and bars that stand in the database."""

import json
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from squall.cli import app
from squall.settings import StreamSettings
from streams.runtime import Context
from tests.integration.stage import START, stage

CLOSE = timedelta(hours=21)
COMPANIES = {"boeing": 0.0, "ibm": 0.03}
"""By how much the price follows a tone of 1 a session later."""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("leadlag"), stream=StreamSettings()) as found:
        yield found


def store(context: Context) -> None:
    days = pd.bdate_range(end=(START + timedelta(days=118)).date(), periods=122)
    bars, moods = [], []
    for seed, (company, effect) in enumerate(COMPANIES.items()):
        rng = np.random.default_rng(seed)
        tones = rng.uniform(-1, 1, len(days))
        level = 0.0
        for number, day in enumerate(days):
            level += rng.normal(0, 0.01) + (effect * tones[number - 1] if number else 0.0)
            close = day.tz_localize("UTC").to_pydatetime() + CLOSE
            earlier = close - timedelta(days=400)
            bars.append({"company": company, "at": earlier, "close": 100.0 + number % 3})
            bars.append({"company": company, "at": close, "close": 100 * float(np.exp(level))})
            tone = round(float(tones[number]) * 1_000_000)
            mood = {"scope": f"company:{company}", "positive": max(0, tone), "negative": max(0, -tone)}
            moods += [{**mood, "minute": close - timedelta(hours=2), "late": False}, {**mood, "minute": close, "late": True}]
    with context.engine.begin() as connection:
        connection.execute(text("INSERT INTO company VALUES ('boeing', 'Boeing', NULL, 'US'), ('ibm', 'IBM', NULL, 'US')"))
        insert = """
            INSERT INTO bar (company_id, interval, start, ticker, open, high, low, close, volume, available_at, source)
            VALUES (:company, '1d', :at, 'T', :close, :close, :close, :close, 1, :at, 'test')
        """
        connection.execute(text(insert), bars)
        insert = """
            INSERT INTO mood (scope, minute, late, mentions, items, negative, positive, weight, negative_weight, positive_weight)
            VALUES (:scope, :minute, :late, 1, 1000000, :negative, :positive, 0, 0, 0)
        """
        connection.execute(text(insert), moods)


def test_what_leads_is_printed_and_stored_and_a_second_run_takes_its_place(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(context)
    monkeypatch.setattr("squall.cli.leadlag.get_settings", lambda: context.settings)
    for _ in range(2):
        done = CliRunner().invoke(app, ["leadlag", "--namespace", context.settings.namespace, "--json"])
        assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["companies"], found["tests"]) == (2, 20)
    first = found["findings"][0]
    assert (first["company"], first["leads"], first["lag"], first["confirmed"]) == ("ibm", "mood", 1, True)
    assert "IBM: mood has led price by 1 session, with the same sign" in done.stdout
    with context.engine.connect() as connection:
        rows = connection.execute(text("SELECT company_id, leads, lag FROM lead_lag WHERE confirmed")).all()
        assert connection.execute(text("SELECT count(*) FROM lead_lag")).scalar() == 20
    assert rows == [("ibm", "mood", 1)]
