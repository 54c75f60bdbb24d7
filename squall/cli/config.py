"""`squall config`: what is in force, and where each value came from."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from squall.settings import Section, get_settings, known_variables, plain


def config(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Print every setting, its value and where the value came from; secrets are masked.

    A setting is named SQUALL_<NAME> or SQUALL_<GROUP>__<NAME>, in the environment, in a file `.env` of the current folder,
    or as a file of that name in the folder that SQUALL_SECRETS_DIR names. The environment wins over `.env`, and both over
    files.
    """
    rows = [
        {"setting": variable, "value": plain(value), "from": _origin(variable), "means": means}
        for variable, value, means in _leaves()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Column, Table

    whole = (Column("setting", no_wrap=True), Column("value", overflow="fold"), Column("from", overflow="fold"))
    table = Table(*whole, "means", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row.values())
    console = Console()
    # Names are to be copied: on a narrow terminal the table is wider than it rather than cut.
    console.print(table, width=max(console.width, 120), crop=False, soft_wrap=True)


def _leaves() -> list[tuple[str, Any, str]]:
    settings = get_settings()
    leaves = []
    for variable, path in known_variables().items():
        owner: Any = settings
        for part in path[:-1]:
            owner = getattr(owner, part)
        value = getattr(owner, path[-1])
        if not isinstance(value, Section) and variable != "KAFKA_HOME":
            leaves.append((variable, value, type(owner).model_fields[path[-1]].description or ""))
    return leaves


def _origin(variable: str) -> str:
    for name in (variable, "KAFKA_HOME") if variable == "SQUALL_KAFKA_HOME" else (variable,):
        if os.environ.get(name):
            return f"environment {name}"
        if name in _dotenv():
            return ".env"
        secrets = os.environ.get("SQUALL_SECRETS_DIR")
        if secrets and (Path(secrets) / name).is_file():
            return f"file {Path(secrets) / name}"
    return "default"


def _dotenv() -> frozenset[str]:
    from dotenv import dotenv_values

    return frozenset(name.upper() for name, value in dotenv_values(".env").items() if value)
