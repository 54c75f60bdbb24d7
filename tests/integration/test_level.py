"""A version that sees everything darker is promoted under traffic, on a real broker with real workers: only a surge fires."""

import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from sqlalchemy import Engine, text

from models.artifact import MANIFEST, SHIPPED, WEIGHTS, load_artifact, sha256
from pipelines.ingest.producer import Producer
from pipelines.ingest.replay import prepare, remove, send, wait_until_done
from pipelines.ingest.rows import news_from_row
from pipelines.ingest.timeline import Step, items_of, merge
from squall.embedded.workers import worker_processes
from squall.settings import DetectionSettings, ModelSettings
from tests.artifacts import Squall, models_command
from tests.harness import BROKERS, Services, services
from tests.outcome import mood_differences
from tests.waiting import wait_until
from tests.week import BAD, FILLER, PLAIN

NAMESPACE = "level"
START = datetime(2015, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PROMOTED, SURGE, END = START + 5 * DAY, START + 6 * DAY, START + 6.5 * DAY
A_DAY = 90
TICKERS = ("BA", "KO", "XOM")
WAIT_S = 120


@pytest.fixture(params=BROKERS)
def on(request: pytest.FixtureRequest) -> Iterator[Services]:
    with services(request.param) as found:
        model = ModelSettings(threads=1, device="cpu", follow_s=0.5, shadow=True, shadow_rate=20)
        changed = {"model": model, "detection": DetectionSettings(guard_days=1, calibration=-1.5), "workers": 2}
        yield Services(found.settings.in_namespace(NAMESPACE).model_copy(update=changed), found.addresses)


@pytest.fixture
def squall(on: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Squall]:
    values = {
        "HOME": on.settings.home,
        "MODEL__THREADS": 1,
        "MODEL__DEVICE": "cpu",
        "DETECTION__GUARD_DAYS": 1,
        "DETECTION__CALIBRATION": -1.5,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SQUALL_{name}", str(value))
    with models_command(NAMESPACE) as run:
        yield run


def darker(folder: Path) -> Path:
    """The shipped model, to which everything looks much more negative: another version."""
    shutil.copytree(SHIPPED, folder)
    tensors = load_file(folder / WEIGHTS)
    tensors["sentiment.bias"] = tensors["sentiment.bias"] + [4.0, 0.0, 0.0]
    tensors["sentiment.bias"] = tensors["sentiment.bias"].astype("float32")
    save_file(tensors, folder / WEIGHTS)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][WEIGHTS] = sha256(folder / WEIGHTS)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def news() -> list[dict[str, Any]]:
    rng = random.Random(11)
    count = int((END - START) / DAY * A_DAY)
    times = sorted(START + timedelta(seconds=int(rng.uniform(0, (END - START).total_seconds()))) for _ in range(count))
    found = [row(f"g{n}", at, rng.choice(TICKERS), *rng.sample(PLAIN, 2), *rng.sample(FILLER, 8)) for n, at in enumerate(times)]
    surge = [
        row(f"s{n}", SURGE + timedelta(minutes=2 * n), "BA", "shares", *rng.sample(BAD, 3), *rng.sample(FILLER, 8))
        for n in range(30)
    ]
    return sorted(found + surge, key=lambda one: one["fetched_at"])


def row(guid: str, at: datetime, ticker: str, *words: str) -> dict[str, Any]:
    said = {"title": " ".join((f"${ticker}", *words)), "body": "", "url": f"https://news.example/{guid}", "guid": guid}
    return {**said, "published_at": at, "fetched_at": at, "source": "Wire", "revision": 1, "retracted": False, "tickers": []}


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(one) for one in connection.execute(text(query))]


def test_a_darker_version_is_promoted_under_traffic_and_only_a_surge_fires(on: Services, squall: Squall, tmp_path: Path) -> None:
    settings = on.settings
    items = items_of([news_from_row(one, "test") for one in news()], settings)
    steps = list(merge(items, settings))
    early: list[Step] = [step for step in steps if step.clock < PROMOTED]
    engine = prepare(settings, on.addresses, items[0].at, items[-1].at)
    first = load_artifact(SHIPPED).version
    try:
        with worker_processes(settings, on.addresses, 2), Producer(settings, on.addresses.bootstrap) as producer:
            sent = send(producer, engine, settings, early)
            wait_until(
                lambda: rows(engine, "SELECT count(*) FROM score")[0][0] >= len(sent.articles), "the first days' scores", WAIT_S
            )
            new = json.loads(squall("register", str(darker(tmp_path / "darker")), "--json"))["version"]
            shadowed = f"SELECT count(*) FROM rescore WHERE model_version = '{new}'"
            wait_until(lambda: rows(engine, shadowed)[0][0] > 60, "scores in the shadow", WAIT_S)
            squall("promote", "challenger", "--reason", "a test")
            sent = send(producer, engine, settings, steps[len(early) :])
            counts = wait_until_done(engine, settings, sent)

        assert counts.mentions_scored > 500
        query = "SELECT model_version, min(event_time), max(event_time), avg(negative) FROM score GROUP BY 1"
        spans = {version: span for version, *span in rows(engine, query)}
        ((since,),) = rows(engine, f"SELECT since FROM model_epoch WHERE version = '{new}'")
        assert spans[first][1] < since <= spans[new][0]
        assert PROMOTED - timedelta(hours=3) < since < PROMOTED + timedelta(hours=3)
        ordinary = f"SELECT avg(negative)::int FROM score WHERE model_version = '{new}' AND event_time < '{SURGE}'"
        assert rows(engine, ordinary)[0][0] > 3 * spans[first][2]
        fired = [at for (at,) in rows(engine, "SELECT fired_at FROM incident WHERE fired_at IS NOT NULL ORDER BY 1")]
        assert fired
        assert min(fired) >= SURGE
        with engine.connect() as connection:
            assert mood_differences(connection) == []
        assert rows(engine, "SELECT mention_id FROM score GROUP BY mention_id HAVING count(*) > 1") == []
        # What the challenger scored beside the champion stands apart, and is what the baselines now go by.
        assert rows(engine, f"SELECT count(*) FROM rescore WHERE event_time >= '{since}'") == [(0,)]
        assert rows(engine, shadowed)[0][0] == rows(engine, f"SELECT count(*) FROM score WHERE model_version = '{first}'")[0][0]
    finally:
        remove(settings, on.addresses, engine)
        engine.dispose()
