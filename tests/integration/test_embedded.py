"""Broker, database and supervisor: started, found, shared, killed, and never left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from squall.embedded import ServiceError, addresses, running
from squall.embedded.inspect import snapshot
from squall.embedded.services import find
from squall.embedded.state import Home, started_at
from squall.embedded.supervisor import Program, StartError, Supervisor
from squall.settings import Settings
from squall.topics import MAX_MESSAGE_BYTES, NEWS, check_topics, create_topics, kafka_options
from tests.harness import BROKERS, KAFKA_HOME
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(1200)

STARTED_S = 200


def gone(pid: int) -> bool:
    return started_at(pid) is None


def settings_for(home: Path, broker: str = "tansu") -> Settings:
    kafka_home = Path(KAFKA_HOME) if broker == "kafka" and KAFKA_HOME else None
    return Settings(home=home, namespace="embedded").model_copy(update={"kafka_home": kafka_home})


# --- one program under supervision ---


def program(home: Path, code: str, **fields: Any) -> Program:
    values: dict[str, Any] = {"name": "part", "log": home / "part.log", "stage": 1}
    sign = home / "ready"
    values |= {"before": lambda: sign.unlink(missing_ok=True), "ready": lambda _pid: sign.exists(), **fields}
    return Program(command=(sys.executable, "-c", code), **values)


READY = "import pathlib, time; pathlib.Path(r'{home}/ready').touch(); print('here', flush=True); time.sleep(600)"


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    one = Supervisor()
    yield one
    one.stop()


def test_what_dies_is_started_again(home: Path, supervisor: Supervisor) -> None:
    child = supervisor.start(program(home, READY.format(home=home)))
    child.wait_ready(120)
    first = child.pid
    assert first
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: child.pid not in (None, first) and child.state == "running", "another start", STARTED_S)
    assert child.restarts == 1
    assert gone(first)
    log = (home / "part.log").read_text()
    assert log.count("here") == 2
    assert "killed by SIGKILL" in log


def test_what_is_unwell_is_started_again(home: Path, supervisor: Supervisor) -> None:
    ill: list[int] = []
    child = supervisor.start(program(home, READY.format(home=home), unhealthy=lambda pid: "no progress" if pid in ill else ""))
    child.wait_ready(120)
    assert child.pid
    ill.append(child.pid)
    wait_until(lambda: child.pid not in (None, *ill) and child.state == "running", "another start", STARTED_S)
    assert "no progress" in (home / "part.log").read_text()
    assert gone(ill[0])


def test_what_never_starts_is_named_with_its_log(home: Path, supervisor: Supervisor) -> None:
    child = supervisor.start(program(home, "raise SystemExit(7)"))
    with pytest.raises(StartError, match=r"part does not start \(exited with 7\): see .*part\.log"):
        child.wait_ready(60)


def test_a_program_that_cannot_run_is_no_end_of_supervision(home: Path, supervisor: Supervisor) -> None:
    child = supervisor.start(
        Program(name="part", command=("/no/such/program",), log=home / "part.log", ready=lambda _pid: True, stage=1)
    )
    with pytest.raises(StartError, match="no/such/program"):
        child.wait_ready(60)


def test_children_of_children_go_too_and_the_stubborn_are_killed(home: Path, supervisor: Supervisor) -> None:
    code = (
        "import pathlib, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path(r'{home}/inner').write_text(str(inner.pid))\n"
        f"pathlib.Path(r'{home}/ready').touch()\n"
        "time.sleep(600)\n"
    )
    child = supervisor.start(program(home, code, stop_wait_s=0.5))
    child.wait_ready(120)
    outer, inner = child.pid, int((home / "inner").read_text())
    assert outer
    supervisor.stop()
    assert gone(outer)
    wait_until(lambda: gone(inner), "the end of the grandchild", 5)
    assert child.state == "stopped"


SUPERVISING = """
import sys, time
from pathlib import Path
from squall.embedded.supervisor import Program, Supervisor
home = Path(sys.argv[1])
supervisor = Supervisor()
for number in range(3):
    child = supervisor.start(Program(name=f"part-{number}", command=(sys.executable, "-c", "import time; time.sleep(600)"),
                                     log=home / "part.log", ready=lambda pid: True, stage=number))
    child.wait_ready(120)
    print(child.pid, flush=True)
print("all", flush=True)
time.sleep(600)
"""


def test_a_killed_supervisor_leaves_nothing(home: Path) -> None:
    process = subprocess.Popen((sys.executable, "-c", SUPERVISING, str(home)), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    pids = [int(line) for line in iter(process.stdout.readline, "all\n")]
    everything = [*pids, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    assert len(pids) == 3
    assert len(set(everything)) == 4, "three parts and the process that watches over them"
    process.kill()
    process.wait()
    wait_until(lambda: all(map(gone, everything)), "the end of everything", 30)


# --- broker and database ---


def test_nothing_runs_and_the_message_says_what_to_do(home: Path) -> None:
    with pytest.raises(ServiceError, match=r"`squall up` starts broker and database"):
        addresses(settings_for(home))


def test_settings_win_over_what_is_embedded(home: Path) -> None:
    settings = Settings(
        home=home,
        kafka={"bootstrap_servers": "kafka.example:9092"},
        database={"url": "postgresql://squall:secret@db.example/squall"},
    )
    with running(settings) as services:
        assert services == addresses(settings)
        assert (services.bootstrap, services.broker_kind) == ("kafka.example:9092", "external")
        assert services.database_url == "postgresql://squall:secret@db.example/squall"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("broker", BROKERS)
def test_messages_of_8_mib_pass(home: Path, broker: str) -> None:
    from kafka import KafkaConsumer, KafkaProducer

    settings = settings_for(home, broker)
    sizes = [5_000_000, MAX_MESSAGE_BYTES - 4096]
    with running(settings, database=False) as services:
        assert services.broker_kind.startswith(broker)
        assert services.database_url == ""
        create_topics(settings, services.bootstrap)
        check_topics(settings, services.bootstrap)
        options = kafka_options(settings, services.bootstrap)
        producer = KafkaProducer(**options, acks="all", compression_type="lz4", max_request_size=MAX_MESSAGE_BYTES)
        topic = NEWS.on_broker(settings)
        for size in sizes:
            producer.send(topic, os.urandom(size), partition=0).get(timeout=30)
        producer.close()
        consumer = KafkaConsumer(topic, **options, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
        assert sorted(len(next(consumer).value) for _ in sizes) == sizes
        consumer.close()


def test_inner_use_shares_the_services_and_all_are_gone_at_the_end(home: Path) -> None:
    settings = settings_for(home)
    with running(settings) as services:
        pids = [service.pid for name in ("broker", "database") if (service := find(Home(settings), name))]
        with running(settings) as inner:
            assert inner == services == addresses(settings)
        assert addresses(settings) == services
    assert len(pids) == 2
    assert all(map(gone, pids))
    with pytest.raises(ServiceError):
        addresses(settings)


INSERT = """
import sys
from pathlib import Path
import psycopg
from squall.embedded import running
from squall.settings import Settings
with running(Settings(home=Path(sys.argv[1])), broker=False) as services, psycopg.connect(services.database_url) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS seen (who int)")
    connection.execute("INSERT INTO seen VALUES (%s)", [int(sys.argv[2])])
"""


def test_commands_at_the_same_time_share_one_database_or_take_turns(home: Path) -> None:
    with running(settings_for(home), broker=False) as services, psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE seen (who int)")
    commands = [subprocess.Popen((sys.executable, "-c", INSERT, str(home), str(number))) for number in range(5)]
    assert [command.wait(300) for command in commands] == [0] * 5
    with running(settings_for(home), broker=False) as services, psycopg.connect(services.database_url) as connection:
        assert connection.execute("SELECT array_agg(who ORDER BY who) FROM seen").fetchone() == ([0, 1, 2, 3, 4],)


@pytest.mark.parametrize("broker", BROKERS)
def test_a_killed_broker_comes_back_at_its_address(home: Path, broker: str) -> None:
    settings = settings_for(home, broker)
    with running(settings, database=False) as services:
        before = find(Home(settings), "broker")
        assert before
        os.kill(before.pid, signal.SIGKILL)
        after = wait_until(
            lambda: (now := find(Home(settings), "broker")) and now.pid != before.pid and now, "another broker", STARTED_S
        )
        assert after
        assert after.address == before.address == services.bootstrap
        create_topics(settings, services.bootstrap)
        check_topics(settings, services.bootstrap)


def test_a_killed_database_comes_back_with_its_rows(home: Path) -> None:
    settings = settings_for(home)
    with running(settings, broker=False) as services:
        with psycopg.connect(services.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        before = find(Home(settings), "database")
        assert before
        os.kill(before.pid, signal.SIGKILL)
        wait_until(lambda: (now := find(Home(settings), "database")) and now.pid != before.pid, "another database", STARTED_S)
        with psycopg.connect(services.database_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


HOLDING = """
import sys, time
from pathlib import Path
from squall.embedded import running
from squall.settings import Settings
from tests.waiting import wait_until
with running(Settings(home=Path(sys.argv[1]))) as services:
    print(services.bootstrap, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("reaper_too", [False, True])
def test_after_a_killed_owner_the_next_one_starts_afresh(home: Path, reaper_too: bool) -> None:
    process = subprocess.Popen((sys.executable, "-c", HOLDING, str(home)), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    settings = settings_for(home)
    stale = [service.pid for name in ("broker", "database") if (service := find(Home(settings), name))]
    assert len(stale) == 2
    if reaper_too:
        for child in psutil.Process(process.pid).children():
            if any("reaper" in part for part in child.cmdline()):
                child.kill()
    process.kill()
    process.wait()
    with running(settings) as services:
        assert addresses(settings) == services
        assert all(map(gone, stale))


def test_a_long_home_has_its_socket_elsewhere(home: Path) -> None:
    deep = home / ("deep" * 15) / ("deeper" * 10)
    deep.mkdir(parents=True)
    with running(settings_for(deep), broker=False) as services, psycopg.connect(services.database_url) as connection:
        assert str(deep) not in services.database_url
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_only_the_server_and_its_owner_reach_the_socket(home: Path) -> None:
    with running(settings_for(home), broker=False):
        folder = home / "run" / "database"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (home / "postgres").stat().st_mode & 0o777 == 0o700


def test_services_listen_on_loopback_only(home: Path) -> None:
    settings = settings_for(home)
    with running(settings):
        for name in ("broker", "database"):
            service = find(Home(settings), name)
            assert service
            heard = [one for one in psutil.Process(service.pid).net_connections("inet") if one.status == psutil.CONN_LISTEN]
            assert {one.laddr.ip for one in heard} == ({"127.0.0.1"} if name == "broker" else set())


def test_a_folder_that_is_no_kafka_is_named(home: Path) -> None:
    settings = settings_for(home).model_copy(update={"kafka_home": home / "nothing"})
    with pytest.raises(ServiceError, match=r"has no bin/kafka-server-start\.sh"), running(settings, database=False):
        pytest.fail("it started")
    assert not Home(settings).lock("broker").held()


# --- squall up, status, down ---


def squall(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "squall", *arguments),
        env=up_environment(home),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def up_environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_") and name != "KAFKA_HOME"}
    return {**kept, "SQUALL_HOME": str(home), "SQUALL_DASHBOARD__PORT": "0", **more}


def look(home: Path) -> dict[str, Any]:
    """What `squall status` says, without the start of a command."""
    return snapshot(Settings(home=home)) or {"healthy": False, "processes": []}


def worker_progress(about: dict[str, Any]) -> int:
    """Messages that the first worker has processed since its start; -1 where it does not say."""
    said = [one["health"] for one in about["processes"] if one["name"] == "worker-1" and one.get("health")]
    return int(said[0]["processed"]) if said else -1


@pytest.fixture
def up(home: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]]:
    """Start `squall up` and wait until all is well; whatever it runs is stopped at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **more: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        command = (sys.executable, "-m", "squall", "up", *arguments)
        process = subprocess.Popen(
            command,
            env=up_environment(home, **more),
            start_new_session=True,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 -- under nohup it would be ignored
        )
        started.append(process)
        return process, wait_until(lambda: (now := look(home))["healthy"] and now, "health", 400)

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(200)


def all_pids(about: dict[str, Any]) -> set[int]:
    """Everything that the supervisor runs, to the last descendant, itself included."""
    root = psutil.Process(about["pid"])
    return {root.pid, *(child.pid for child in root.children(recursive=True))}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda one: one.name)
def test_up_leaves_nothing_however_it_ends(
    home: Path, up: Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]], number: signal.Signals
) -> None:
    process, about = up("--workers", "2")
    names = {one["name"] for one in about["processes"]}
    assert names == {"database", "broker", "dashboard", "maintain", "worker-1", "worker-2"}
    pids = all_pids(about)
    assert {one["pid"] for one in about["processes"]} < pids
    process.send_signal(number)
    assert process.wait(200) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    wait_until(lambda: all(map(gone, pids)), "the end of all processes", 30)
    assert json.loads(squall(home, "status", "--json").stdout) == {"running": False, "healthy": False, "home": str(home)}


def test_up_restarts_what_dies_and_down_stops_it_all(
    home: Path, up: Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]
) -> None:
    process, before = up("--no-dashboard")
    for name in ("worker-1", "broker", "database"):
        old = next(one for one in look(home)["processes"] if one["name"] == name)
        os.kill(old["pid"], signal.SIGKILL)

        def new(name: str = name, old: dict[str, Any] = old) -> bool:
            now = look(home)
            return now["healthy"] and any(one["name"] == name and one["restarts"] > old["restarts"] for one in now["processes"])

        wait_until(new, "another process", 300)
    after = json.loads(squall(home, "status", "--json").stdout)
    assert (after["broker"], after["database_url"]) == (before["broker"], before["database_url"])
    assert all(isinstance(count, int) for count in after["lag"].values()), "the broker tells the lag of every topic"
    assert {name: words.split(",")[0] for name, words in after["alarm_lines"].items()} == dict.fromkeys(
        ("companies", "wider"), "not calibrated"
    )
    wait_until(lambda: json.loads(squall(home, "status", "--json").stdout)["maintenance"][:9] == "calibrate", "the lease", 60)
    assert "runs the scheduled tasks" in (home / "logs" / "maintain.log").read_text()
    assert squall(home, "maintain", "--list").returncode == 0
    done = worker_progress(look(home))
    wait_until(lambda: worker_progress(look(home)) > done, "progress", STARTED_S)  # the clock's records are taken again
    assert squall(home, "topics", "check").returncode == 0
    assert squall(home, "db", "check").returncode == 0
    shown = squall(home, "status")
    assert shown.returncode == 0
    assert "all is well" in shown.stdout
    second = squall(home, "up")
    assert second.returncode == 1
    assert "`squall down` stops it" in second.stderr
    pids = all_pids(after)
    down = squall(home, "down")
    assert (down.returncode, "stopped" in down.stdout) == (0, True)
    assert all(map(gone, pids))
    assert process.wait(10) == 0
    assert "nothing runs" in squall(home, "down").stdout
    assert squall(home, "status").returncode == 1


def test_down_stops_what_a_killed_up_left(home: Path, up: Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]) -> None:
    process, about = up("--no-dashboard")
    pids = all_pids(about)
    watching = [one.pid for one in psutil.Process(about["pid"]).children() if any("reaper" in part for part in one.cmdline())]
    assert len(watching) == 1
    os.kill(watching[0], signal.SIGKILL)
    process.kill()
    process.wait()
    assert not all(map(gone, pids))
    down = squall(home, "down")
    assert down.returncode == 0
    assert "left behind" in down.stdout
    wait_until(lambda: all(map(gone, pids)), "the end of all processes", 10)


def test_a_worker_that_stands_still_is_started_again(
    home: Path, up: Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]
) -> None:
    _, about = up("--no-dashboard", SQUALL_STREAM__STALL_S="10")
    old = next(one for one in about["processes"] if one["name"] == "worker-1")
    os.kill(old["pid"], signal.SIGSTOP)
    wait_until(
        lambda: (now := look(home))["healthy"] and old["pid"] not in [one["pid"] for one in now["processes"]], "health", 300
    )
    assert "silent" in Path(old["log"]).read_text()
