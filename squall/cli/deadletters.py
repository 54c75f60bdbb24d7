"""`squall deadletters`: what could not be processed, and sending it again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from streams.deadletters import DeadLetterStore, Stored

app = typer.Typer(help="List messages that could not be processed, and send them again.", no_args_is_help=True)
Namespace = Annotated[str | None, typer.Option(help="namespace of a replay; left out: that of the settings")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object a line")]


@app.command("list")
def list_letters(
    namespace: Namespace = None,
    limit: Annotated[int, typer.Option(min=1, help="how many, the newest first")] = 50,
    waiting: Annotated[bool, typer.Option("--waiting", help="only those that were not sent again yet")] = False,
    as_json: AsJson = False,
) -> None:
    """List dead letters with topic, partition, offset, stage and reason."""
    with _store(_settings(namespace)) as store:
        letters, count = store.list(limit, waiting_only=waiting), store.count()
    if as_json:
        for letter in letters:
            print(_line(letter))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("received", "topic", "offset", "stage", "bytes", "sent again", "reason", "id", box=None, pad_edge=False)
    for letter in letters:
        again = f"{letter.redriven_at:%Y-%m-%d %H:%M:%S}" if letter.redriven_at else ""
        place = f"{letter.partition}/{letter.offset}"
        received = f"{letter.received_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(received, letter.topic, place, letter.stage, str(letter.size), again, escape(letter.error), letter.id)
    Console().print(table)
    print(f"{len(letters)} of {count} dead letters")


@app.command()
def redrive(
    ids: Annotated[list[str] | None, typer.Argument(help="ids of dead letters; none: all that were not sent again yet")] = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, byte for byte, to the topic that they came from."""
    from kafka import KafkaProducer

    from squall.embedded import addresses
    from squall.topics import MAX_MESSAGE_BYTES, kafka_options

    settings = _settings(namespace)
    sent = 0
    with _store(settings) as store:
        options = kafka_options(settings, addresses(settings).bootstrap)
        producer = KafkaProducer(**options, acks="all", max_request_size=MAX_MESSAGE_BYTES)
        try:
            for letter in store.redrive(producer, ids or ()):
                sent += 1
                print(_line(letter) if as_json else f"{letter.id} sent to {letter.topic}: had failed with {letter.error}")
        finally:
            producer.close()
    if not as_json:
        print(f"{sent} dead letters sent again")


def _settings(namespace: str | None) -> Settings:
    settings = get_settings()
    return settings if namespace is None else settings.in_namespace(namespace)


@contextmanager
def _store(settings: Settings) -> "Iterator[DeadLetterStore]":
    from squall.cli.reading import database
    from squall.db.migrate import check_revision
    from streams.deadletters import DeadLetterStore

    with database(settings) as engine:
        check_revision(engine, settings)
        yield DeadLetterStore(engine)


def _line(letter: "Stored") -> str:
    shown: dict[str, Any] = asdict(letter)
    return json.dumps(shown, default=lambda value: value.isoformat())
