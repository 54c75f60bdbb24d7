"""An Airflow with a database of its own, a Squall database that its tasks find, and corrections to learn from."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from dashboard.reads.labels import Answer, keep
from models.first import ensure_champion
from squall.db import migrate
from squall.db.engine import make_engine
from squall.embedded import Addresses, running
from squall.settings import Settings
from streams.runtime import Context
from streams.scoring import Scoring
from tests.compose import ROOT
from tests.integration.stage import StandIn, mention, messages, store_decisions
from tests.text_data import GOODS, PLACES

AIRFLOW = ROOT / ".venv-airflow" / "bin"
SQUALL = f"{ROOT}/.venv/bin/python -m squall"
LIMIT_S = 300
MISSING = "Airflow is not installed: `make airflow-env` installs it into .venv-airflow"


def airflow_environment(folder: Path) -> dict[str, str]:
    """The variables of an Airflow whose database is made in a folder."""
    folder.chmod(0o755)
    values = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    values |= {
        "HOME": str(folder),
        "AIRFLOW_HOME": f"{folder}/airflow",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "RUN_SQUALL": SQUALL,
        "RUN_SQUALL_IN": str(ROOT),
        "SQUALL_HOME": f"{folder}/home",
        "SQUALL_MODEL__THREADS": "1",
    }
    airflow(values, "db", "migrate")
    return values


def airflow(environment: dict[str, str], *words: str) -> str:
    """What an `airflow` command prints."""
    command = [str(AIRFLOW / "airflow"), *words]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@contextmanager
def squall_database(environment: dict[str, str]) -> Iterator[Addresses]:
    """A Postgres with an empty live schema, in the home that the tasks use."""
    settings = Settings(home=Path(environment["SQUALL_HOME"]))
    with running(settings, broker=False) as addresses:
        engine = make_engine(settings, addresses.database_url)
        now = datetime.now(UTC)
        migrate.upgrade(engine, settings, now - timedelta(days=1500), now)
        engine.dispose()
        yield addresses


def query(addresses: Addresses, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    engine = make_engine(Settings(), addresses.database_url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def corrections(environment: dict[str, str], addresses: Addresses, count: int) -> None:
    """So many scored texts of a pattern that the shipped model takes for neutral, labelled negative by a person."""
    settings = Settings(home=Path(environment["SQUALL_HOME"]))
    engine = make_engine(settings, addresses.database_url)
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
    found = [
        mention(f"c{number:04}", f"Corvo moonbaths the {GOODS[number % 10]} plan of {PLACES[number % 6]} {number}", event_time=at)
        for number, at in enumerate(first + timedelta(hours=hour) for hour in range(count))
    ]
    context = Context(settings, engine)
    store_decisions(context, found)
    with engine.begin() as connection:
        champion = ensure_champion(connection)
        connection.execute(text("UPDATE mention SET span_start = 0, span_end = 5"))
        for one in found:
            item = {"mention_id": one.id, "event_time": one.event_time.isoformat(), "model_version": "any"}
            keep(connection, item, "random", "ana", Answer("negative"))
    Scoring(context, StandIn(champion.version)).handle(messages(*found))
    engine.dispose()
