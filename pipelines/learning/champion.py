"""The model that a new one begins with and is judged beside."""

from pathlib import Path

from sqlalchemy import Connection

from models.store import fetch
from squall import registry
from squall.settings import Settings


def champion_folder(connection: Connection, settings: Settings) -> Path:
    """Folder of the champion's artifact, fetched if it is kept elsewhere.

    Raises:
        RegistryError: no model is registered.
        ArtifactError: its files are not those that were registered.
    """
    found = registry.find(connection, registry.CHAMPION)
    return fetch(settings, found.url, found.sha256)
