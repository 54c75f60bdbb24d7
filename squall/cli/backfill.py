"""`squall backfill`: scores history under another model version."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from squall.errors import UsageError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from models.engine import TextEngine


def backfill(
    *,
    model: Annotated[
        str,
        typer.Option(
            help="number, name or alias of a version (`squall models list`), or an artifact's folder", show_default=False
        ),
    ],
    from_: Annotated[datetime, typer.Option("--from", help="first event time, in UTC", show_default=False)],
    to: Annotated[datetime, typer.Option("--to", help="event time before which it ends, in UTC", show_default=False)],
    rate: Annotated[float, typer.Option(min=0.1, help="mentions a second at most")] = 50.0,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Score the mentions of a period under another model version. The scores that stand, and the mood, stay as they are.

    A run that was cut off goes on where it was. It reads from Postgres, not from the broker, at a low priority and a limited
    rate, so that live scoring goes on beside it.
    """
    from pipelines.maintenance.backfill import backfill as run
    from squall.db.engine import make_engine
    from squall.db.migrate import check_revision
    from squall.embedded import running

    first, last = from_.replace(tzinfo=UTC), to.replace(tzinfo=UTC)
    if first >= last:
        raise UsageError(f"--from {first:%Y-%m-%d %H:%M} is not before --to {last:%Y-%m-%d %H:%M}")
    settings = get_settings().in_namespace(namespace)
    chosen = settings.model.model_copy(update={"threads": settings.model.threads or 1})
    settings = settings.model_copy(update={"model": chosen})
    os.nice(10)
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        check_revision(engine, settings)
        version = _open(settings, engine, model)
        done = run(engine, version, first, last, rate)
        engine.dispose()
    if as_json:
        print(json.dumps({"model": version.version, **asdict(done)}))
        return
    print(f"{version.version}: {done.scored} mentions scored, {done.without_text} have no text any more")


def _open(settings: Settings, engine: "Engine", model: str) -> "TextEngine":
    from models.artifact import MANIFEST, load_artifact
    from models.engine import engine_of
    from models.store import open_version
    from squall import registry

    if (Path(model) / MANIFEST).is_file():
        return engine_of(load_artifact(Path(model), settings.model.base), settings)
    with engine.connect() as connection:
        found = registry.find(connection, model)
    return open_version(settings, found.version, found.url, found.sha256)
