"""`squall db`: migrate and check the database."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from squall.settings import get_settings

app = typer.Typer(help="Migrate and check the database.", no_args_is_help=True)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]


@app.command()
def upgrade(namespace: Namespace = "") -> None:
    """Create or migrate the schema, make partitions two months ahead, store the company table, register the model that ships."""
    from models.first import ensure_champion
    from squall.db import migrate
    from squall.db.companies import store_companies
    from squall.db.engine import make_engine
    from squall.embedded import running

    settings = get_settings().in_namespace(namespace)
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        migrate.upgrade(engine, settings)
        companies = store_companies(engine, settings)
        with engine.begin() as connection:
            model = ensure_champion(connection)
    print(f"schema {settings.pg_schema} is up to date, {companies} companies, model {model.version}")


@app.command()
def check(namespace: Namespace = "") -> None:
    """Verify that the schema is at the newest migration and equals the tables in code."""
    from squall.db import migrate
    from squall.db.engine import make_engine
    from squall.embedded import running

    settings = get_settings().in_namespace(namespace)
    with running(settings, broker=False) as services:
        migrate.check(make_engine(settings, services.database_url), settings)
    print(f"schema {settings.pg_schema} is as it should be")


@app.command()
def retain(
    as_of: Annotated[datetime | None, typer.Option(help="as of this time, in UTC; left out: now")] = None,
    namespace: Namespace = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Make partitions two months ahead, drop what is older than SQUALL_STREAM__RETENTION_DAYS, and empty older texts.

    Texts of articles, and dead letters, go after SQUALL_STREAM__TEXT_RETENTION_DAYS; scores and mood stay until their month is
    over. Incidents keep their evidence. Running it twice for the same time changes nothing.
    """
    from sqlalchemy.exc import OperationalError

    from pipelines.maintenance.retention import retain as run
    from squall.db.engine import make_engine
    from squall.db.migrate import check_revision
    from squall.embedded import running
    from squall.errors import UserError

    settings = get_settings().in_namespace(namespace)
    now = datetime.now(UTC)
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        check_revision(engine, settings)
        try:
            done = asdict(run(engine, settings.stream, as_of.replace(tzinfo=UTC) if as_of else now, now))
        except OperationalError as error:
            raise UserError(f"not finished, try again: {str(error.orig).splitlines()[0]}") from None
    print(json.dumps(done) if as_json else ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.items()))
