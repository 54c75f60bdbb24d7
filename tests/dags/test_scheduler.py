"""A retraining under a running scheduler, whose last task is killed while it writes: Airflow's retry finishes it."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.artifact import SHIPPED, load_artifact
from squall.embedded.broker import free_ports
from tests.compose import ROOT
from tests.dags.scene import AIRFLOW, MISSING, airflow, airflow_environment, corrections, query, squall_database
from tests.text_data import write_data
from tests.waiting import wait_until

RUN = "killed"
LABELS = 330
RUN_LIMIT_S = 900

pytestmark = pytest.mark.skipif(not (AIRFLOW / "airflow").exists(), reason=MISSING)


@contextmanager
def scheduler(environment: dict[str, str]) -> Iterator[None]:
    """The parts of a running Airflow, each in a process group of its own."""
    commands = {
        "api-server": ["--host", "127.0.0.1", "--port", environment["AIRFLOW_PORT"], "--workers", "1"],
        "scheduler": ["--skip-serve-logs"],
        "dag-processor": [],
    }
    parts = []
    try:
        for name, options in commands.items():
            with Path(environment["AIRFLOW_HOME"], f"{name}.log").open("wb") as log:
                command = [str(AIRFLOW / "airflow"), name, *options]
                parts.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        yield
    finally:
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for part in parts:
                try:
                    os.killpg(part.pid, sent)
                    part.wait(20)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue


def task_process(home: str, words: tuple[str, ...]) -> int | None:
    """The process of a `squall` command that a task of this home runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if (
                all(word.encode() in command for word in words)
                and f"SQUALL_HOME={home}\0".encode() in (folder / "environ").read_bytes()
            ):
                return int(folder.name)
        except OSError:
            continue
    return None


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.timeout(RUN_LIMIT_S + 300)
def test_a_promotion_that_is_killed_in_mid_write_is_finished_by_the_retry(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    (data / "tfns_topic" / "classes.txt").write_text("\n".join(load_artifact(SHIPPED).labels("topic")))
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copy(ROOT / "dags" / "squall_tasks.py", dags)
    schedule = 'schedule=CronDataIntervalTimetable("0 4 * * 6", timezone="UTC")'
    retrain = (ROOT / "dags" / "retrain.py").read_text()
    assert schedule in retrain
    # On its schedule a run of its own would begin at once.
    (dags / "retrain.py").write_text(retrain.replace(schedule, "schedule=None"))
    port = str(free_ports(1)[0])
    with tempfile.TemporaryDirectory(prefix="squall-") as folder:
        environment = airflow_environment(Path(folder)) | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW_PORT": port,
            "SQUALL_DATA_DIR": str(data),
        }
        with squall_database(environment) as addresses:
            corrections(environment, addresses, LABELS)
            ((before,),) = query(addresses, "SELECT version FROM model_alias WHERE alias = 'champion'")
            as_of = datetime.now(UTC) + timedelta(minutes=1)
            conf = {"as_of": f"{as_of:%Y-%m-%dT%H:%M:%S}Z", "epochs": 2, "learning_rate": 0.002}
            airflow(environment, "dags", "reserialize")
            airflow(environment, "dags", "trigger", "retrain", "--run-id", RUN, "--conf", json.dumps(conf))

            def scored() -> int:
                return int(query(addresses, "SELECT count(*) FROM rescore")[0][0])

            def tasks() -> str:
                return airflow(environment, "tasks", "states-for-dag-run", "retrain", RUN, "-o", "plain")

            def state() -> str:
                told = airflow(environment, "dags", "list-runs", "retrain", "-o", "json")
                return str(next(one for one in json.loads(told.splitlines()[-1]) if one["run_id"] == RUN)["state"])

            with scheduler(environment):
                promotes = ("models", "promote")
                wait_until(lambda: task_process(environment["SQUALL_HOME"], promotes) is not None, tasks, RUN_LIMIT_S)
                wait_until(lambda: scored() > 0, tasks, RUN_LIMIT_S, 0.05)
                process = task_process(environment["SQUALL_HOME"], promotes)
                assert process is not None
                for one in (process, parent_of(process)):
                    os.kill(one, signal.SIGKILL)
                assert 0 < scored() < LABELS, "it was killed while it wrote"
                assert query(addresses, "SELECT alias, version FROM model_alias WHERE alias = 'champion'") == [
                    ("champion", before)
                ]
                assert query(addresses, "SELECT kind FROM promotion ORDER BY id") == [("first",)]
                assert query(addresses, "SELECT version FROM model_epoch") == [(before,)]
                wait_until(lambda: len(query(addresses, "SELECT FROM promotion")) == 2, tasks, RUN_LIMIT_S, 1)
                wait_until(lambda: state() in ("success", "failed"), tasks, RUN_LIMIT_S, 1)
                assert state() == "success"

            assert scored() == LABELS
            ((kind, old, new),) = query(addresses, "SELECT kind, from_version, to_version FROM promotion WHERE kind <> 'first'")
            assert (kind, old) == ("promote", before)
            assert query(addresses, "SELECT alias, version FROM model_alias") == [("champion", new)]
            assert query(addresses, "SELECT version FROM model_epoch ORDER BY since") == [(before,), (new,)]
            assert query(addresses, "SELECT number, version FROM model_version ORDER BY number") == [(1, before), (2, new)]
