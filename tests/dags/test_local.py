"""`make airflow`: its web page answers on this machine alone, and whoever stops it ends all of it."""

import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from squall.embedded.broker import free_ports
from tests.compose import ROOT
from tests.dags.scene import AIRFLOW, LIMIT_S, MISSING
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not (AIRFLOW / "airflow").exists(), reason=MISSING)


def answer(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as found:
            return json.loads(found.read())
    except (urllib.error.URLError, OSError, ValueError):
        return None


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    """Where a process and all that it has started can be reached."""
    found = set()
    for one in [process, *process.children(recursive=True)]:
        try:
            found |= {
                (each.laddr.ip, each.laddr.port) for each in one.net_connections("inet") if each.status == psutil.CONN_LISTEN
            }
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.timeout(3 * LIMIT_S)
def test_it_runs_on_loopback_until_it_is_stopped() -> None:
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory(prefix="squall-") as folder:
        variables = {"AIRFLOW_HOME": f"{folder}/airflow", "AIRFLOW_PORT": str(port), "RUN_SQUALL": "true", "HOME": folder}
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [ROOT / "deploy/airflow.sh"],
                env={**os.environ, **variables},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            parts = ("metadatabase", "scheduler", "dag_processor")

            def well() -> bool:
                health = answer(f"http://127.0.0.1:{port}/api/v2/monitor/health")
                return bool(health) and all(health[part]["status"] == "healthy" for part in parts)

            wait_until(well, log.read_text, LIMIT_S, 1)
            started = psutil.Process(process.pid).children(recursive=True)
            found = listening(psutil.Process(process.pid))
            assert ("127.0.0.1", port) in found
            assert {address for address, _ in found} == {"127.0.0.1"}
            assert Path(folder, "airflow", "passwords.json").stat().st_mode & 0o077 == 0
            process.terminate()
            assert process.wait(60) == 0
            assert psutil.wait_procs(started, timeout=30)[1] == []
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
        assert log.read_text().splitlines()[-1] == "stopped Airflow"
