"""What the commands that read the database back, or act on it, share."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from squall.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


@contextmanager
def reading(settings: Settings) -> Iterator["Connection"]:
    """A connection to the namespace's schema; a database that does not run is started for the duration.

    Raises:
        UserError: the namespace is not there.
    """
    with database(settings) as engine, engine.connect() as connection:
        _require(connection, settings)
        yield connection


@contextmanager
def writing(settings: Settings) -> Iterator["Connection"]:
    """The same with a transaction, committed at the end.

    Raises:
        UserError: the namespace is not there, or its schema is not that of this version.
    """
    from squall.db.migrate import check_revision

    with database(settings) as engine:
        with engine.connect() as connection:
            _require(connection, settings)
        check_revision(engine, settings)
        with engine.begin() as connection:
            yield connection


@contextmanager
def database(settings: Settings) -> Iterator["Engine"]:
    """An engine for the namespace; a database that does not run is started for the duration."""
    from squall.db.engine import make_engine
    from squall.embedded import running

    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        try:
            yield engine
        finally:
            engine.dispose()


def _require(connection: "Connection", settings: Settings) -> None:
    from squall.db.readback import require_schema

    require_schema(connection, settings)


def actor() -> str:
    """Who acts on the command line: the user of this machine."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def when(at: datetime | None) -> str:
    """A time as tables show it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "–"
