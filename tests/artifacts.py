"""Copies of the artifact that ships, with another calibration: other versions on the same weights."""

import json
import shutil
from pathlib import Path

from models.artifact import MANIFEST, SHIPPED, WEIGHTS


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
