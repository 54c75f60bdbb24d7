"""The fused model in the stream: what it says of a mention is a function of its own text and of the bars known before it."""

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from models.artifact import MANIFEST, WEIGHTS
from models.drawing import render_chart
from models.engine import TextEngine, load_engine
from models.fused_artifact import SHIPPED
from squall.records import Mention
from squall.settings import ModelSettings
from streams.impact import Impacts
from streams.runtime import Context
from streams.scoring import Scoring
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions

DAY = timedelta(days=1)
ONE_CPU = ModelSettings(device="cpu", threads=1)
COLUMNS = "mention_id, negative, neutral, positive, topics, impact, impact_model, impact_shares"


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("impact"), model=ONE_CPU) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    return module_context


@pytest.fixture(scope="module")
def model(module_context: Context) -> "Held":
    return Held(load_engine(module_context.settings))


class Held:
    def __init__(self, engine: TextEngine) -> None:
        self.engine = engine

    def of(self, _version: str | None) -> TextEngine:
        return self.engine


def add_bars(context: Context, company: str, sessions: Sequence[int], scale: float = 0.02) -> None:
    """A bar for each of these days before the start, complete 20 hours after it began; the same day has always the same."""
    rows = []
    for day in sessions:
        close = 100 * np.exp(scale * np.random.default_rng([len(company), abs(day)]).normal())
        at = START + day * DAY
        rows.append({"company": company, "at": at, "known": at + timedelta(hours=20), "close": close})
    query = (
        "INSERT INTO bar VALUES (:company, '1d', :at, :company, :close, :close * 1.01, :close * .99, :close, 5e5, :known, 'test')"
    )
    with context.engine.begin() as connection:
        connection.execute(text(query), rows)


def add_chart(context: Context, key: str, image: bytes, known: timedelta) -> None:
    """An image of Boeing that was known so long after the start."""
    insert = """
        INSERT INTO chart (id, company_id, interval, "end", available_at, image, media_type, width, height, source)
        VALUES (:id, 'boeing', '1d', :at, :at, :image, 'image/png', 224, 224, 'test')
    """
    with context.engine.begin() as connection:
        connection.execute(text(insert), {"id": key, "at": START + known, "image": image})


def drawn(last: float) -> bytes:
    """The chart of a price that goes from 100 to `last` in 250 days."""
    closes = np.geomspace(100, last, 250) + np.sin(np.arange(250))
    columns = {"open": closes + 0.2, "high": closes + 0.5, "low": closes - 0.5, "close": closes, "volume": 1000.0}
    return render_chart(pd.DataFrame({"start": np.arange(250), **columns}))


def some(count: int) -> list[Mention]:
    tones = ("Boeing falls after a recall", "Boeing gains on record orders", "Boeing names a director for its long-haul division")
    companies = ("boeing", "ibm", None)
    return [mention(f"a{n}", f"{tones[n % 3]} {n}", minute=n, company_id=companies[n % 5 % 3]) for n in range(count)]


def rows(context: Context, columns: str = COLUMNS) -> list[tuple[Any, ...]]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM score ORDER BY mention_id"))]


def score(context: Context, model: Any, *batches: Sequence[Mention], settings: ModelSettings = ONE_CPU) -> list[tuple[Any, ...]]:
    """The rows that come of batches of mentions, written from the start."""
    with context.engine.begin() as connection:
        connection.execute(text("TRUNCATE article, mention, score, mood, mood_day"))
    scoring = Scoring(context, model, Impacts(settings))
    for batch in batches:
        store_decisions(context, batch)
        scoring.handle(messages(*batch))
    return rows(context)


def test_rows_have_impact_where_there_is_a_company_and_shares_of_what_was_known(context: Context, model: Held) -> None:
    add_bars(context, "boeing", range(-100, 0))
    add_bars(context, "other", range(-100, 0))
    score(context, model, some(20))
    found = rows(context, "company_id, impact, impact_model, impact_shares")
    assert {company for company, *_ in found} == {"boeing", "ibm", None}
    for company, impact, version, shares in found:
        if company is None:
            assert (impact, version, shares) == (None, None, None)
            continue
        assert version.startswith("fused-1-")
        assert 0 < impact < 1_000_000
        absent = {name for name, share in shares.items() if share is None}
        assert absent == (set() if company == "boeing" else {"price", "chart"})
    (with_bars,) = {json.dumps(shares) for company, _, _, shares in found if company == "boeing"}
    assert json.loads(with_bars)["price"] != 0


def test_a_company_without_bars_is_judged_by_the_chart_that_had_come(context: Context, model: Held) -> None:
    add_chart(context, "falls", drawn(50), timedelta())
    add_chart(context, "rises", drawn(200), timedelta(hours=2))
    add_chart(context, "cut off", drawn(50)[:99], timedelta(hours=4))
    hours = (-1, 1, 3, 3.5, 5, 24 * 11)
    found = [mention(f"a{n}", minute=60 * hour) for n, hour in enumerate(hours)]
    score(context, model, found)
    told = dict(rows(context, "mention_id, impact_shares"))
    before, falls, rises, again, unreadable, stale = (told[one.id] for one in found)
    assert {shares["price"] for shares in told.values()} == {None}
    assert [shares["chart"] for shares in (before, unreadable, stale)] == [None, None, None]
    assert None not in (falls["chart"], rises["chart"])
    assert rises == again
    # Bars that suffice are drawn, whatever came.
    add_bars(context, "boeing", range(-100, 0))
    add_bars(context, "other", range(-100, 0))
    score(context, model, found)
    by_bars = dict(rows(context, "mention_id, impact_shares"))
    assert by_bars[found[1].id]["price"] is not None
    assert by_bars[found[1].id] == by_bars[found[2].id]


def test_a_row_is_the_same_alone_in_a_batch_and_in_any_order(context: Context, model: Held) -> None:
    add_bars(context, "boeing", range(-100, 0))
    found = some(24)
    wanted = score(context, model, found)
    assert score(context, model, found[::-1]) == wanted
    assert score(context, model, *([one] for one in found)) == wanted
    assert score(context, model, found[12:], found[:12]) == wanted


def test_bars_that_were_not_known_at_the_time_change_nothing(context: Context, model: Held) -> None:
    add_bars(context, "boeing", range(-100, 0))
    add_bars(context, "other", range(-100, 0))
    found = [mention("before", minute=60), mention("after", minute=60 * 30)]
    before, after = score(context, model, found)[::-1]
    # The day's own bar is complete 20 hours after the first mention, and before the second.
    add_bars(context, "boeing", [0, 1, 2], scale=0.5)
    add_bars(context, "other", [0, 1, 2], scale=0.5)
    again = {row[0]: row for row in score(context, model, found)}
    told = {row[0]: row for row in (before, after)}
    first, second = (one.id for one in found)
    assert again[first] == told[first]
    assert again[second] != told[second]


def test_sentiment_and_topic_are_the_same_to_the_bit_without_it(context: Context, model: Held) -> None:
    add_bars(context, "boeing", range(-100, 0))
    with_it = score(context, model, some(20))
    without = score(context, model, some(20), settings=ONE_CPU.model_copy(update={"impact": False}))
    assert [row[:5] for row in without] == [row[:5] for row in with_it]
    assert {row[5:] for row in without} == {(None, None, None)}


def test_a_correction_keeps_the_impact_and_a_new_text_has_its_own(context: Context, model: Held) -> None:
    add_bars(context, "boeing", range(-100, 0))
    first = mention("a")
    [kept] = score(context, model, [first], [msgspec.structs.replace(first, decision=2, novelty=50)])
    [whole] = score(context, model, [first])
    assert kept == whole
    other = msgspec.structs.replace(first, decision=2, revision=2, text="Boeing gains")
    [changed] = score(context, model, [first], [other])
    assert changed == score(context, model, [other])[0]
    # What another text model says of a corrected text goes with no fused model.
    stand_in = StandIn()
    with context.engine.begin() as connection:
        connection.execute(text("TRUNCATE score, mood, mood_day"))
    impacts = Impacts(ONE_CPU)
    Scoring(context, model, impacts).handle(messages(first))
    Scoring(context, stand_in, impacts).handle(messages(other))
    assert rows(context, "model_version, impact, impact_model, impact_shares") == [("stand-in-1", None, None, None)]


@pytest.mark.parametrize("broken", ["damaged", "missing", "off", "other text model"])
def test_without_a_fused_model_that_fits_texts_are_scored_on(context: Context, model: Held, tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "fused"
    shutil.copytree(SHIPPED, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    if broken == "damaged":
        content = bytearray((folder / WEIGHTS).read_bytes())
        content[-1] ^= 1
        (folder / WEIGHTS).write_bytes(content)
    elif broken == "missing":
        shutil.rmtree(folder)
    elif broken == "off":
        manifest["heads"]["impact"] = False
        (folder / MANIFEST).write_text(json.dumps(manifest))
    else:
        manifest["text_model"] = "text-2-00000000"
        (folder / MANIFEST).write_text(json.dumps(manifest))
    settings = ONE_CPU.model_copy(update={"fused_dir": folder})
    found = score(context, model, some(6), settings=settings)
    assert [row[5:] for row in found] == [(None, None, None)] * 6
    reasons = {
        "damaged": "is damaged",
        "missing": "no fused model in",
        "off": "has not proved itself",
        "other text model": f"goes with text-2-00000000, and {model.engine.version} serves",
    }
    assert reasons[broken] in Impacts(settings).standing(model.engine.version)
