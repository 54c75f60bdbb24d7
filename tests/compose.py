"""docker-compose.yml, Dockerfile and .env.example as the tests read them."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def compose() -> dict[str, Any]:
    """The compose file with the defaults of its variables."""
    text = VARIABLE.sub(lambda match: match[2] or "", (ROOT / "docker-compose.yml").read_text())
    content: dict[str, Any] = yaml.safe_load(text.replace("$$", "$"))
    return content


def variables() -> set[str]:
    """The variables that the compose file takes from `.env`."""
    return {match[1] for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}


@dataclass
class Stage:
    """A stage of the Dockerfile: what it starts from, and its instructions in order."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def values(self, instruction: str) -> list[str]:
        """What follows an instruction, in order."""
        return [value for name, value in self.steps if name == instruction]


def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile by name."""
    found: dict[str, Stage] = {}
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, _, value = line.partition(" ")
        if instruction == "FROM":
            base, _, name = value.partition(" AS ")
            found[name] = Stage(name, base)
        else:
            found[name].steps.append((instruction, value.strip()))
    return found


def lineage(name: str) -> list[Stage]:
    """The stages that an image consists of, the first one first."""
    every = stages()
    line: list[Stage] = []
    while name in every:
        line.insert(0, every[name])
        name = every[name].base
    return line
