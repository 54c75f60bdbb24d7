"""A Postgres that is away for 20 s under load: the workers wait, go on by themselves, and nothing is lost."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from squall.embedded.postgres import answers
from squall.embedded.supervisor import Child
from tests.harness import Services, replayed, services
from tests.outcome import mood_differences
from tests.waiting import wait_until
from tests.week import generated_week

NEWS = generated_week(6_000, seed=11)
AWAY_S = 20
BACK_S = 180


@pytest.fixture(scope="module")
def on() -> Iterator[Services]:
    with services("tansu") as found:
        yield found


def test_workers_outlast_a_database_that_is_away(on: Services) -> None:
    pid_file = on.settings.home / "postgres" / "postmaster.pid"
    kills: list[int] = []

    def take_away(children: Sequence[Child], _engine: Engine) -> None:
        before = [child.pid for child in children]
        until = time.monotonic() + AWAY_S
        # The supervisor starts it again and again; whenever it is back it is killed, until the time is over.
        while time.monotonic() < until:
            with suppress(OSError, ValueError, IndexError):
                pid = int(pid_file.read_text().splitlines()[0])
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)
        wait_until(lambda: answers(on.addresses.database_url), "the database is back", BACK_S)
        assert [child.pid for child in children] == before, "a worker did not outlast the outage"

    with replayed(on, "away", NEWS, workers=2, disturb=take_away) as run:
        assert len(set(kills)) >= 2
        assert run.counts.articles == len({row["guid"] for row in NEWS})
        with run.engine.connect() as connection:
            assert mood_differences(connection) == []
