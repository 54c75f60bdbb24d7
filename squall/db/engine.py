"""Connections to Postgres, in the schema of a namespace."""

from sqlalchemy import Engine, create_engine, make_url

from squall.settings import Settings

# A class 08, 40, 53, 55 or 57 error passes by itself; 22 and 23 are the fault of a row.
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "55", "57"})
ROW_CLASSES = frozenset({"22", "23"})


def make_engine(settings: Settings, url: str, *, read_only: bool = False) -> Engine:
    """An engine whose connections see the tables of the settings' namespace.

    Args:
        url: `postgresql://…` or `postgresql+psycopg://…`; `squall.embedded.database_url` finds it.
        read_only: its transactions cannot change anything.
    """
    timeout = settings.database.statement_timeout_s
    options = f"-csearch_path={settings.pg_schema},public -cstatement_timeout={timeout}s -ctimezone=UTC"
    if read_only:
        options += " -cdefault_transaction_read_only=on"
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=settings.database.pool_size,
        pool_pre_ping=True,
        connect_args={"options": options, "connect_timeout": 10, "application_name": "squall"},
    )


def error_class(error: BaseException) -> str:
    """Two-letter SQLSTATE class of an error, `08` for a lost connection, empty for what is no database error."""
    import psycopg
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if state:
        return str(state)[:2]
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "08"
    if isinstance(error, InterfaceError | OperationalError | psycopg.OperationalError | psycopg.InterfaceError):
        return "08"
    return ""


def explain(error: BaseException) -> str | None:
    """One line for a person where the database is away or not set up; None for any other error."""
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError):
        return None
    if error_class(error) == "08":
        return f"cannot reach the database: {str(error.orig).splitlines()[0]}"
    if getattr(error.orig, "sqlstate", None) in ("42P01", "3F000"):
        return f"the database lacks Squall's tables: `squall db upgrade` makes them ({str(error.orig).splitlines()[0]})"
    return None
