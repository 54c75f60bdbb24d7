"""`squall db`: migrate and check the database."""

from typing import Annotated

import typer

from squall.settings import get_settings

app = typer.Typer(help="Migrate and check the database.", no_args_is_help=True)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]


@app.command()
def upgrade(namespace: Namespace = "") -> None:
    """Create or migrate the schema, make partitions two months ahead, and store the company table."""
    from squall.db import migrate
    from squall.db.companies import store_companies
    from squall.db.engine import make_engine
    from squall.embedded import running

    settings = get_settings().in_namespace(namespace)
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        migrate.upgrade(engine, settings)
        companies = store_companies(engine, settings)
    print(f"schema {settings.pg_schema} is up to date, {companies} companies")


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
