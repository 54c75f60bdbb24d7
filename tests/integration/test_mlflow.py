"""A real MLflow, installed and started as its container does it, takes what the mirror tells it."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.artifact import SHIPPED, load_artifact
from models.mirror import NAME, mirror
from squall.embedded.broker import free_ports
from squall.registry import Version
from squall.settings import MlflowSettings
from tests.compose import compose
from tests.integration.test_image import QUICK, build
from tests.waiting import wait_until

LIMIT_S = 300


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "src").mkdir()
    build("install-mlflow", tmp_path / "src", {"TOOLS": str(tmp_path / "tools"), "VENV": str(tmp_path / "mlflow"), **QUICK})
    secret = tmp_path / "mlflow_database_url"
    secret.write_text(f"sqlite:///{tmp_path}/mlflow.db")
    port = free_ports(1)[0]
    service = compose()["services"]["mlflow"]
    line = service["command"][2].replace("/run/secrets/mlflow_database_url", str(secret)).replace("0.0.0.0", "127.0.0.1")
    line = line.replace("/var/lib/mlflow", f"{tmp_path}/kept").replace("5000", str(port))
    environment = {"PATH": f"{tmp_path}/mlflow/bin:/usr/bin:/bin", **service["environment"], "HOME": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(["sh", "-c", line], env=environment, stdout=log, stderr=log)
    try:
        at = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is None and healthy(at), (tmp_path / "log").read_text, LIMIT_S, 1)
        yield at
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(tmp_path / "mlflow")


def healthy(at: str) -> bool:
    try:
        return httpx.get(f"{at}/health", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def version(number: int, manifest: dict[str, Any], *aliases: str) -> Version:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Version(number, f"text-{number}", f"file:///models/{number}", "0f", manifest, {"fair": 0.5}, at, "ana", None, aliases)


@pytest.mark.timeout(2 * LIMIT_S)
def test_a_real_mlflow_shows_versions_aliases_and_how_each_was_trained(address: str) -> None:
    settings = MlflowSettings(tracking_uri=address, timeout_s=30)
    shipped = load_artifact(SHIPPED).manifest
    assert mirror(settings, [version(2, {}, "challenger"), version(1, shipped, "champion")])
    assert mirror(settings, [version(2, {}, "champion"), version(1, shipped)])
    with httpx.Client(base_url=f"{address}/api/2.0/mlflow", timeout=30) as client:
        model = client.get("/registered-models/get", params={"name": NAME}).json()["registered_model"]
        assert [(one["alias"], one["version"]) for one in model["aliases"]] == [("champion", "2")]
        found = client.get("/model-versions/get", params={"name": NAME, "version": "1"}).json()["model_version"]
        assert {"key": "squall_version", "value": "text-1"} in found["tags"]
        run = client.get("/runs/get", params={"run_id": found["run_id"]}).json()["run"]
    assert (run["info"]["run_name"], run["info"]["status"]) == ("text-1", "FINISHED")
    told = {one["key"]: one["value"] for one in run["data"]["params"]}
    assert told["data_rows"] == str(shipped["data"]["rows"])
    assert told["learning_rate"] == str(shipped["recipe"]["learning_rate"])
    assert {"fair", "tfns_sentiment"} <= {one["key"] for one in run["data"]["metrics"]}
