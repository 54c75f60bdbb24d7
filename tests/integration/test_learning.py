"""The learning loop on a real database: what people said becomes a frozen data set; drift is measured, kept and told."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from dashboard.reads.labels import Answer, keep, take_back
from models.engine import load_engine
from pipelines.learning.drift import changes
from pipelines.learning.drift_store import WEEKS, embed, read_weeks, version_in_use
from pipelines.learning.drift_store import keep as keep_drift
from pipelines.learning.labels import read_labels
from squall import registry
from squall.cli import app
from squall.settings import ModelSettings, get_settings
from streams.runtime import Context
from streams.scoring import Scoring
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions
from tests.text_data import write_data

DAY = timedelta(days=1)
LATER = datetime(2100, 1, 1, tzinfo=START.tzinfo)


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("learn")) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing", "corvo")
    return module_context


def score(context: Context, count: int, words: str = "Boeing falls", every_minutes: float = 60) -> list[dict[str, Any]]:
    """Score news, and return the items that the page of labels would show."""
    found = [mention(f"a{number:04}", f"{words} {number}", minute=number * every_minutes) for number in range(count)]
    store_decisions(context, found)
    Scoring(context, StandIn()).handle(messages(*found))
    return [{"mention_id": one.id, "event_time": one.event_time.isoformat(), "model_version": "stand-in-1"} for one in found]


def test_what_people_said_is_read_with_the_sample_that_is_fair(context: Context) -> None:
    items = score(context, 60, every_minutes=1)
    query = "SELECT id, ('x' || substr(md5(id), 1, 6))::bit(24)::int AS draw FROM mention ORDER BY 2"
    with context.engine.begin() as connection:
        draws: dict[str, int] = {row.id: row.draw for row in connection.execute(text(query))}
        drawn = [key for key, draw in draws.items() if draw % 10 == 0]
        assert len(drawn) >= 3
        by_id = {item["mention_id"]: item for item in items}
        asked, before, after = drawn[1], drawn[0], drawn[2]
        for key, queue in ((asked, "random"), (before, "uncertain"), (after, "uncertain")):
            keep(connection, by_id[key], queue, "ana", Answer("negative", topic="Earnings"))
        keep(connection, by_id[asked], "random", "bob", Answer("neutral", company_id="corvo"))
        keep(connection, by_id[asked], "random", "eve", Answer("positive", about_none=True))
        assert take_back(connection, "eve")
        connection.execute(text("UPDATE mention SET span_start = 0, span_end = 6, others = '{{7,12}}'"))
        found = {one.mention_id: one for one in read_labels(connection, LATER)}
    assert {key for key, one in found.items() if one.sampled} == {before, asked}
    assert {(one.span, one.others) for one in found.values()} == {((0, 6), ((7, 12),))}
    assert [(a.labeller, a.sentiment, a.topic, a.company) for a in found[asked].answers] == [
        ("ana", "negative", "Earnings", "kept"),
        ("bob", "neutral", None, "Corvo"),
    ]


def test_labels_are_read_as_they_stood(context: Context) -> None:
    (item,) = score(context, 1)
    with context.engine.begin() as connection:
        keep(connection, item, "random", "ana", Answer("negative"))
        connection.execute(text("UPDATE label SET labelled_at = '2026-01-05'"))
        keep(connection, item, "random", "ana", Answer("positive"))
        connection.execute(text("UPDATE label SET undone_at = '2026-01-07' WHERE undone_at IS NOT NULL"))
        connection.execute(text("UPDATE label SET labelled_at = '2026-01-07' WHERE undone_at IS NULL"))
        for day, said in ((4, []), (6, ["negative"]), (8, ["positive"])):
            found = read_labels(connection, datetime(2026, 1, day, tzinfo=START.tzinfo))
            assert [one.answers[0].sentiment for one in found] == said
    (one,) = found
    assert (one.text, one.sector, one.sampled) == ("Boeing falls 0", "industrials", True)


@pytest.fixture
def folder(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for data sets; commands find the database and base sets of this test."""
    monkeypatch.setenv("SQUALL_HOME", str(context.settings.home))
    monkeypatch.setenv("SQUALL_DATA_DIR", str(write_data(tmp_path / "base")))
    get_settings.cache_clear()
    yield tmp_path / "sets"
    get_settings.cache_clear()


def build(folder: Path, when: str) -> tuple[int, str]:
    """Exit status of `squall dataset build`, and the last line that it prints."""
    options = ["--to", str(folder), "--when", when, "--namespace", "stage", "--json"]
    done = CliRunner().invoke(app, ["dataset", "build", *options])
    return done.exit_code, done.output.splitlines()[-1]


def test_a_retraining_begins_only_where_people_said_something_new(context: Context, folder: Path) -> None:
    items = score(context, 9)
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE mention SET span_start = 0, span_end = 6"))
    assert build(folder / "a", "new") == (99, "nothing new: people have labelled nothing to learn from")
    assert not folder.exists()
    with context.engine.begin() as connection:
        for item in items[:6]:
            keep(connection, item, "random", "ana", Answer("positive"))
    status, sheet = build(folder / "a", "new")
    assert status == 0
    manifest = {"data": {"version": json.loads(sheet)["version"]}}
    with context.engine.begin() as connection:
        registry.register(connection, "learnt", url="", sha256="x", manifest=manifest, metrics={}, actor="ana")
    assert build(folder / "b", "new") == (99, "nothing new: learnt has learnt from these very rows")
    assert build(folder / "b", "always")[0] == 0
    with context.engine.begin() as connection:
        keep(connection, items[8], "random", "ana", Answer("negative"))
    assert build(folder / "c", "new")[0] == 0


def write_weeks_of_news(context: Context) -> tuple[list[dict[str, Any]], datetime]:
    """As many weeks as drift looks at, the last one in words of its own; returns its items, and when it ends."""
    items = score(context, 220 * WEEKS, every_minutes=7 * 24 * 60 / 220)
    end = START + WEEKS * 7 * DAY
    with context.engine.begin() as connection:
        connection.execute(
            text("UPDATE article SET title = 'Wholly other things ' || left(md5(id), 4) WHERE event_time >= :at"),
            {"at": end - 7 * DAY},
        )
    return items, end


def test_drift_is_measured_on_weeks_under_the_version_in_use_and_kept_once_a_day(context: Context) -> None:
    items, end = write_weeks_of_news(context)
    with context.engine.begin() as connection:
        for item in items[-60:]:
            keep(connection, item, "random", "ana", Answer("neutral"))
        version = version_in_use(connection, end)
        assert version == "stand-in-1"
        weeks = read_weeks(connection, end, version, LATER)
        assert [len(week.texts) for week in weeks] == [220] * WEEKS
        assert (len(weeks[-1].right), any(weeks[-1].right)) == (60, False)
        encoder = load_engine(context.settings.model_copy(update={"model": ModelSettings(device="cpu", threads=1)}))
        found = changes(embed(weeks, encoder))
        assert [one.name for one in found if one.alarm] == ["unseen words", "embeddings"]
        assert next(one for one in changes(weeks) if one.name == "embeddings").change is None
        for _ in range(2):
            keep_drift(connection, end.date(), version, weeks, found)
        ((day, kept),) = connection.execute(text("SELECT day, changes FROM drift")).all()
        assert version_in_use(connection, START) is None
    assert day == end.date()
    assert {one["name"]: one["alarm"] for one in kept}["unseen words"] is True


@pytest.mark.usefixtures("folder")
def test_an_alarm_is_an_incident_until_a_week_is_as_weeks_are(context: Context) -> None:
    _, end = write_weeks_of_news(context)

    def measured(as_of: datetime) -> list[tuple[str, str, str]]:
        words = ["drift", "--as-of", f"{as_of:%Y-%m-%d}", "--namespace", "stage", "--json"]
        assert CliRunner().invoke(app, words).exit_code == 0
        with context.engine.begin() as connection:
            found = connection.execute(text("SELECT rule, state, summary FROM incident"))
            connection.execute(text("UPDATE incident SET opened_at = opened_at - interval '5 minutes'"))
            return [tuple(row) for row in found]

    assert measured(end - 7 * DAY) == []
    for _ in range(2):
        ((rule, state, summary),) = measured(end)
        assert (rule, state) == ("model drift", "firing")
        assert summary.startswith("The news has drifted: unseen words has moved by")
    assert [one[:2] for one in measured(end - 7 * DAY)] == [("model drift", "resolved")]
