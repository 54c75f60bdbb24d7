"""The demo as a newcomer runs it, its control, and that it leaves nothing behind whenever it is stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from squall.embedded.state import read_json, started_at
from tests.waiting import wait_until

LIMIT_S = 1200


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
    return {**kept, "SQUALL_HOME": str(home)}


def play(home: Path, *arguments: str) -> dict[str, Any]:
    """Run the demo to its end; it is on real Kafka where KAFKA_HOME is set."""
    command = (sys.executable, "-m", "squall", "demo", "--exit-after-alert", "--json", "--port", "0", *arguments)
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(LIMIT_S)
def test_the_demo_catches_the_falls_and_runs_again(home: Path) -> None:
    first = play(home)
    assert first["news_sent"] >= 400
    assert first["mentions_scored"] == first["mentions"] > 0
    assert first["dead_letters"] >= 1
    assert first["caught"] >= 5
    assert len(first["others"]) <= 3
    assert (first["bars"] > 0, first["charts"] > 0) == (True, True)
    again = play(home, "--workers", "2")
    operational = {"seconds", "bootstrap", "dashboard"}
    assert {name: first[name] for name in first.keys() - operational} == {
        name: again[name] for name in again.keys() - operational
    }


@pytest.mark.timeout(LIMIT_S)
def test_with_the_companies_exchanged_no_named_fall_fires(home: Path) -> None:
    command = (sys.executable, "-m", "squall", "demo", "--exit-after-alert", "--json", "--port", "0", "--permute", "1")
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["caught"] == 0
    assert found["news_sent"] >= 400
    assert done.returncode == (0 if found["alerts"] else 1)


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_the_demo_ends_in_the_middle_and_leaves_nothing(home: Path, number: signal.Signals) -> None:
    command = (sys.executable, "-m", "squall", "demo", "--port", "0")
    process = subprocess.Popen(
        command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 -- what runs under nohup ignores SIGHUP
    )  # fmt: skip
    assert process.stdout
    lines: list[str] = []
    while not any(line.startswith("replaying") for line in lines):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    assert any(line.startswith("dashboard  http://127.0.0.1:") for line in lines)
    about = read_json(home / "demo" / "run" / "up.json")
    assert about
    pids = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    assert {one["pid"] for one in about["processes"]} <= pids
    process.send_signal(number)
    assert process.wait(120) == 128 + number
    wait_until(lambda: all(started_at(pid) is None for pid in pids), "the end of all that it started", 30)
