"""The first champion: the weights that ship."""

from sqlalchemy import Connection

from models.artifact import MANIFEST, SHIPPED, load_artifact, sha256
from models.store import SHIPPED_URL, register
from squall import registry

WHY = "the weights that come with Squall"


def ensure_champion(connection: Connection) -> registry.Version:
    """The champion; where there is none yet, the weights that ship are registered and become it.

    So they do where the champion is what came with another version of the package, whose files are gone.
    """
    registry.hold(connection)
    found = registry.champion(connection)
    if found and (found.url != SHIPPED_URL or found.sha256 == sha256(SHIPPED / MANIFEST)):
        return found
    new = register(connection, load_artifact(SHIPPED), SHIPPED_URL, actor="squall")
    if not found or found.version != new.version:
        kind = "promote" if found else "first"
        registry.promote(connection, new.version, actor="squall", reason=WHY, kind=kind)
    return registry.find(connection, new.version)
