"""Another champion under load: workers take it within 30 seconds, every row names its model, and nothing is lost or doubled."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from models.artifact import SHIPPED, load_artifact
from models.engine import load_engine
from models.passages import Passage, places
from models.store import fetch
from pipelines.ingest.producer import Producer
from pipelines.ingest.replay import Sent, prepare, remove, send, wait_until_done
from pipelines.ingest.rows import news_from_row
from pipelines.ingest.timeline import Step, end_of, items_of, merge
from squall import registry
from squall.embedded.workers import worker_processes
from squall.errors import UserError
from squall.records import MILLION, Tick
from squall.settings import ModelSettings, Settings
from tests.artifacts import Squall, damage, models_command, recalibrated
from tests.harness import Services, services
from tests.outcome import mood_differences
from tests.waiting import wait_until
from tests.week import generated_week

NAMESPACE = "models"
NEWS = generated_week(20_000)[:5_000]
SPEED = 900.0
"""Event time by wall time: thirty articles a second."""
TAKEN_S = 30
GOES_ON_S = 120
WORKERS = 2


@pytest.fixture
def on() -> Iterator[Services]:
    with services("tansu") as found:
        model = ModelSettings(threads=1, device="cpu", follow_s=0.5)
        yield Services(found.settings.in_namespace(NAMESPACE).model_copy(update={"model": model}), found.addresses)


@pytest.fixture
def squall(on: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Squall]:
    for name, value in {"HOME": on.settings.home, "MODEL__THREADS": 1, "MODEL__DEVICE": "cpu"}.items():
        monkeypatch.setenv(f"SQUALL_{name}", str(value))
    with models_command(NAMESPACE) as run:
        yield run


class Feed(threading.Thread):
    """Sends news, evenly, until it is told to stop; ends with a time record after which all is decided."""

    def __init__(self, on: Services, engine: Engine) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.sent = Sent()
        self._on, self._engine = on, engine

    def run(self) -> None:
        with Producer(self._on.settings, self._on.addresses.bootstrap) as producer:
            self.sent = send(producer, self._engine, self._on.settings, self._steps(self._on.settings), speed=SPEED)

    def _steps(self, settings: Settings) -> Iterator[Step]:
        for step in merge(items_of([news_from_row(row, "test") for row in NEWS], settings), settings):
            if self.stop.is_set():
                yield Step(step.clock, Tick(at=end_of(step.clock, settings)))
                return
            yield step


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def workers(engine: Engine) -> list[registry.Serving]:
    with engine.connect() as connection:
        return registry.serving(connection)


def scored_by(engine: Engine, version: str) -> int:
    return int(rows(engine, f"SELECT count(*) FROM score WHERE model_version = '{version}'")[0][0])


def says_what_its_rows_say(on: Services, engine: Engine, folder: Path, version: str) -> bool:
    """Whether rows that name a version hold what that version says."""
    query = f"""
        SELECT a.title || CASE WHEN a.body = '' THEN '' ELSE E'\\n' || a.body END, m.span_start, m.span_end, m.others, s.negative
        FROM score s JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time JOIN article a ON a.id = m.article_id
        WHERE s.model_version = '{version}' AND a.revision = 1 ORDER BY s.mention_id LIMIT 50
    """
    found = rows(engine, query)
    chosen = on.settings.model_copy(update={"model": on.settings.model.model_copy(update={"dir": folder})})
    passages = [Passage(words, None if start is None else (start, end), places(others)) for words, start, end, others, _ in found]
    answers = load_engine(chosen).score(passages)
    return len(found) == 50 and [round(one.sentiment[0] * MILLION) for one in answers] == [row[-1] for row in found]


def test_champions_change_under_load(on: Services, squall: Squall, tmp_path: Path) -> None:
    first = load_artifact(SHIPPED).version
    settings = on.settings.model_copy(update={"workers": WORKERS})
    items = items_of([news_from_row(row, "test") for row in NEWS], settings)
    engine = prepare(settings, on.addresses, items[0].at, items[-1].at)

    def all_serve(version: str) -> bool:
        said = workers(engine)
        return len(said) == WORKERS and {one.version for one in said} == {version}

    def goes_on(version: str) -> None:
        before = scored_by(engine, version)
        wait_until(lambda: scored_by(engine, version) >= before + 60, f"rows of {version}", GOES_ON_S)

    try:
        with worker_processes(settings, on.addresses, WORKERS):
            feed = Feed(on, engine)
            feed.start()
            goes_on(first)
            assert all_serve(first)

            second = recalibrated(tmp_path / "second", 2.5)
            new = json.loads(squall("register", str(second), "--json"))
            assert (new["number"], new["aliases"]) == (2, ["challenger"])
            squall("promote", "challenger", "--reason", "a test")
            wait_until(lambda: all_serve(new["version"]), "the second version", TAKEN_S)
            goes_on(new["version"])

            third = json.loads(squall("register", str(recalibrated(tmp_path / "third", 0.5)), "--json"))
            damage(fetch(settings, third["url"], third["sha256"]))
            with pytest.raises(UserError, match=r"is refused: .* is damaged"):
                squall("promote", "3")
            # As if the files had been damaged after the promotion.
            with engine.begin() as connection:
                registry.promote(connection, third["version"], actor="test", reason="before the damage")
            wait_until(lambda: [one.refused for one in workers(engine)] == [third["version"]] * WORKERS, "a refusal", TAKEN_S)
            goes_on(new["version"])
            assert all_serve(new["version"])
            assert "is damaged" in squall("show", "3")

            squall("rollback", "--reason", "damaged")
            wait_until(lambda: {one.refused for one in workers(engine)} == {None}, "the end of the refusal", TAKEN_S)
            squall("rollback", "--reason", "back to the beginning")
            wait_until(lambda: all_serve(first), "the first version again", TAKEN_S)
            goes_on(first)
            feed.stop.set()
            feed.join(30)
            counts = wait_until_done(engine, settings, feed.sent)

        assert counts.articles == len(feed.sent.articles)
        assert scored_by(engine, first) + scored_by(engine, new["version"]) == counts.mentions_scored > 200
        assert rows(engine, "SELECT mention_id FROM score GROUP BY mention_id HAVING count(*) > 1") == []
        # One minute separates two versions, whatever worker and batch a mention came to. The one in use stood in for the damaged.
        of_its_minute = "SELECT version FROM model_epoch e WHERE e.since <= s.event_time ORDER BY since DESC LIMIT 1"
        elsewhere = f"""
            SELECT count(*) FROM score s WHERE NOT late AND frozen IS NULL
            AND model_version <> coalesce(nullif(({of_its_minute}), '{third["version"]}'), '{new["version"]}')
        """
        assert rows(engine, elsewhere) == [(0,)]
        assert rows(engine, "SELECT count(*) FROM model_epoch") == [(5,)]
        with engine.connect() as connection:
            assert mood_differences(connection) == []
            audit = registry.promotions(connection)
        kinds = [(one.kind, one.from_version, one.to_version) for one in reversed(audit)]
        assert kinds == [
            ("first", None, first),
            ("promote", first, new["version"]),
            ("promote", new["version"], third["version"]),
            ("rollback", third["version"], new["version"]),
            ("rollback", new["version"], first),
        ]
        assert says_what_its_rows_say(on, engine, SHIPPED, first)
        assert says_what_its_rows_say(on, engine, second, new["version"])
    finally:
        remove(settings, on.addresses, engine)
        engine.dispose()
