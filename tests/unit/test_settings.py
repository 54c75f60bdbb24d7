"""Settings: where values come from, and what a person is told when one is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from squall.cli import app
from squall.settings import SettingsError, get_settings


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


def problem() -> str:
    with pytest.raises(SettingsError) as caught:
        get_settings()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_work_without_any_variable() -> None:
    settings = get_settings()
    assert settings.home == Path(".squall")
    assert settings.pg_schema == "squall"
    assert settings.kafka.bootstrap_servers is None


def test_environment_wins_over_dotenv_and_dotenv_over_secret_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, value in {"SQUALL_DATABASE__URL": "postgresql://file", "SQUALL_WORKERS": "2", "SQUALL_LOG_LEVEL": "error"}.items():
        (secrets / name).write_text(value)
    (tmp_path / ".env").write_text("SQUALL_WORKERS=3\nSQUALL_LOG_LEVEL=debug\n")
    monkeypatch.setenv("SQUALL_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("SQUALL_LOG_LEVEL", "warning")
    settings = get_settings()
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == "postgresql://file"
    assert (settings.workers, settings.log_level) == (3, "warning")


def test_kafka_home_is_taken_from_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_HOME", "/opt/kafka")
    assert get_settings().kafka_home == Path("/opt/kafka")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SQUALL_WORKRES", "2", "SQUALL_WORKRES: unknown setting"),
        ("SQUALL_KAFKA__PARTITION", "2", "SQUALL_KAFKA__PARTITION: unknown setting"),
        ("SQUALL_WORKERS", "many", "SQUALL_WORKERS: "),
        ("SQUALL_KAFKA__PARTITIONS", "0", "SQUALL_KAFKA__PARTITIONS: "),
        ("SQUALL_NAMESPACE", "Über", "SQUALL_NAMESPACE: "),
        ("SQUALL_SECRETS_DIR", "/no/such/folder", "/no/such/folder"),
    ],
)
def test_a_bad_variable_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(name, value)
    assert words in problem()


def test_an_unknown_name_in_dotenv_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SQUALL_HOMEE=here\n")
    assert "SQUALL_HOMEE: unknown setting" in problem()


def test_namespaces_have_schemas_of_their_own() -> None:
    settings = get_settings().in_namespace("week-1")
    assert settings.pg_schema == "squall_week_1"
    with pytest.raises(SettingsError):
        settings.in_namespace("No Spaces")


def test_config_masks_secrets_and_says_where_values_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SQUALL_DATABASE__URL", "postgresql://ana:hunter2@db/news")
    (tmp_path / ".env").write_text("SQUALL_WORKERS=3\n")
    result = CliRunner().invoke(app, ["config", "--json"])
    assert result.exit_code == 0
    assert "hunter2" not in result.output
    rows = {row["setting"]: row for row in json.loads(result.output)}
    assert rows["SQUALL_DATABASE__URL"]["value"] == "********"
    assert rows["SQUALL_DATABASE__URL"]["from"] == "environment SQUALL_DATABASE__URL"
    assert rows["SQUALL_WORKERS"] == {
        "setting": "SQUALL_WORKERS",
        "value": "3",
        "from": ".env",
        "means": rows["SQUALL_WORKERS"]["means"],
    }
    assert rows["SQUALL_HOME"]["from"] == "default"


def test_names_of_other_programs_in_dotenv_are_overlooked(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=core\nSQUALL_WORKERS=3\n")
    assert get_settings().workers == 3


def test_an_empty_secret_is_no_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "SQUALL_NOTIFY__WEBHOOK_URL").write_text("")
    monkeypatch.setenv("SQUALL_SECRETS_DIR", str(tmp_path))
    assert get_settings().notify.webhook_url is None
