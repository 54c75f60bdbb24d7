"""Retention, backfill and the incidents of scheduled tasks, on a real database."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.engine import TextScore
from models.passages import Passage
from pipelines.maintenance.backfill import BATCH, backfill
from pipelines.maintenance.retention import Retained, retain
from squall.db.partitions import existing_months
from squall.errors import UsageError
from squall.settings import StreamSettings
from streams.operational import open_incident, resolve_incidents
from streams.runtime import Context
from streams.scoring import Scoring
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions

DAY = timedelta(days=1)
KEEP = StreamSettings(retention_days=90, text_retention_days=31)


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("keep"), stream=KEEP) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing")
    return module_context


def rows(context: Context, query: str) -> list[tuple[Any, ...]]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def score(context: Context, minutes: Sequence[float]) -> None:
    found = [mention(f"a{number:03}", "Boeing falls", minute=minute) for number, minute in enumerate(minutes)]
    store_decisions(context, found)
    Scoring(context, StandIn()).handle(messages(*found))


class Failing(StandIn):
    """Fails from a page on."""

    def __init__(self, version: str, pages: int) -> None:
        super().__init__(version)
        self.pages = pages

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        self.pages -= 1
        if self.pages < 0:
            raise KeyboardInterrupt
        return super().score(passages)


def test_a_backfill_scores_history_beside_what_stands_and_goes_on_where_it_was_cut_off(context: Context) -> None:
    count = 2 * BATCH + 9
    score(context, range(count))
    before = rows(context, "SELECT * FROM score ORDER BY 1"), rows(context, "SELECT * FROM mood ORDER BY 1, 2")
    end = START + DAY
    with pytest.raises(KeyboardInterrupt):
        backfill(context.engine, Failing("second", 1), START, end, rate=1e6)
    assert rows(context, "SELECT count(*) FROM rescore") == [(BATCH,)]
    second = StandIn("second")
    assert backfill(context.engine, second, START, end, rate=1e6).scored == count - BATCH
    assert len(second.asked) == count - BATCH
    assert backfill(context.engine, second, START, end, rate=1e6).scored == 0
    assert rows(context, "SELECT DISTINCT model_version, negative FROM rescore") == [("second", 900_000)]
    assert (rows(context, "SELECT * FROM score ORDER BY 1"), rows(context, "SELECT * FROM mood ORDER BY 1, 2")) == before


def test_a_backfill_keeps_to_its_period_and_its_rate_and_names_what_has_no_text(context: Context) -> None:
    score(context, [0, 1, 2, 3])
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE article SET title = '' WHERE id = 'a001'"))
    waits: list[float] = []
    period = START + timedelta(minutes=1), START + timedelta(minutes=3)
    done = backfill(context.engine, StandIn("second"), *period, rate=0.01, pause=waits.append)
    assert (done.scored, done.without_text) == (1, 1)
    assert len(waits) == 1
    assert 50 < waits[0] <= 100


def test_retention_drops_partitions_empties_texts_first_and_is_idempotent(context: Context) -> None:
    score(context, [0, 70 * 24 * 60])
    now = START + timedelta(days=122)
    done = retain(context.engine, KEEP, now, now)
    assert done.articles_removed == 1
    assert done.texts_emptied == 1
    assert done.partitions_dropped > 0
    assert rows(context, "SELECT id, title, body FROM article") == [("a001", "", "")]
    assert rows(context, "SELECT count(*) FROM score") == [(1,)]
    with context.engine.connect() as connection:
        months = existing_months(connection)
    assert min(months) == (2015, 4)
    assert max(months) == (2015, 9)
    assert retain(context.engine, KEEP, now, now) == Retained(0, 0, 0, 0, 0)


def test_retention_refuses_a_time_in_the_future(context: Context) -> None:
    with pytest.raises(UsageError, match="future"):
        retain(context.engine, KEEP, START + DAY, START)


def test_a_failing_task_is_one_incident_until_it_succeeds(context: Context) -> None:
    def fail(minute: int) -> bool:
        at = START + timedelta(minutes=minute)
        with context.engine.begin() as connection:
            return open_incident(
                connection, context.settings, rule="task prices", severity="high", at=at, summary="no prices", inputs={}
            )

    assert [fail(0), fail(1)] == [True, False]
    with context.engine.begin() as connection:
        for _ in range(2):
            resolve_incidents(
                connection, context.settings, rule="task prices", severity="high", at=START + DAY, summary="prices again"
            )
    assert rows(context, "SELECT state, summary FROM incident") == [("resolved", "no prices")]
    assert rows(context, "SELECT kind FROM incident_event ORDER BY number") == [("fired",), ("resolved",)]
    assert rows(context, "SELECT payload ->> 'summary' FROM outbox ORDER BY number") == [("no prices",), ("prices again",)]
