"""Every command that the documents name is there, and teaches."""

import pkgutil
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from squall import cli
from squall.settings import get_settings

README = (Path(__file__).parents[2] / "README.md").read_text()
NAMED = sorted(
    {" ".join(found) for found in re.findall(r"\bsquall ([a-z][a-z-]*)(?: ([a-z]+))?\b", README)} - {"classify headlines"}
)
NOT_COMMANDS = {"reading"}


@pytest.mark.parametrize(
    "words", [*NAMED, "train text", "evaluate text", "classify", "topics schema", "db check", "companies build"]
)
def test_a_command_that_is_named_explains_itself(words: str) -> None:
    shown = CliRunner().invoke(cli.app, [*words.split(), "--help"])
    assert shown.exit_code == 0, shown.output
    assert "Usage" in shown.output


def test_every_module_of_commands_is_reachable() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"]).output
    modules = {module.name.replace("_", "-") for module in pkgutil.iter_modules(cli.__path__)} - NOT_COMMANDS
    assert modules
    assert [name for name in sorted(modules) if not re.search(rf"│ {name}\b", shown)] == []


@pytest.mark.parametrize("words", ["incidents list", "mentions list", "db check", "users list", "rules show", "deadletters list"])
def test_a_database_that_is_away_is_said_in_one_line(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SQUALL_HOME", str(tmp_path))
    monkeypatch.setenv("SQUALL_DATABASE__URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(sys, "argv", ["squall", *words.split()])
    get_settings.cache_clear()
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        get_settings.cache_clear()
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (1, 1)
    assert "cannot reach the database" in said


@pytest.mark.parametrize(("words", "package", "extra"), [("train text", "torch", "train"), ("leadlag", "statsmodels", "leadlag")])
def test_a_package_that_is_not_installed_is_said_in_one_line(
    words: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", ["squall", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"squall: this needs {package}: pip install 'squall[{extra}]'\n"
