"""A worker that no supervisor watches: what its container's health check says, and how it ends itself."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from squall.cli import app
from squall.settings import Settings, get_settings
from streams.health import Health


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("SQUALL_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def check() -> tuple[int, str]:
    get_settings.cache_clear()
    result = CliRunner().invoke(app, ["health"])
    return result.exit_code, result.output


def test_the_check_follows_what_the_worker_says(settings: Settings) -> None:
    status, line = check()
    assert status == 1
    assert line.startswith("no worker in ")
    health = Health.of_process(settings)
    health.start()
    try:
        assert check()[0] == 1
        health.whole("running")
        health.state("scoring", "waiting for database")
        health.done("scoring", 7, 0)
        health.write()
        status, line = check()
        assert status == 0
        assert line.endswith(": waiting for database, 7 processed, lag 0\n")
        health.about = lambda: {"fused model": "no impact: switched off"}
        health.write()
        assert check()[1].endswith("lag 0\n  fused model: no impact: switched off\n")
        health.whole("failed")
        health.write()
        assert check()[0] == 1
    finally:
        health.stop()
    assert check()[0] == 1


def test_a_worker_with_lag_and_without_progress_ends_itself(settings: Settings) -> None:
    health = Health.of_process(settings)
    left = threading.Event()
    statuses: list[int] = []

    def leave(status: int) -> None:
        statuses.append(status)
        left.set()

    health.start()
    try:
        health.whole("running")
        health.exit_when_stalled(1.5, leave)
        assert not left.is_set()
        health.lag(5)
        assert left.wait(60)
    finally:
        health.stop()
    assert set(statuses) == {1}
