"""The model that a new one begins with and is judged beside."""

from pathlib import Path

from models.artifact import SHIPPED
from squall.settings import Settings


def champion_folder(settings: Settings) -> Path:
    """Folder of the artifact that serves: that of SQUALL_MODEL__DIR, else the one that ships."""
    return settings.model.dir or SHIPPED
