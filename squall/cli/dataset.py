"""`squall dataset`: freeze what people labelled, with the base sets, to train and judge models on."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from squall.errors import SKIPPED
from squall.settings import get_settings


class When(StrEnum):
    """When a data set is worth building."""

    ALWAYS = "always"
    NEW = "new"


app = typer.Typer(help="Freeze data sets to train and judge models on.", no_args_is_help=True)


@app.command()
def build(
    *,
    to: Annotated[Path, typer.Option(help="folder to write it into", show_default=False)],
    as_of: Annotated[datetime | None, typer.Option(help="labels as they stood then, in UTC; left out: now")] = None,
    when: Annotated[
        When, typer.Option(help="`new`: only where people labelled what no registered model has learnt from; else ends with 99")
    ] = When.ALWAYS,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print the datasheet as one line of JSON")] = False,
) -> None:
    """Freeze the labels of people and the sets of SQUALL_DATA_DIR, with a datasheet and a list of the rows that are no good.

    Its version is a hash of its rows: the same labels and sets give the same. What is judged by is split off by time and story.
    Texts that the retention has emptied are taken from earlier data sets in the same folder as this one.
    """
    from pipelines.learning.dataset import build as run
    from pipelines.learning.dataset import earlier_texts, freeze
    from pipelines.learning.datasheet import datasheet, page
    from pipelines.learning.labels import read_labels
    from pipelines.training.datasets import base_sets, read_topics
    from squall.cli.reading import reading
    from squall.registry import learnt_from

    settings = get_settings().in_namespace(namespace)
    at = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else datetime.now(UTC)
    base, topics = base_sets(settings.data_dir), read_topics(settings.data_dir)
    with reading(settings) as connection:
        labelled = read_labels(connection, at)
    built = run(base, topics, labelled, earlier_texts(to.parent))
    if when == When.NEW:
        with reading(settings) as connection:
            model = learnt_from(connection, built.data.version)
        if model or not any(row.facts for row in built.data.train):
            reason = f"{model} has learnt from these very rows" if model else "people have labelled nothing to learn from"
            print(f"nothing new: {reason}")
            raise typer.Exit(SKIPPED)
    sheet = datasheet(built, at)
    freeze(built, sheet, page(sheet), to)
    if as_json:
        print(json.dumps(sheet))
        return
    counts = {part: sum(found[part] for found in sheet["rows"].values()) for part in ("train", "held_out", "test")}
    numbers = f"{counts['train']} rows to learn from, {counts['held_out']} held out, {counts['test']} to judge by"
    print(f"{sheet['version']}: {numbers}")
    print(f"{len(built.bad)} rows are no good, see {to / 'bad_rows.jsonl'}; the datasheet is {to / 'datasheet.md'}")


@app.command()
def show(folder: Annotated[Path, typer.Argument(help="folder of a data set")]) -> None:
    """Print the datasheet of a data set."""
    from pipelines.learning.dataset import read_sheet
    from pipelines.learning.datasheet import page

    print(page(read_sheet(folder)), end="")
