"""The DAGs in a real Airflow: what they are, and what their runs do to a real database."""

import json
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from models.artifact import SHIPPED, load_artifact
from squall.cli import app
from squall.embedded import Addresses
from tests.compose import compose
from tests.dags.scene import (
    AIRFLOW,
    LIMIT_S,
    MISSING,
    SQUALL,
    airflow,
    airflow_environment,
    corrections,
    query,
    squall_database,
)
from tests.text_data import write_data

RETRAIN_LIMIT_S = 900
"""A minute and a half on two free cores; they are not always free."""

pytestmark = pytest.mark.skipif(not (AIRFLOW / "airflow").exists(), reason=MISSING)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="squall-") as folder:
        yield airflow_environment(Path(folder))


@pytest.fixture(scope="module")
def services(environment: dict[str, str]) -> Iterator[Addresses]:
    with squall_database(environment) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def corrected(environment: dict[str, str], services: Addresses) -> Addresses:
    """The database with two weeks of scored texts, from 20 days ago on, that a person has corrected."""
    corrections(environment, services, 330)
    return services


def probe(environment: dict[str, str], *words: str, limit_s: float = LIMIT_S) -> Any:
    done = subprocess.run(
        [AIRFLOW / "python", Path(__file__).with_name("probe.py"), *words],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=limit_s,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_dags_are_what_they_should_be(environment: dict[str, str]) -> None:
    found = probe(environment, "list")
    assert found["errors"] == {}
    assert found["dags"].keys() == {"backfill", "calibrate", "drift", "embed", "lead_lag", "prices", "retention", "retrain"}
    for name, dag in found["dags"].items():
        assert dag["timetable"] == ("NullTimetable" if name == "backfill" else "CronDataIntervalTimetable")
        assert (dag["max_active_runs"], dag["catchup"]) == (1, False)
        assert dag["doc"].strip().startswith("### ")
        assert dag["params"], "a manual run passes its period"
        for task in dag["tasks"]:
            assert task["retries"] == 3
            assert task["backoff"] == 2
            assert task["limit_s"] <= 86_400
            assert task["on_failure"] == ["raise_incident"]
            assert task["doc"]
            if task["id"] != "report":
                assert_squall_knows(task["command"].removeprefix(f"exec {SQUALL} "), task["values"])


def assert_squall_knows(line: str, values: dict[str, str]) -> None:
    assert set(re.findall(r"\$(\w+)", line)) == values.keys()
    assert "{{" not in line, "values come as variables, never as the shell's text"
    given = {**dict.fromkeys(("$RATE", "$EPOCHS", "$SEED", "$BASE_ROWS"), "1"), "$DAYS": "60", "$LEARNING_RATE": "0.1"}
    words = [{**given, "$WHEN": "new"}.get(word, word) for word in shlex.split(line)]
    words = [word.replace("$", "2026-01-05-") if "$RUN" in word else "2026-01-05" if word[0] == "$" else word for word in words]
    command: Any = typer.main.get_command(app)
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    command.make_context(command.name, words)


def test_retention_runs_for_its_period_and_a_second_run_changes_nothing(environment: dict[str, str], services: Addresses) -> None:
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'squall.score'::regclass"
    before = query(services, count)[0][0]
    assert probe(environment, "run", "retention", "{}") == {"state": "success", "tasks": {"retain": "success"}}
    after = query(services, count)[0][0]
    assert after < before
    assert probe(environment, "run", "retention", '{"as_of": "2025-06-01"}')["state"] == "success"
    assert query(services, count)[0][0] == after


@pytest.mark.parametrize(
    ("dag", "tasks"),
    [
        ("drift", {"measure": "success", "report": "skipped"}),
        ("prices", {"close": "skipped"}),
        ("calibrate", {"measure": "skipped"}),
    ],
)
@pytest.mark.usefixtures("services")
def test_a_run_without_a_date_ends_its_period_now(environment: dict[str, str], dag: str, tasks: dict[str, str]) -> None:
    assert probe(environment, "run", dag, "{}", "undated") == {"state": "success", "tasks": tasks}


def test_lead_and_lag_of_nothing_is_nothing(environment: dict[str, str], services: Addresses) -> None:
    run = probe(environment, "run", "lead_lag", '{"until": "2025-06-01", "days": 90}')
    assert run == {"state": "success", "tasks": {"leadlag": "success"}}
    assert query(services, "SELECT count(*) FROM lead_lag") == [(0,)]


def test_a_day_without_session_or_tickers_skips_prices(environment: dict[str, str]) -> None:
    run = probe({**environment, "SQUALL_PRICES__TICKERS": '["AAPL"]'}, "run", "prices", '{"day": "2025-12-25"}')
    assert run["tasks"] == {"close": "skipped"}


def test_a_task_that_fails_is_an_incident(environment: dict[str, str], services: Addresses) -> None:
    period = {"model": "/no/such/model", "first": "2026-01-01", "last": "2026-01-02"}
    assert probe(environment, "run", "backfill", json.dumps(period))["state"] == "failed"
    ((rule, state, summary),) = query(services, "SELECT rule, state, summary FROM incident")
    assert (rule, state) == ("task backfill", "firing")
    assert "The scheduled task backfill failed" in summary
    assert query(services, "SELECT payload ->> 'rule' FROM outbox WHERE channel = 'topic'") == [("task backfill",)]


def test_two_weeks_of_texts_are_drawn_beside_each_other(environment: dict[str, str], corrected: Addresses) -> None:
    day = f"{datetime.now(UTC) - timedelta(days=6):%Y-%m-%d}"
    run = probe(environment, "run", "drift", json.dumps({"as_of": day}))
    assert run == {"state": "success", "tasks": {"measure": "success", "report": "success"}}
    assert query(corrected, f"SELECT texts FROM drift WHERE day = '{day}'::date - 1")[0][0] > 100
    page = (Path(environment["SQUALL_HOME"]) / "learning" / "drift" / day / "drift.html").read_text()
    assert "Dataset Drift" in page
    assert not re.search(r'<script[^>]*src="http', page), "it is read where there is no network"


@pytest.mark.parametrize("service", ["airflow-api", "airflow-scheduler", "airflow-dag-processor"])
def test_the_containers_start_what_airflow_knows(service: str, environment: dict[str, str]) -> None:
    program, command, *options = compose()["services"][service]["command"]
    assert program == "airflow"
    help_text = airflow(environment, command, "--help")
    for option in options:
        assert not option.startswith("--") or option in help_text


@pytest.mark.timeout(RETRAIN_LIMIT_S + 300)
def test_a_retraining_goes_from_corrections_to_a_better_champion(
    environment: dict[str, str], corrected: Addresses, tmp_path: Path
) -> None:
    data = write_data(tmp_path)
    (data / "tfns_topic" / "classes.txt").write_text("\n".join(load_artifact(SHIPPED).labels("topic")))
    ((before,),) = query(corrected, "SELECT version FROM model_alias WHERE alias = 'champion'")
    params = {"as_of": f"{datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}", "epochs": 2, "learning_rate": 0.002}
    run = probe({**environment, "SQUALL_DATA_DIR": str(data)}, "run", "retrain", json.dumps(params), limit_s=RETRAIN_LIMIT_S)
    (report,) = Path(environment["SQUALL_HOME"]).glob("learning/runs/*/gate/gate.json")
    assert run == {"state": "success", "tasks": dict.fromkeys(run["tasks"], "success")}, report.read_text()
    assert len(run["tasks"]) == 7
    ((after, verdict),) = query(corrected, "SELECT to_version, verdict FROM promotion WHERE kind = 'promote'")
    assert query(corrected, "SELECT version FROM model_alias WHERE alias = 'champion'") == [(after,)]
    assert after != before
    assert (verdict["promote"], verdict["champion"], verdict["challenger"]) == (True, before, after)
    assert query(corrected, "SELECT version, verdict FROM model_version WHERE verdict IS NOT NULL") == [(after, verdict)]
    assert verdict["main"]["name"] == "sentiment, labels of people, fair sample"


@pytest.mark.timeout(RETRAIN_LIMIT_S + 300)
def test_a_challenger_that_is_no_better_is_refused_and_nothing_has_failed(
    environment: dict[str, str], corrected: Addresses, tmp_path: Path
) -> None:
    data = write_data(tmp_path)
    (data / "tfns_topic" / "classes.txt").write_text("\n".join(load_artifact(SHIPPED).labels("topic")))
    champion = "SELECT version, since FROM model_alias WHERE alias = 'champion'"
    before = query(corrected, champion)
    as_of = f"{datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"
    params = {"as_of": as_of, "when": "always", "epochs": 1, "learning_rate": 1e-5}
    conf = json.dumps(params)
    run = probe({**environment, "SQUALL_DATA_DIR": str(data)}, "run", "retrain", conf, limit_s=RETRAIN_LIMIT_S)
    refused = {"gate": "skipped", "promote": "skipped"}
    assert run == {"state": "success", "tasks": {**dict.fromkeys(run["tasks"], "success"), **refused}}
    assert query(corrected, champion) == before
    kept = "SELECT verdict FROM model_version JOIN model_alias USING (version) WHERE alias = 'challenger'"
    ((verdict,),) = query(corrected, kept)
    assert not verdict["promote"]
    assert verdict["reasons"][0].startswith("no better on sentiment")
