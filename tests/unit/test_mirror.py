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
        self.models: set[str] = set()
        self.versions: list[dict[str, Any]] = []
        self.aliases: dict[str, str] = {}
        self.away = False

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.away:
            return 503, {}
        if path == "registered-models/create":
            if body["name"] in self.models:
                return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
            self.models.add(body["name"])
        if path == "model-versions/create":
            self.versions.append({**body, "version": str(len(self.versions) + 1)})
            return 200, {"model_version": self.versions[-1]}
        if path == "registered-models/alias":
            self.aliases[body["alias"]] = body["version"]
        if path.startswith("model-versions/search"):
            first = int(path.rpartition("page_token=")[2]) if "page_token" in path else 0
            token = {"next_page_token": str(first + 2)} if len(self.versions) > first + 2 else {}
            return 200, {"model_versions": self.versions[first : first + 2], **token}
        return 200, {}


class Answers(BaseHTTPRequestHandler):
    server: Stand

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        self._reply({})

    def _reply(self, body: dict[str, Any]) -> None:
        status, said = self.server.answer(self.path.removeprefix("/api/2.0/mlflow/"), body)
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


def version(number: int, *aliases: str) -> Version:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Version(number, f"text-{number}", f"file:///models/{number}", "0f", {}, {"fair": 0.5}, at, "ana", None, aliases)


def test_each_version_is_told_once_and_aliases_follow(stand: Stand) -> None:
    settings = MlflowSettings(tracking_uri=f"http://127.0.0.1:{stand.server_port}/")
    three = [version(3), version(2, "challenger"), version(1, "champion")]
    assert mirror(settings, three)
    assert stand.aliases == {"champion": "1", "challenger": "2"}
    assert mirror(settings, [version(4, "champion"), *three[:2], version(1)])
    assert stand.aliases == {"champion": "4", "challenger": "2"}
    assert [one["source"] for one in stand.versions] == [f"squall:/text-{number}" for number in (1, 2, 3, 4)]
    assert {"key": "fair", "value": "0.5"} in stand.versions[0]["tags"]


def test_an_mlflow_that_is_away_stops_nobody(stand: Stand) -> None:
    address = f"http://127.0.0.1:{stand.server_port}"
    stand.away = True
    assert not mirror(MlflowSettings(tracking_uri=address), [version(1)])
    assert not mirror(MlflowSettings(tracking_uri="http://127.0.0.1:1"), [version(1)])
    assert not mirror(MlflowSettings(), [version(1)])
