"""The compose file, the Dockerfile and .env.example, held against the code: no Docker engine is needed to see that they fit."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from dashboard.app import create_app
from pipelines.ingest.endpoint import Endpoint
from squall.cli import app
from squall.settings import HttpSettings, Settings, get_settings, known_variables
from tests.compose import ROOT, compose, lineage, stages, variables

FILE = compose()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if "SQUALL_HOME" in service["environment"]}
DATA = "./data:/var/lib/squall-data:ro"
"""What retraining learns from, beside labels; a person puts it there."""
ONE_SHOT = {"migrate", "airflow-migrate"}


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import os

    for name in list(os.environ):
        if name.startswith("SQUALL_") or name == "KAFKA_HOME":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    subprocess.run(["sh", ROOT / "deploy/secrets.sh", folder], check=True, capture_output=True)
    return folder


def single_commands(service: dict[str, Any]) -> list[list[str]]:
    command = service["command"]
    if command[0] != "sh":
        return [command]
    return [part.split() for part in re.split(r"&&|exec", command[2])]


def every_check() -> list[tuple[str, list[str]]]:
    return [(name, service["healthcheck"]["test"]) for name, service in SERVICES.items() if "healthcheck" in service]


COMMANDS = [
    (name, words)
    for name, service in OURS.items()
    for words in [*single_commands(service), service.get("healthcheck", {}).get("test", ["CMD"])[1:]]
    if words and words[0] == "squall"
]


@pytest.mark.parametrize(("service", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_every_squall_command_exists_with_its_options(service: str, words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"{service}: no command {' '.join(words)}"
        command, rest = found, rest[1:]
    command.make_context(command.name, list(rest))


def test_the_dashboard_is_started_by_its_module() -> None:
    assert SERVICES["dashboard"]["command"] == ["python", "-m", "dashboard"]
    assert importlib.util.find_spec("dashboard.__main__")


@pytest.mark.parametrize("service", OURS)
def test_its_settings_are_known_and_valid(service: str, monkeypatch: pytest.MonkeyPatch, secrets: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for name in SERVICES[service]["secrets"]:
        (mounted / name).write_text((secrets / name).read_text())
    for name, value in SERVICES[service]["environment"].items():
        monkeypatch.setenv(name, str(mounted) if name == "SQUALL_SECRETS_DIR" else str(value))
    settings = get_settings()
    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == (secrets / "SQUALL_DATABASE__URL").read_text()
    if service == "ingest-http":
        assert len(Endpoint.check_token(settings.http)) >= 32


def test_ports_and_health_paths_are_those_that_the_code_serves(tmp_path: Path) -> None:
    checks = {name: " ".join(test) for name, test in every_check()}
    settings = Settings(home=tmp_path)
    pages = create_app(settings, "postgresql://nobody@127.0.0.1:1/nothing").server
    token = HttpSettings(token="0123456789abcdef0123")
    endpoint = Endpoint(None, token).app()  # type: ignore[arg-type]
    routes = {
        "dashboard": {str(rule) for rule in pages.url_map.iter_rules()},
        "ingest-http": {route.resource.canonical for route in endpoint.router.routes() if route.resource},
    }
    ports = {"dashboard": "SQUALL_DASHBOARD__PORT", "ingest-http": "SQUALL_HTTP__PORT"}
    for name, paths in routes.items():
        found = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", checks[name])
        assert found, name
        port = str(SERVICES[name]["environment"][ports[name]])
        assert found[1] == port
        assert found[2] in paths
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    for name, port in {"mlflow": "5000", "airflow-api": "8080"}.items():
        assert f"--port {port}" in " ".join(SERVICES[name]["command"])
        assert f"127.0.0.1:{port}/" in checks[name]
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_services_start_in_an_order_by_health() -> None:
    done: set[str] = set()
    waiting = dict(SERVICES)
    while waiting:
        ready = [name for name, service in waiting.items() if set(service.get("depends_on", ())) <= done]
        assert ready, f"these wait for each other: {sorted(waiting)}"
        done.update(ready)
        for name in ready:
            del waiting[name]
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if other in ONE_SHOT:
                assert how == {"condition": "service_completed_successfully"}, name
            else:
                assert how == {"condition": "service_healthy"}, name
                assert "healthcheck" in SERVICES[other], name
            missing = set(service["profiles"]) - set(SERVICES[other]["profiles"])
            assert not missing, f"{name} of profile {missing} depends on {other}, which that profile does not run"
    # A feed that is down is the world's fault: `ingest-feeds` goes on, and says so in the table of sources.
    assert {name for name in SERVICES if "healthcheck" not in SERVICES[name]} == ONE_SHOT | {"ingest-feeds"}


def test_profiles_are_those_that_are_documented() -> None:
    assert {profile for service in SERVICES.values() for profile in service["profiles"]} == {"core", "feeds", "ml", "gpu"}
    core = {name for name, service in SERVICES.items() if "core" in service["profiles"]}
    assert core == {"kafka", "postgres", "migrate", "worker", "maintain", "ingest-http", "dashboard"}
    reserved = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_limited_and_has_few_rights(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert limits["memory"].endswith("g")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if "build" in service:
        assert service["read_only"] is True
        assert service["build"]["target"] in stages()
        users = [user for stage in lineage(service["build"]["target"]) for user in stage.values("USER")]
        assert users[-1] == "squall"
    else:
        assert re.fullmatch(r"[\w/-]+:(pg)?[\d.]+", service["image"]), "an image is named with its version"
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source in FILE["volumes"] or (ROOT / source).is_file() or volume == DATA, volume


def test_nothing_that_is_scaled_has_a_fixed_name_or_port_or_writes_to_a_volume() -> None:
    assert not SERVICES["worker"].keys() & {"container_name", "ports"}
    assert all(volume.endswith(":ro") for volume in SERVICES["worker"]["volumes"])


@pytest.mark.parametrize("service", ["migrate", "worker", "worker-gpu", "maintain", "dashboard", "airflow-scheduler"])
def test_who_registers_models_and_who_serves_them_have_one_store(service: str) -> None:
    store = SERVICES[service]["environment"]["SQUALL_MODEL__STORE"]
    assert [volume.split(":")[:2] for volume in SERVICES[service]["volumes"] if store in volume] == [["models", store]]


def test_what_makes_models_tells_the_mlflow_that_runs_beside_it() -> None:
    tells = {name for name, service in SERVICES.items() if "SQUALL_MLFLOW__TRACKING_URI" in service["environment"]}
    assert tells == {name for name in SERVICES if name.startswith("airflow-")}
    address = SERVICES["airflow-scheduler"]["environment"]["SQUALL_MLFLOW__TRACKING_URI"]
    started = " ".join(SERVICES["mlflow"]["command"])
    port = re.search(r"--port (\d+)", started)
    assert port
    assert address == f"http://mlflow:{port[1]}"
    hosts = re.search(r"--allowed-hosts (\S+)", started)
    assert hosts
    assert address.removeprefix("http://") in hosts[1].split(",")
    assert SERVICES["airflow-scheduler"]["profiles"] == SERVICES["mlflow"]["profiles"]


def test_every_secret_is_made_and_none_has_a_default(secrets: Path) -> None:
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == FILE["secrets"].keys() == {file.name for file in secrets.iterdir()}
    assert all(FILE["secrets"][name] == {"file": f"./secrets/{name}"} for name in used)
    assert secrets.stat().st_mode & 0o777 == 0o700
    passwords = [(secrets / f"{name}_password").read_text() for name in ("postgres", "squall", "mlflow", "airflow")]
    assert len(set(passwords)) == 4
    assert min(map(len, passwords)) >= 32
    assert passwords[1] in (secrets / "SQUALL_DATABASE__URL").read_text()
    assert len(json.loads((secrets / "airflow_users").read_text())["admin"]) >= 32
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|token|secret_key)\s*[:=]\s*['\"]?[\w]+['\"]?\s*$", text, re.MULTILINE)


def test_secrets_that_are_there_are_kept(secrets: Path) -> None:
    before = {file.name: file.read_text() for file in secrets.iterdir()}
    subprocess.run(["sh", ROOT / "deploy/secrets.sh", secrets], check=True, capture_output=True)
    assert {file.name: file.read_text() for file in secrets.iterdir()} == before


def test_the_example_explains_every_variable_and_names_no_unknown_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {line.partition("=")[0] for line in lines if re.match(r"\w+=", line)}
    assert variables() <= named
    compose_own = {"COMPOSE_PROFILES"}
    assert not named - variables() - compose_own - known_variables().keys()
    for number, line in enumerate(lines):
        assert not re.match(r"\w+=", line) or lines[number - 1].startswith("#") or "=" in lines[number - 1], f"{line}: why?"
    (tmp_path / ".env").write_text("\n".join(lines))
    assert get_settings() == Settings(_env_file=None)


def test_the_image_is_built_from_files_that_are_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for stage in stages().values():
        for value in stage.values("COPY"):
            words = value.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in stages()
                continue
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in kept, source


def test_what_a_cpu_image_holds_asks_for_no_torch() -> None:
    runs = installed("squall")
    assert "gpu" not in runs
    assert "train" not in runs


def test_what_the_scheduled_tasks_need_is_in_their_image() -> None:
    assert SERVICES["maintain"]["build"]["target"] == "squall"
    assert "'.[yfinance,leadlag]'" in installed("squall")


def test_what_trains_has_torch_and_none_of_cuda() -> None:
    runs = installed("airflow")
    assert "'.[train,leadlag]'" in runs
    assert "--torch-backend cpu" in runs


def installed(target: str) -> str:
    """All that is run to make what an image copies."""
    copied = [value.split()[0].removeprefix("--from=") for stage in lineage(target) for value in stage.values("COPY")]
    sources = [name for name in copied if name.startswith("install-")]
    return " ".join(run for source in sources for stage in lineage(source) for run in stage.values("RUN"))
