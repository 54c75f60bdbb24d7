"""A real week of tweets against real prices: every item once, the mood exact, and the same however it is run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from squall.settings import Settings
from tests.harness import Run, Services, replayed, services
from tests.outcome import differences, mood_differences, outcome

FOLDER = Path(Settings().data_dir) / "stocknet"
FIRST, LAST = pd.Timestamp("2015-03-02", tz="UTC"), pd.Timestamp("2015-03-09", tz="UTC")
BARS_FROM = "2014-06-01"
UNLISTED = "AGFS"
"""AgroFresh got this ticker in August 2015: no company has it in that spring."""
SECOND = {"BBL": "BHP", "UL": "UN"}
"""Two tickers of one company, whose day is kept once."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent: SQUALL_DATA_DIR names no folder with stocknet")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def tweets() -> list[dict[str, Any]]:
    """One row a tweet; what it is about is left to the linker."""
    frame = pd.read_parquet(FOLDER / "tweets.parquet")
    frame = frame[(frame.created_at >= FIRST) & (frame.created_at < LAST)].drop_duplicates("id").sort_values(["created_at", "id"])
    columns = {"created_at": "published_at", "text": "title", "id": "guid"}
    return records(frame.rename(columns=columns)[list(columns.values())])


def bars() -> list[dict[str, Any]]:
    frame = pd.read_parquet(FOLDER / "prices.parquet").rename(columns={"date": "start"})
    frame = frame[(frame.start >= BARS_FROM) & (frame.start < str(LAST.date()))]
    return records(frame[["ticker", "start", "open", "high", "low", "close", "volume"]])


@pytest.fixture(scope="module")
def on() -> Iterator[Services]:
    with services("tansu") as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(on: Services) -> Iterator[Run]:
    with replayed(on, "real", tweets(), bars(), workers=1) as run:
        yield run


def test_every_tweet_is_there_once_and_the_mood_equals_a_recount(undisturbed: Run) -> None:
    assert undisturbed.counts.articles == len(tweets()) > 500
    unlisted = [row for row in bars() if row["ticker"] == UNLISTED]
    assert undisturbed.counts.dead_letters == len(unlisted) > 0
    assert undisturbed.counts.dead_news == undisturbed.counts.dead_mentions == 0
    days = {(SECOND.get(row["ticker"], row["ticker"]), row["start"]) for row in bars()}
    assert undisturbed.counts.bars == len(days) - len(unlisted)
    with undisturbed.engine.connect() as connection:
        mentions = connection.execute(text("SELECT count(*), count(DISTINCT id) FROM mention WHERE NOT withdrawn")).one()
        companies = connection.execute(text("SELECT count(DISTINCT company_id) FROM mention")).scalar_one()
        scopes = set(connection.execute(text("SELECT DISTINCT split_part(scope, ':', 1) FROM mood")).scalars())
        both = connection.execute(text("SELECT count(*) FROM mood WHERE scope LIKE 'company:%/topic:%'")).scalar_one()
        assert mood_differences(connection) == []
    assert mentions[0] == mentions[1] == undisturbed.counts.mentions_scored
    assert companies > 40
    assert scopes == {"company", "sector", "topic", "market"}
    assert both > 0


def test_workers_and_order_change_nothing(on: Services, undisturbed: Run) -> None:
    with replayed(on, "real-four", tweets(), bars(), workers=4, shuffle_s=240) as run:
        assert differences(outcome(undisturbed.engine), outcome(run.engine)) == {}
