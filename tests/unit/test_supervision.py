from pathlib import Path

import pytest

from squall.embedded import ServiceError, health
from squall.embedded.broker import HOST, cluster_id, free_ports, is_free, kafka_config
from squall.embedded.environment import environment
from squall.embedded.health import Health, StallWatch
from squall.embedded.postgres import database_url
from squall.embedded.stack import masked
from squall.embedded.state import Home, Lock, is_alive, read_json, started_at, write_json
from squall.embedded.supervisor import FIRST_DELAY_S, LOG_BYTES, LONGEST_DELAY_S, backoff, rotate
from squall.settings import Settings


def said(at: float, *, state: str = "running", lag: int = 5, progress: float = 1.0) -> Health:
    return Health(pid=1, at=at, state=state, lag=lag, processed=int(progress), progress_at=progress, redelivered=0)


def test_delays_double_up_to_a_limit() -> None:
    delays = [backoff(failures) for failures in range(1, 12)]
    assert delays[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_S


def test_a_worker_with_lag_and_no_progress_is_stalled() -> None:
    watch = StallWatch(120)
    assert [watch.observe(said(now), now) for now in range(1, 122)] == [""] * 121
    assert "no progress for 121 s with a lag of 5" in watch.observe(said(122), 122)


def test_a_worker_that_was_idle_for_long_has_the_whole_limit_for_its_first_message() -> None:
    watch = StallWatch(120)
    for now in range(1, 5000):
        assert watch.observe(said(now, lag=0), now) == ""
    assert watch.observe(said(5000), 5000) == ""
    assert watch.observe(said(5119), 5119) == ""
    assert watch.observe(said(5121), 5121) != ""


@pytest.mark.parametrize("state", ["waiting for database", "starting"])
def test_a_worker_that_waits_for_a_service_is_not_stalled(state: str) -> None:
    watch = StallWatch(120)
    assert not any(watch.observe(said(now, state=state), now) for now in range(1, 1000))


def test_progress_starts_the_limit_anew() -> None:
    watch = StallWatch(120)
    assert not any(watch.observe(said(now, progress=now // 100), now) for now in range(1, 2000))


def test_a_worker_that_falls_silent_is_stalled() -> None:
    watch = StallWatch(120)
    assert watch.observe(None, 0.5) == ""
    assert watch.observe(said(1, lag=0), 1) == ""
    assert watch.observe(said(1, lag=0), 121) == ""
    assert "silent" in watch.observe(said(1, lag=0), 122)


def test_health_that_is_not_complete_counts_as_none() -> None:
    whole = {"pid": 7, "at": 1.5, "state": "running", "lag": 2, "processed": 9, "progress_at": 1.0, "redelivered": 1}
    assert health.parse(whole) == Health(7, 1.5, "running", 2, 9, 1.0, 1)
    assert health.parse({**whole, "lag": None, "progress_at": None}) == Health(7, 1.5, "running", 0, 9, 0.0, 1)
    assert health.parse({"pid": 7}) is None
    assert health.parse(None) is None


def test_health_of_dead_workers_is_forgotten(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, namespace="one")
    own = started_at(1)
    assert own is not None
    for pid in (1, 2**22 + 1):
        write_json(health.folder(settings) / f"worker-{pid}.json", {})
    health.forget_dead(settings)
    assert [file.name for file in health.folder(settings).iterdir()] == ["worker-1.json"]


def test_a_child_gets_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        home=tmp_path,
        namespace="week",
        workers=3,
        kafka={"partitions": 6, "sasl_password": "geheim"},
        http={"feeds": ("https://a.example/rss", "https://b.example/rss"), "allow_private": True},
        stream={"stall_s": 30},
    )
    for name, value in environment(settings, "127.0.0.1:9", "postgresql://u:p@h/d").items():
        monkeypatch.setenv(name, value)
    child = Settings()
    assert child.kafka.bootstrap_servers == "127.0.0.1:9"
    assert child.database.url is not None
    assert child.database.url.get_secret_value() == "postgresql://u:p@h/d"
    here = settings.model_dump(exclude={"kafka": {"bootstrap_servers"}, "database": {"url"}})
    there = child.model_dump(exclude={"kafka": {"bootstrap_servers"}, "database": {"url"}})
    assert there == here


def test_passwords_are_masked_and_the_embedded_url_stays_usable(tmp_path: Path) -> None:
    assert masked("postgresql://squall:geheim@db.example/news") == "postgresql://squall:***@db.example/news"
    url = database_url(tmp_path / "a b")
    assert masked(url) == url
    assert "a%20b" in url


def test_kafka_listens_on_loopback_only(tmp_path: Path) -> None:
    lines = dict(line.split("=", 1) for line in kafka_config(tmp_path, 19092, 19093).splitlines())
    assert lines["listeners"] == f"PLAINTEXT://{HOST}:19092,CONTROLLER://{HOST}:19093"
    assert lines["auto.create.topics.enable"] == "false"
    assert lines["log.dirs"] == str(tmp_path / "data")


def test_no_cluster_id_reads_as_an_option_of_the_command_that_takes_it() -> None:
    drawn = [cluster_id() for _ in range(2000)]
    assert len(set(drawn)) == 2000
    assert not [each for each in drawn if each.startswith("-")]
    assert {len(each) for each in drawn} == {22}


def test_free_ports_are_free_and_taken_ones_are_not() -> None:
    import socket

    first, second = free_ports(2)
    assert first != second
    assert is_free(first)
    with socket.create_server((HOST, 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_lock_is_held_by_one_or_shared_by_many(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, other = Lock(path), Lock(path)
    assert not one.held()
    assert one.take(wait=False)
    assert not other.take(wait=False)
    assert not other.take(shared=True, wait=False)
    assert other.held()
    one.release()
    with one.shared(), other.shared():
        assert not Lock(path).take(wait=False)
    assert Lock(path).take(wait=False)


def test_another_process_under_the_same_id_is_not_ours() -> None:
    started = started_at(1)
    assert started is not None
    assert is_alive(1, started)
    assert not is_alive(1, started - 3600)


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert [file.name for file in path.parent.iterdir()] == ["state.json"]
    path.write_text("{half")
    assert read_json(path) is None
    assert read_json(tmp_path / "none.json") is None


def test_a_long_log_is_moved_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("ab") as writer:
        writer.write(b"x" * (LOG_BYTES + 1))
        writer.flush()
        rotate(log)
        writer.write(b"after")
    assert (tmp_path / "worker.log.1").stat().st_size == LOG_BYTES + 1
    assert log.read_bytes() == b"after"
    rotate(tmp_path / "none.log")


def test_home_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(Settings(home=Path("state"))).make()
    assert home.run == tmp_path / "state" / "run"
    assert home.run.is_dir()
    assert home.logs.is_dir()


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ServiceError, match=r"SQUALL_HOME=.*file/state cannot be used"):
        Home(Settings(home=tmp_path / "file" / "state")).make()
