import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from squall.settings import StreamSettings
from streams.runtime import Context
from tests.integration.stage import mention, stage, store_decisions
from tests.integration.test_watch import burst, close, score


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A namespace in which a burst about Boeing has fired, and one mention waits for its score."""
    with stage(tmp_path_factory.mktemp("readback"), stream=StreamSettings(lateness_s=300)) as context:
        with context.engine.begin() as connection:
            connection.execute(text("INSERT INTO company VALUES ('boeing', 'Boeing', 'industrials', 'US')"))
            connection.execute(text("INSERT INTO listing (company_id, ticker) VALUES ('boeing', 'BA')"))
        score(context, [*burst(), mention("nobody", "Rates gain", minute=20, company_id=None)])
        close(context, 30)
        store_decisions(context, [mention("waiting", "Boeing waits", minute=40)])
        yield context


def squall(context: Context, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "squall", *arguments],
        env={"SQUALL_HOME": str(context.settings.home), "PATH": "/usr/bin:/bin", "COLUMNS": "220"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def listed(context: Context, *arguments: str) -> list[dict[str, Any]]:
    found = squall(context, *arguments, "--namespace", "stage", "--json")
    assert found.returncode == 0, found.stderr
    rows: list[dict[str, Any]] = json.loads(found.stdout)
    return rows


def test_incidents_come_with_names_and_headlines(replayed: Context) -> None:
    [row] = listed(replayed, "incidents", "list")
    assert (row["scope"], row["company"], row["state"], row["resolved_at"]) == ("company:boeing", "Boeing", "firing", None)
    assert row["opened_at"].startswith("2015-03-02T00:0")
    assert row["surprise"] >= 3
    assert "Boeing falls 0" in row["evidence"]

    table = squall(replayed, "incidents", "list", "--namespace", "stage").stdout
    assert "Boeing" in table
    assert "company:boeing" not in table
    shown = squall(replayed, "incidents", "show", row["id"][:8], "--namespace", "stage").stdout
    assert "Boeing falls 0" in shown
    assert "fired" in shown
    assert "window_min" in shown


def test_mentions_come_with_sentiment_topic_novelty_and_story(replayed: Context) -> None:
    rows = listed(replayed, "mentions", "list")
    assert len(rows) == 10
    assert [row["event_time"] for row in rows] == sorted((row["event_time"] for row in rows), reverse=True)
    assert (rows[0]["sentiment"], rows[0]["negative"], rows[0]["topic"]) == (None, None, None)
    first = rows[-1]
    assert (first["company"], first["sentiment"], first["negative"], first["novelty"]) == ("Boeing", "negative", 0.9, 100)
    assert first["story_id"] == "boeing0"

    assert len(listed(replayed, "mentions", "list", "--company", "BA")) == 9
    assert len(listed(replayed, "mentions", "list", "--company", "boeing", "--limit", "3")) == 3
    assert len(listed(replayed, "mentions", "list", "--since", "2015-03-02T00:02", "--until", "2015-03-02T00:05:00")) == 3
    table = squall(replayed, "mentions", "list", "--namespace", "stage").stdout
    assert "not scored yet" in table
    assert "negative 0.90" in table


def test_a_score_is_explained_word_by_word(replayed: Context) -> None:
    [row] = [row for row in listed(replayed, "mentions", "list") if row["title"] == "Boeing falls 0"]
    found = squall(replayed, "explain", row["id"], "--namespace", "stage", "--json")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert (told["id"], told["company"], told["scored_by"]) == (row["id"], "Boeing", row["model"])
    assert {word["text"] for word in told["words"]} >= {"falls"}
    assert min(told["words"], key=lambda word: word["tone"])["text"] == "falls"

    shown = squall(replayed, "explain", row["id"], "--namespace", "stage").stdout
    assert "Boeing falls 0" in shown
    assert f"scored by {row['model']}, explained with {told['explained_by']}" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("incidents", "list", "--namespace", "elsewhere"), 1, "no namespace 'elsewhere' in this database: there is stage"),
        (("mentions", "list"), 1, "no live namespace in this database: there is stage"),
        (("incidents", "show", "zzz", "--namespace", "stage"), 1, "no incident begins with 'zzz'"),
        (("explain", "zzz", "--namespace", "stage"), 1, "no mention begins with 'zzz'"),
        (("mentions", "list", "--company", "Nobody & Co", "--namespace", "stage"), 1, "no company 'Nobody & Co'"),
        (("mentions", "list", "--namespace", "No Good"), 2, "namespace 'No Good'"),
    ],
)
def test_mistakes_end_in_one_line(replayed: Context, arguments: tuple[str, ...], code: int, says: str) -> None:
    found = squall(replayed, *arguments)
    assert found.returncode == code
    assert found.stderr.startswith(f"squall: {says}")
    assert len(found.stderr.splitlines()) == 1
