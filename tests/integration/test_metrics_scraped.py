"""`/metrics` of the real server on a real database, as Prometheus asks for it."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from squall import registry
from squall.db.calibrations import Calibration, add_calibrations
from squall.lines import detector_mark
from squall.settings import DetectionSettings
from tests.browser import serve
from tests.browser.world import FIRST, NOW
from tests.waiting import wait_until

TOKEN = "a-token-of-the-tests"
SETTINGS = {"SQUALL_DASHBOARD__LOGIN": "true", "SQUALL_DASHBOARD__METRICS_TOKEN": TOKEN}
Samples = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def postgres() -> Iterator[serve.Database]:
    with serve.database() as found:
        yield found


@pytest.fixture(scope="module")
def world(postgres: serve.Database) -> Iterator[Engine]:
    engine = serve.filled(postgres.url, "demo")
    with engine.begin() as connection:
        manifest = {"topic_labels": ["Earnings"]}
        registry.register(connection, "text-9", url="file:x", sha256="00", manifest=manifest, metrics={}, actor="ana")
        registry.promote(connection, "text-9", actor="ana", reason="the first", kind="first")
        connection.exec_driver_sql("UPDATE score SET scored_at = (SELECT max(ingested_at) FROM article) + interval '2 s'")
        mark = detector_mark(DetectionSettings())
        add_calibrations(connection, [Calibration("companies", 1.0, -2.1, FIRST, NOW, 231, 4, 800, 776, mark, "ana")])
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def site(postgres: serve.Database, world: Engine) -> Iterator[str]:
    with serve.dashboard(postgres.url, "demo", **SETTINGS) as address:
        yield address


def ask(site: str, authorization: str = "") -> tuple[int, str, dict[str, str]]:
    headers = {"Authorization": authorization} if authorization else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(site + "/metrics", headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def scrape(site: str) -> Samples:
    status, body, headers = ask(site, f"Bearer {TOKEN}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "Set-Cookie" not in headers
    found = [sample for one in text_string_to_metric_families(body) for sample in one.samples]
    assert all(sample.name.startswith("squall_") for sample in found)
    return {(sample.name.removeprefix("squall_"), *sample.labels.values()): sample.value for sample in found}


def test_it_is_off_without_a_token_in_the_settings(postgres: serve.Database, world: Engine) -> None:
    with serve.dashboard(postgres.url, "demo", SQUALL_DASHBOARD__LOGIN="true") as site:
        for authorization in ("", f"Bearer {TOKEN}"):
            status, body, _ = ask(site, authorization)
            assert status == 404
            assert body.count("\n") == 1
            assert "SQUALL_DASHBOARD__METRICS_TOKEN" in body


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer another", f"Basic {TOKEN}", TOKEN, "Bearer \u00fc"])
def test_who_does_not_bear_the_token_is_told_how(site: str, authorization: str) -> None:
    status, body, headers = ask(site, authorization)
    assert status == 401
    assert headers["WWW-Authenticate"] == "Bearer"
    assert body == "Send the token that SQUALL_DASHBOARD__METRICS_TOKEN names as a header `Authorization: Bearer <token>`.\n"


def test_what_stands_in_the_database_is_told(site: str, world: Engine) -> None:
    with world.begin() as connection:
        registry.say_serving(connection, registry.Serving("host:1", "text-9", NOW, False, None, None))
    found = wait_until(lambda: (told := scrape(site))["serving_workers",] == 1 and told, "the worker that serves", 60)
    assert found
    assert found["database_up",] == 1
    assert found["clock_timestamp_seconds",] == found["watermark_timestamp_seconds",] == NOW.timestamp()
    assert found["partition_timestamp_seconds", "1"] == NOW.timestamp()
    assert found["decided_timestamp_seconds",] == NOW.timestamp() - 180
    assert found["newest_mention_timestamp_seconds",] == NOW.timestamp() - 180
    assert found["mentions_last_hour",] >= 11
    assert [found["scoring_latency_seconds", quantile] for quantile in ("0.5", "0.95", "0.99")] == [2, 2, 2]
    assert found["incidents_open", "surge", "high", "firing"] == 1
    assert found["incidents_open", "surge", "high", "pending"] == 1
    assert found["incidents_open", "system", "high", "firing"] == 0
    assert found["dead_letters", "ValidationError", "intake"] == 3
    assert found["dead_letters", "DecodeError", "intake"] == 1
    assert [found["sources", state] for state in ("speaking", "silent", "failing", "unasked")] == [3, 0, 1, 0]
    assert found["source_items_total", "feed"] == 240 + 209 + 178 + 147
    assert datetime.now(UTC).timestamp() - found["source_answer_timestamp_seconds", "feed"] < timedelta(hours=1).total_seconds()
    assert found["notifications_waiting", "topic"] > 0
    assert found["notifications_given_up", "topic"] == 0
    assert found["notifications_oldest_timestamp_seconds", "topic"] > NOW.timestamp()
    assert (found["workers", "running"], found["workers_degraded",], found["messages_waiting",]) == (1, 1, 12)
    assert found["workers_scoring", "torch bf16 on cuda"] == 1
    assert found["serving_workers_refusing",] == 0
    assert found["champion_info", "1", "text-9"] == 1
    assert found["champion_epoch_timestamp_seconds",] == 0
    assert found["alarm_line_info", "measured", "companies"] == found["alarm_line_info", "bound", "wider"] == 1
    assert found["alarm_line_measured_timestamp_seconds", "companies"] > NOW.timestamp()


def test_no_label_names_a_company_an_address_or_a_text(site: str) -> None:
    words = {word for _, *labels in scrape(site) for word in labels}
    assert len(words) < 60
    assert not [word for word in words if "://" in word or "apple" in word.lower() or "<" in word or len(word) > 40]


def test_new_dead_letters_are_counted_within_seconds(site: str, world: Engine) -> None:
    with world.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO dead_letter (id, topic, partition, message_offset, stage, error, payload) "
            "VALUES ('new', 'squall.prices', 0, 1, 'market-bars', 'unknown ticker XX as of 2026-01-01: add it', '')"
        )
    wait_until(lambda: scrape(site).get(("dead_letters", "unknown ticker", "market-bars")) == 1, "the new letter", 60)


def test_an_empty_database_is_told_as_one(postgres: serve.Database) -> None:
    serve.filled(postgres.url, "empty", with_items=False).dispose()
    with serve.dashboard(postgres.url, "empty", **SETTINGS) as site:
        found = scrape(site)
    assert (found["database_up",], found["mentions_last_hour",], found["serving_workers",]) == (1, 0, 0)
    unknown = {"clock_timestamp_seconds", "watermark_timestamp_seconds", "messages_waiting", "champion_info", "alarm_line_info"}
    assert not unknown & {name for name, *_ in found}


def test_a_database_that_is_away_is_the_one_thing_said_until_it_is_back(
    site: str, postgres: serve.Database, world: Engine
) -> None:
    assert scrape(site)["database_up",] == 1
    world.dispose()
    postgres.stop()
    try:
        assert wait_until(lambda: (found := scrape(site))["database_up",] == 0 and found, "it is away", 120) == {
            ("database_up",): 0
        }
    finally:
        postgres.start()
    wait_until(lambda: ("incidents_open", "surge", "high", "firing") in scrape(site), "it is back", 120)
