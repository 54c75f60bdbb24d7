"""A week replayed: every item once, the mood exact, and the same rows and incidents however it is run."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from tests.harness import BROKERS, KAFKA_HOME, Run, Services, replayed, services
from tests.outcome import differences, mood_differences, outcome
from tests.week import SURGING, generated_bars, generated_week

NEWS = generated_week(1_200)
BARS = generated_bars()
ARTICLES = len({row["guid"] for row in NEWS})
SHUFFLE_S = 240


@pytest.fixture(scope="module", params=BROKERS)
def on(request: pytest.FixtureRequest) -> Iterator[Services]:
    with services(request.param) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def thousandfold() -> Iterator[Future[dict[str, list[str]]]]:
    """The outcome of the week at a thousand times its pace: ten minutes, on services of its own, while the others run."""

    def play(on: Services) -> dict[str, list[str]]:
        with replayed(on, "thousandfold", NEWS, BARS, workers=2, speed=1000.0) as run:
            return outcome(run.engine)

    with services("kafka" if KAFKA_HOME else "tansu") as found, ThreadPoolExecutor(1) as pool:
        yield pool.submit(play, found)


@pytest.fixture(scope="module")
def undisturbed(on: Services) -> Iterator[Run]:
    with replayed(on, "one", NEWS, BARS, workers=1) as run:
        yield run


def scalar(run: Run, query: str) -> int:
    with run.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.timeout(900)
def test_every_item_is_there_once_and_scored(undisturbed: Run) -> None:
    assert undisturbed.counts.articles == ARTICLES
    assert undisturbed.counts.dead_letters == 0
    assert undisturbed.counts.bars == len(BARS)
    assert scalar(undisturbed, "SELECT count(*) FROM score") == undisturbed.counts.mentions_scored
    assert scalar(undisturbed, "SELECT count(*) FROM mention WHERE NOT withdrawn") > ARTICLES * 0.95
    waiting = "SELECT count(*) FROM mention m WHERE NOT withdrawn AND NOT EXISTS (SELECT FROM score s WHERE s.mention_id = m.id)"
    assert scalar(undisturbed, waiting) == 0


def test_the_mood_equals_a_recount_in_every_kind_of_scope(undisturbed: Run) -> None:
    with undisturbed.engine.connect() as connection:
        assert mood_differences(connection) == []
        scopes = set(connection.execute(text("SELECT DISTINCT scope FROM mood")).scalars())
    assert "market" in scopes
    for beginning in ("company:", "sector:", "topic:"):
        assert any(scope.startswith(beginning) for scope in scopes)
    assert any("/topic:" in scope for scope in scopes)
    # Only corrections that became known when the minute of what they correct was closed are late.
    assert 0 < scalar(undisturbed, "SELECT count(*) FROM score WHERE frozen IS NOT NULL") < 60
    assert scalar(undisturbed, "SELECT count(*) FROM score WHERE late") <= 10


def test_the_burst_became_an_incident_with_evidence(undisturbed: Run) -> None:
    with undisturbed.engine.connect() as connection:
        found = connection.execute(text("SELECT scope, state, evidence FROM incident WHERE fired_at IS NOT NULL")).all()
    burst = [row for row in found if row.scope == "company:boeing"]
    assert len(burst) == 1, found
    assert burst[0].state == "resolved"
    assert all(f"${SURGING}" in item["title"] for item in burst[0].evidence)


def test_features_never_look_ahead(undisturbed: Run) -> None:
    assert scalar(undisturbed, "SELECT count(*) FROM score WHERE features->>'present' = 'true'") > 500
    later = "SELECT count(*) FROM score WHERE (features->>'as_of')::timestamptz > event_time"
    assert scalar(undisturbed, later) == 0


RUNS: dict[str, dict[str, Any]] = {
    "two-workers": {"workers": 2},
    "four-workers": {"workers": 4},
    "shuffled": {"workers": 2, "shuffle_s": SHUFFLE_S},
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", RUNS)
def test_the_same_week_gives_the_same_rows_and_incidents(on: Services, undisturbed: Run, how: str) -> None:
    with replayed(on, how, NEWS, BARS, **RUNS[how]) as run:
        assert differences(outcome(undisturbed.engine), outcome(run.engine)) == {}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("on", BROKERS[-1:], indirect=True)
def test_the_pace_changes_nothing(undisturbed: Run, thousandfold: Future[dict[str, list[str]]]) -> None:
    assert differences(outcome(undisturbed.engine), thousandfold.result()) == {}
