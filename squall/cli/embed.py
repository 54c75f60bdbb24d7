"""`squall embed`: what stories are about, for the dashboard's search by meaning."""

import json
import os
from typing import Annotated

import typer

from squall.settings import get_settings


def embed(
    most: Annotated[int, typer.Option(min=1, help="stories at most, the newest first")] = 100_000,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Keep a vector of every new story, so that the page Stories finds what means the same in other words.

    The vectors are those of the champion, else of the model that the settings name or that ships. A second run does what is new.
    """
    from models.engine import load_engine
    from models.store import open_version
    from pipelines.maintenance.embed import embed as run
    from squall import registry
    from squall.cli.reading import database
    from squall.db.migrate import check_revision

    settings = get_settings().in_namespace(namespace)
    os.nice(10)
    with database(settings) as engine:
        check_revision(engine, settings)
        with engine.connect() as connection:
            best = registry.champion(connection)
        model = open_version(settings, best.version, best.url, best.sha256) if best else load_engine(settings)
        done = run(engine, model, most)
    print(json.dumps({"model": model.version, "stories": done}) if as_json else f"{model.version}: {done} stories")
