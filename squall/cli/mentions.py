"""`squall mentions`: what was said about whom, and how it was scored."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from squall.settings import get_settings

app = typer.Typer(help="Read scored mentions back.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    company: Annotated[str | None, typer.Option(help="id, full name or ticker of a company")] = None,
    since: Annotated[datetime | None, typer.Option(help="from this time on, in UTC")] = None,
    until: Annotated[datetime | None, typer.Option(help="before this time, in UTC")] = None,
    limit: Annotated[int, typer.Option(min=0, help="so many at most, the newest first; 0: all")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print mentions: company, time, sentiment, topic, novelty, story. `squall explain ID` says why a score is as it is."""
    from squall.cli.reading import reading, when
    from squall.db.readback import find_companies, list_mentions

    span = [at and at.replace(tzinfo=UTC) for at in (since, until)]
    with reading(get_settings().in_namespace(namespace)) as connection:
        companies = None if company is None else find_companies(connection, company)
        rows = list_mentions(connection, companies, span[0], span[1], limit or None)
    if as_json:
        print(json.dumps([{**row, "event_time": row["event_time"].isoformat()} for row in rows]))
        return
    if not rows:
        print("no mentions")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "company", "time (UTC)", "sentiment", "topic", "novelty", "story", box=None, pad_edge=False)
    for row in rows:
        tone = f"{row['sentiment']} {row[row['sentiment']]:.2f}" if row["sentiment"] else "not scored yet"
        copies = f" x{row['story_articles']}" if (row["story_articles"] or 1) > 1 else ""
        story = escape(row["story"] or row["title"]) + copies
        company, topic = row["company"] or "–", row["topic"] or "–"
        table.add_row(row["id"][:8], company, when(row["event_time"]), tone, topic, str(row["novelty"]), story)
    Console().print(table)
