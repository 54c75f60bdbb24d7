"""What MLflow is told of registered models, over HTTP, by a stand-in that keeps what it is told."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from models.mirror import mirror
from squall.registry import Version
from squall.settings import MlflowSettings


class Stand(ThreadingHTTPServer):
    """Keeps versions and aliases as MLflow's REST API takes them; two versions to a page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.made: set[tuple[str, str]] = set()
        self.versions: list[dict[str, Any]] = []
        self.aliases: dict[str, str] = {}
        self.runs: list[dict[str, Any]] = []
        self.logged: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.away = False

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.away:
            return 503, {}
        if path in ("registered-models/create", "experiments/create"):
            if (path, body["name"]) in self.made:
                return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
            self.made.add((path, body["name"]))
        if path == "experiments/get-by-name?experiment_name=squall-text":
            return 200, {"experiment": {"experiment_id": "7"}}
        if path == "runs/create":
            self.runs.append(body)
            return 200, {"run": {"info": {"run_id": f"run-{len(self.runs)}"}}}
        if path == "runs/log-batch":
            self.logged.append(body)
        if path == "runs/update":
            self.ended.append(body["run_id"])
        if path == "model-versions/create":
            self.versions.append({**body, "version": str(len(self.versions) + 1)})
            return 200, {"model_version": self.versions[-1]}
        if path == "registered-models/alias":
            if method == "DELETE":
                del self.aliases[body["alias"]]
            else:
                self.aliases[body["alias"]] = body["version"]
        if path == "registered-models/get?name=squall-text":
            return 200, {"registered_model": {"aliases": [{"alias": name, "version": "1"} for name in self.aliases]}}
        if path.startswith("model-versions/search"):
            first = int(path.rpartition("page_token=")[2]) if "page_token" in path else 0
            token = {"next_page_token": str(first + 2)} if len(self.versions) > first + 2 else {}
            return 200, {"model_versions": self.versions[first : first + 2], **token}
        return 200, {}


class Answers(BaseHTTPRequestHandler):
    server: Stand

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        self._reply({})

    def _reply(self, body: dict[str, Any]) -> None:
        status, said = self.server.answer(self.command, self.path.removeprefix("/api/2.0/mlflow/"), body)
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def stand() -> Iterator[Stand]:
    with Stand() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


MANIFEST = {
    "recipe": {"epochs": 2, "seed": 11, "base": ""},
    "data": {"version": "f00d", "rows": 900, "dropped": {"sentfin": 3}},
    "held_out": [{"epoch": 1, "sentfin": 0.7}, {"epoch": 2, "sentfin": 0.8}],
}


def version(number: int, *aliases: str) -> Version:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Version(number, f"text-{number}", f"file:///models/{number}", "0f", MANIFEST, {"fair": 0.5}, at, "ana", None, aliases)


def test_each_version_is_told_once_and_aliases_follow(stand: Stand) -> None:
    settings = MlflowSettings(tracking_uri=f"http://127.0.0.1:{stand.server_port}/")
    three = [version(3), version(2, "challenger"), version(1, "champion")]
    assert mirror(settings, three)
    assert stand.aliases == {"champion": "1", "challenger": "2"}
    assert mirror(settings, [version(4, "champion"), *three[:2], version(1)])
    assert stand.aliases == {"champion": "4", "challenger": "2"}
    assert [one["source"] for one in stand.versions] == [f"squall:/text-{number}" for number in (1, 2, 3, 4)]
    assert {"key": "fair", "value": "0.5"} in stand.versions[0]["tags"]
    assert mirror(settings, [version(4, "champion"), version(3), version(2), version(1)])
    assert stand.aliases == {"champion": "4"}, "a challenger that is none any more is none there, either"


def test_each_version_is_a_run_with_its_settings_and_curves(stand: Stand) -> None:
    settings = MlflowSettings(tracking_uri=f"http://127.0.0.1:{stand.server_port}")
    for known in ([version(1)], [version(2), version(1)]):
        assert mirror(settings, known)
    assert [(run["experiment_id"], run["run_name"]) for run in stand.runs] == [("7", "text-1"), ("7", "text-2")]
    assert [one["run_id"] for one in stand.versions] == stand.ended == ["run-1", "run-2"]
    told = stand.logged[0]
    settings_told = {one["key"]: one["value"] for one in told["params"]}
    assert settings_told == {"epochs": "2", "seed": "11", "data_version": "f00d", "data_rows": "900"}
    curves = {(one["key"], one["step"]): one["value"] for one in told["metrics"]}
    assert curves == {("sentfin", 1): 0.7, ("sentfin", 2): 0.8, ("fair", 2): 0.5}


def test_an_mlflow_that_is_away_stops_nobody(stand: Stand) -> None:
    address = f"http://127.0.0.1:{stand.server_port}"
    stand.away = True
    assert not mirror(MlflowSettings(tracking_uri=address), [version(1)])
    assert not mirror(MlflowSettings(tracking_uri="http://127.0.0.1:1"), [version(1)])
    assert not mirror(MlflowSettings(), [version(1)])
