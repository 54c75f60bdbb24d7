"""Copies of the artifact that ships, with another calibration: other versions on the same weights; and `squall models`."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner

from models.artifact import MANIFEST, SHIPPED, WEIGHTS
from squall.cli import app
from squall.errors import UserError
from squall.settings import get_settings

Squall = Callable[..., str]


def recalibrated(folder: Path, temperature: float) -> Path:
    """The shipped model at another temperature of the sentiment: another version."""
    shutil.copytree(SHIPPED, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["temperatures"]["sentiment"] = temperature
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def damage(folder: Path) -> None:
    """Change one byte of the weights."""
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(content)


@contextmanager
def models_command(namespace: str) -> Iterator[Squall]:
    """Runs `squall models …` under the settings of the environment; returns what it prints, and raises what it fails with."""

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["models", *words, "--namespace", namespace])
        if isinstance(result.exception, UserError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    get_settings.cache_clear()
    yield run
    get_settings.cache_clear()
