"""The settings in force as environment variables, so that a child process runs with the same ones."""

import json
from typing import Any

from pydantic import SecretStr

from squall.settings import Section, Settings, known_variables


def environment(settings: Settings, bootstrap: str, database_url: str) -> dict[str, str]:
    """Every setting by the name of its variable, the addresses filled in, so that the child starts no services."""
    variables = {}
    for variable, path in known_variables().items():
        value: Any = settings
        for part in path:
            value = getattr(value, part)
        if not isinstance(value, Section) and path != ("kafka_home",):
            variables[variable] = as_text(value)
    return variables | {
        "SQUALL_HOME": str(settings.home.expanduser().resolve()),
        "SQUALL_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "SQUALL_DATABASE__URL": database_url,
        "PYTHONUNBUFFERED": "1",
    }


def as_text(value: Any) -> str:
    """A value as the environment gives it; None is the empty text, which counts as unset."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return json.dumps(list(value))
    return str(value)
