"""`squall alerts`: what people were told, and what they do about it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from squall.errors import UsageError
from squall.settings import get_settings

app = typer.Typer(help="Notifications: what was told, acknowledging, silences, trying a channel.", no_args_is_help=True)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command("list")
def list_(
    namespace: Namespace = "",
    dead: Annotated[bool, typer.Option("--dead", help="only those that were given up")] = False,
    limit: Annotated[int, typer.Option(min=1, help="how many, the newest first")] = 50,
    as_json: AsJson = False,
) -> None:
    """List notifications by channel: waiting, delivered, or dead after too many failures."""
    from squall.cli.reading import reading, when
    from squall.db.readback import list_notifications

    with reading(get_settings().in_namespace(namespace)) as connection:
        rows = list_notifications(connection, dead_only=dead, limit=limit)
    if as_json:
        print(json.dumps(rows, default=str))
        return
    if not rows:
        print("no notifications")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("incident", "event time (UTC)", "channel", "delivery", "tries", "alert", "error", box=None, pad_edge=False)
    for row in rows:
        at = when(datetime.fromisoformat(row["at"]))
        said = f"{row['state']}: {escape(row['summary'])}"
        table.add_row(
            row["incident_id"][:8], at, row["channel"], row["delivery"], str(row["attempts"]), said, escape(row["error"] or "")
        )
    Console().print(table)


@app.command()
def ack(
    incident: Annotated[str, typer.Argument(help="id of a firing incident, or how it begins")],
    text: Annotated[str, typer.Option(help="a word to the others")] = "",
    namespace: Namespace = "",
) -> None:
    """Acknowledge an incident: it is told no more, and still resolves by itself."""
    from squall import acts
    from squall.cli.reading import actor, writing
    from squall.db.readback import find_incident

    with writing(get_settings().in_namespace(namespace)) as connection:
        row = find_incident(connection, incident)
        acts.acknowledge(connection, row["id"], actor(), text)
    print(f"acknowledged: {row['summary']}")


@app.command()
def silence(
    pattern: Annotated[str, typer.Argument(help="scopes to keep quiet: company:boeing, 'sector:*', '*'")],
    reason: Annotated[str, typer.Option(help="why")],
    length: Annotated[str, typer.Option("--for", help="how long, in event time: 30m, 2h, 1d")] = "2h",
    namespace: Namespace = "",
) -> None:
    """Tell nobody of matching incidents for a while; they still open, fire and resolve, and are told if they last longer."""
    from squall import acts
    from squall.cli.reading import actor, writing
    from squall.rules import seconds

    try:
        span = timedelta(seconds=seconds(length))
    except ValueError as error:
        raise UsageError(f"--for {length}: {error}") from None
    with writing(get_settings().in_namespace(namespace)) as connection:
        until = (acts.decided_until(connection) or datetime.now(UTC)) + span
        key = acts.silence(connection, pattern, until, actor(), reason)
    print(f"silence {key} until {until:%Y-%m-%d %H:%M} UTC; `squall alerts unsilence {key}` ends it")


@app.command()
def unsilence(number: Annotated[int, typer.Argument(help="number of a silence")], namespace: Namespace = "") -> None:
    """End a silence."""
    from squall import acts
    from squall.cli.reading import actor, writing

    with writing(get_settings().in_namespace(namespace)) as connection:
        acts.unsilence(connection, number, actor())


@app.command()
def silences(namespace: Namespace = "", as_json: AsJson = False) -> None:
    """List silences, the newest first."""
    from squall import acts
    from squall.cli.reading import reading, when

    with reading(get_settings().in_namespace(namespace)) as connection:
        rows = acts.list_silences(connection)
    if as_json:
        print(json.dumps(rows, default=str))
        return
    for row in rows:
        state = "active" if row["active"] else "over"
        print(f"{row['id']}  {state}  {row['pattern']}  until {when(row['until'])}  {row['author']}: {row['reason']}")
    if not rows:
        print("no silences")


@app.command("test-channel")
def test_channel(name: Annotated[str, typer.Argument(help="console, webhook, or a channel of SQUALL_NOTIFY__APPRISE")]) -> None:
    """Send a made-up alert over a channel, and say whether it was taken."""
    from streams.channels import example, open_channel

    channel = open_channel(get_settings(), name)
    try:
        channel.deliver(example(datetime.now(UTC)))
    except Exception as error:
        raise UsageError(f"{name}: {type(error).__name__}: {error}".splitlines()[0]) from None
    print(f"{name} has taken it")
