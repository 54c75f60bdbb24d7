"""Bringing a namespace's schema up to date, and saying whether it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from squall.db import accounts as _accounts  # noqa: F401 - its tables belong to the metadata
from squall.db import desk as _desk  # noqa: F401 - as those
from squall.db import incident_tables as _incident_tables  # noqa: F401 - as those
from squall.db import learning as _learning  # noqa: F401 - as those
from squall.db import maintenance as _maintenance  # noqa: F401 - as those
from squall.db import model_tables as _model_tables  # noqa: F401 - as those
from squall.db import rule_tables  # noqa: F401 - its tables belong to the schema
from squall.db import score_tables as _score_tables  # noqa: F401 - as those
from squall.db.partitions import make_partitions
from squall.db.tables import Base
from squall.errors import UserError
from squall.settings import Settings

AHEAD = timedelta(days=62)


class SchemaError(UserError):
    """The schema is not the one that this version of the product works on; the message says what to do."""


def _config(connection: Connection | None, schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


def upgrade(engine: Engine, settings: Settings, first: datetime | None = None, last: datetime | None = None) -> None:
    """Create or migrate the namespace's schema, and make partitions.

    Args:
        first: event times to be expected from here; None: from the retention's beginning.
        last: event times to be expected up to here; None: two months ahead of now.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"upgrade {settings.pg_schema}"})
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{settings.pg_schema}"'))
    with engine.connect() as connection:
        command.upgrade(_config(connection, settings.pg_schema), "head")
        connection.commit()
    now = datetime.now(UTC)
    make_partitions(engine, first or now - timedelta(days=settings.stream.retention_days), last or now + AHEAD)


def check_revision(engine: Engine, settings: Settings) -> None:
    """Verify that the schema is at the newest migration.

    Raises:
        SchemaError: saying what to do.
    """
    head = ScriptDirectory.from_config(_config(None, settings.pg_schema)).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection, opts={"version_table_schema": settings.pg_schema}).get_current_revision()
    if current != head:
        raise SchemaError(f"schema {settings.pg_schema} is at {current or 'nothing'}, wanted {head}: run `squall db upgrade`")


def check(engine: Engine, settings: Settings) -> None:
    """Verify that the schema is at the newest migration and equals the tables in code.

    Raises:
        SchemaError: saying what differs, and what to do.
    """
    check_revision(engine, settings)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": settings.pg_schema,
                "include_object": _no_partition,
                "target_metadata": Base.metadata,
            },
        )
        if differences := compare_metadata(context, Base.metadata):
            raise SchemaError(f"schema {settings.pg_schema} differs from the tables in code: {differences[0]!r}")


def drop(engine: Engine, settings: Settings) -> None:
    """Drop the namespace's schema with all that is in it."""
    with engine.begin() as connection:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{settings.pg_schema}" CASCADE'))


def _no_partition(_object: object, name: str | None, kind: str, reflected: bool, _compared: object) -> bool:
    return not (kind == "table" and reflected and name not in Base.metadata.tables)
