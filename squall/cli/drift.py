"""`squall drift`: how far the news and the model's answers have moved."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from models.engine import TextEngine

RULE = "model drift"
SEVERITY = "medium"


def drift(
    as_of: Annotated[datetime | None, typer.Option(help="weeks end with the day before this one, UTC; left out: now")] = None,
    weeks_to: Annotated[Path | None, typer.Option(help="folder for this week's and the last one's texts, as Parquet")] = None,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Compare the last seven days with the week before, by what is usual from week to week; an alarm is an incident.

    Inputs: length, words that were not there a week ago, languages, embeddings. Predictions: topics, sentiments. Quality: the
    share that is right by people's labels, and as the model's own calibrated probabilities estimate it without labels. That
    estimate sees texts move to where the model is unsure; it does not see that words have changed their meaning. A second run for
    a day replaces the first.
    """
    from dataclasses import asdict

    from pipelines.learning.drift import changes, sentence
    from pipelines.learning.drift_store import embed, keep, read_weeks, version_in_use, write_weeks
    from squall.cli.reading import reading, writing
    from streams.operational import open_incident, resolve_incidents

    settings = get_settings().in_namespace(namespace)
    now = datetime.now(UTC)
    end = (as_of or now).replace(tzinfo=UTC, hour=0, minute=0, second=0, microsecond=0)
    day = (end - timedelta(days=1)).date()
    with reading(settings) as connection:
        version = version_in_use(connection, end)
        if version is None:
            print(json.dumps({"day": f"{day}", "texts": 0}) if as_json else f"nothing was scored in the week up to {day}")
            return
        weeks = read_weeks(connection, end, version, now)
        encoder = _encoder(connection, settings, version)
    if weeks_to:
        write_weeks(weeks, weeks_to)
    if encoder:
        weeks = embed(weeks, encoder)
    with writing(settings) as connection:
        found = changes(weeks)
        keep(connection, day, version, weeks, found)
        alarms = [one for one in found if one.alarm]
        if alarms:
            summary = f"The news has drifted: {'; '.join(map(sentence, alarms))}"
            inputs = {"day": f"{day}", "model": version, "changes": [asdict(one) for one in alarms]}
            open_incident(connection, settings, rule=RULE, severity=SEVERITY, at=now, summary=summary, inputs=inputs)
        else:
            calm = "The week is as weeks are"
            resolve_incidents(connection, settings, rule=RULE, severity=SEVERITY, at=now, summary=calm)
    if as_json:
        told = {"day": f"{day}", "model": version, "texts": len(weeks[-1].texts), "changes": [asdict(one) for one in found]}
        print(json.dumps(told))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("measure", "of", "value", "change", "usual at most", "", box=None, pad_edge=False)
    for one in found:
        numbers = ("–" if number is None else f"{number:.3f}" for number in (one.value, one.change, one.usual))
        said = "alarm" if one.alarm else "" if one.change is not None and one.usual is not None else "too little to say"
        table.add_row(one.name, one.about, *numbers, said)
    console = Console()
    console.print(f"The week up to {day} under {version}: {len(weeks[-1].texts)} texts")
    console.print(table)


def _encoder(connection: "Connection", settings: Settings, version: str) -> "TextEngine | None":
    """The version's model; None where it cannot be had any more, which leaves embeddings unmeasured."""
    import sys

    from models.artifact import ArtifactError
    from models.store import open_version
    from squall import registry

    found = registry.registered(connection, version)
    try:
        return open_version(settings, version, found.url, found.sha256) if found else None
    except ArtifactError as error:
        print(f"embeddings are not measured: {error}", file=sys.stderr)
        return None
