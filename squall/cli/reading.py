"""What the commands that read the database back share."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from squall.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection


@contextmanager
def reading(settings: Settings) -> Iterator["Connection"]:
    """A connection to the namespace's schema; a database that does not run is started for the duration.

    Raises:
        UserError: the namespace is not there.
    """
    from squall.db.engine import make_engine
    from squall.db.readback import require_schema
    from squall.embedded import running

    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        try:
            with engine.connect() as connection:
                require_schema(connection, settings)
                yield connection
        finally:
            engine.dispose()


def when(at: datetime | None) -> str:
    """A time as tables show it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "–"
