"""Every command that the documents name is there, and teaches."""

import pkgutil
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from squall import cli

README = (Path(__file__).parents[2] / "README.md").read_text()
NAMED = sorted({" ".join(found) for found in re.findall(r"\bsquall ([a-z]+)(?: ([a-z]+))?\b", README)} - {"classify headlines"})
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
    modules = {module.name for module in pkgutil.iter_modules(cli.__path__)} - NOT_COMMANDS
    assert modules
    assert [name for name in sorted(modules) if not re.search(rf"│ {name}\b", shown)] == []
