"""SIGKILL of a worker, ten times under load: nothing missing, nothing twice, and every decision as if nothing had happened."""

import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, text

from squall.embedded.supervisor import Child
from tests.harness import KAFKA_HOME, Run, Services, replayed, services
from tests.outcome import differences, mood_differences, outcome
from tests.waiting import wait_until
from tests.week import generated_week

NEWS = generated_week(50_000, seed=3)
KILLS = 10
LIMIT_S = 120
REDELIVERED = re.compile(r"redelivered[\"']?\s*[=:]\s*(\d+)")


@pytest.fixture(scope="module")
def on() -> Iterator[Services]:
    """Real Kafka where there is one: what is tested here is the workers, and each run takes minutes."""
    with services("kafka" if KAFKA_HOME else "tansu") as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(on: Services) -> Iterator[Run]:
    with replayed(on, "calm", NEWS, workers=2) as run:
        yield run


def redelivered(logs: Path) -> int:
    """Messages that workers got again, as their logs say."""
    found = (match for log in logs.glob("killed-worker-*.log*") for match in REDELIVERED.findall(log.read_text()))
    return sum(int(number) for number in found)


@pytest.mark.timeout(2400)
def test_ten_kills_change_nothing(on: Services, undisturbed: Run) -> None:
    logs = on.settings.home / "logs"
    seen: list[int] = []

    def kill_again_and_again(children: Sequence[Child], engine: Engine) -> None:
        def scored() -> int:
            with engine.connect() as connection:
                return int(connection.execute(text("SELECT count(*) FROM score")).scalar_one())

        for number in range(KILLS):
            victim = children[number % len(children)]
            before, again = scored(), redelivered(logs)
            wait_until(lambda before=before: scored() > before + 300, "progress before a kill", LIMIT_S)  # type: ignore[misc]
            pid = victim.pid
            assert pid is not None
            assert scored() < len(NEWS), "all was done before the last kill: nothing was in hand"
            psutil.Process(pid).send_signal(signal.SIGKILL)
            wait_until(lambda victim=victim, pid=pid: victim.pid not in (None, pid), "a new worker", LIMIT_S)  # type: ignore[misc]
            # What was in hand had not been acknowledged, so somebody gets it again.
            wait_until(lambda again=again: redelivered(logs) > again, "a redelivery", LIMIT_S)  # type: ignore[misc]
            seen.append(redelivered(logs) - again)

    with replayed(on, "killed", NEWS, workers=2, disturb=kill_again_and_again) as run:
        assert len(seen) == KILLS
        assert min(seen) > 0
        assert run.counts.articles == undisturbed.counts.articles
        assert run.counts.mentions_scored == undisturbed.counts.mentions_scored >= 50_000
        with run.engine.connect() as connection:
            assert mood_differences(connection) == []
        assert differences(outcome(undisturbed.engine), outcome(run.engine)) == {}
