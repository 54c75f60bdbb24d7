"""The tables of the pipeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import code, empty
from dashboard.components.tables import Head, table
from dashboard.reads.pipeline import Letter, OutboxRow, Partition, SourceRow, as_text
from dashboard.scopes import pretty
from dashboard.workers import Worker
from squall.durations import lasting


def partitions_table(rows: Sequence[Partition], now: datetime | None, decided: tuple[datetime, datetime] | None) -> Any:
    """How far each partition has come, and how far `watch` has decided."""
    if not rows:
        return empty("No time record has come through.", ["A worker writes one each second: ", code("squall up")])

    def behind(at: datetime) -> Any:
        return lasting(None if now is None else now - at)

    lines: list[list[Any]] = [
        [f"Partition {row.number}", marks.moment(row.at), behind(row.at), marks.moment(row.moved_at, "wall")] for row in rows
    ]
    if decided:
        lines.append(["Decided up to", marks.moment(decided[0]), behind(decided[0]), marks.moment(decided[1], "wall")])
    heads: list[Head] = [
        "",
        ("Event time", "Of the last time record that came through"),
        (">Behind", "The pages' clock less it"),
        ("Written", "How long ago, by the time of day"),
    ]
    return table(heads, lines)


def workers_table(rows: Sequence[Worker]) -> Any:
    """State and lag of each worker."""
    if not rows:
        return empty(
            "No worker has written here.", ["Start them with ", code("squall up"), "; on other machines: ", code("squall status")]
        )
    return table(
        [
            "",
            "State",
            ("Scores on", "Library, number format, device and batch size of the text model"),
            (">Lag", "Messages that it has not acknowledged"),
            (">Processed", "Messages since its start"),
            (">Twice", "Messages that came again after a crash"),
            (">Idle for", "Since it finished a batch"),
        ],
        [
            [
                html.Span(f"Worker {number}", className="whole"),
                _worker_state(row),
                row.scores_on,
                formats.count(row.lag),
                formats.count(row.processed),
                formats.count(row.redelivered),
                lasting(row.quiet_s),
            ]
            for number, row in enumerate(rows, 1)
        ],
    )


def _worker_state(row: Worker) -> Any:
    if row.lag is None:
        return f"unknown: silent for {lasting(row.silent_s)}"
    if not row.degraded:
        return pretty(row.state)
    return [pretty(row.state), html.Div(f"▲ degraded: {row.degraded}", className="trouble")]


def outbox_table(rows: Sequence[OutboxRow]) -> Any:
    """Notifications by channel."""
    if not rows:
        return empty("Nothing was to be told in 7 days.", "An incident that fires tells the channels that the settings name.")
    return table(
        ["Channel", ">Waiting", "Oldest", ">Delivered", (">Given up", "After the last attempt"), "Last error"],
        [
            [
                pretty(row.channel),
                formats.count(row.waiting),
                marks.moment(row.oldest_at, "wall") if row.oldest_at else "",
                formats.count(row.delivered),
                formats.count(row.dead),
                row.error or "",
            ]
            for row in rows
        ],
    )


def sources_table(rows: Sequence[SourceRow], *, brief: bool = False) -> Any:
    """Sources with their health; those that nobody asks, as their items are sent or come from a file, by name alone.

    Args:
        brief: without what is not asked first.
    """
    if not rows:
        return empty("No source is known yet.", ["Read a feed: ", code("squall ingest feeds https://example.com/business.rss")])
    shown = [row for row in rows if row.asked or row.silent]
    names = formats.listed([row.name for row in rows if row not in shown], 12)
    others = html.P(["Named by items of requests, a file or a replay: ", html.Span(names, className="second")]) if names else None
    return html.Div([_shown(shown, brief) if shown else None, others])


def _shown(rows: Sequence[SourceRow], brief: bool) -> Any:
    first: list[Head] = ["Source", "State", ("Last item", "How long ago, of event time")]
    rest: list[Head] = ["Kind", ">Items", ("Last answer", "How long ago")]
    return table(
        first if brief else first + rest,
        [
            [
                row.name,
                _source_state(row),
                marks.moment(row.last_item_at, "age"),
                *([] if brief else [pretty(row.kind), formats.count(row.items), marks.moment(row.last_ok_at, "wall")]),
            ]
            for row in rows
        ],
    )


def _source_state(row: SourceRow) -> Any:
    if row.failed:
        return html.Span(
            ["▲ ", row.last_error or "failed", " ", marks.moment(row.last_error_at, "wall"), " ago"], className="trouble"
        )
    if row.silent:
        return html.Span("▲ Answers, and is silent" if row.asked else "▲ Silent", className="trouble")
    return "Answers"


def letters_table(rows: Sequence[Letter]) -> Any:
    """Single dead letters with the beginning of what they hold."""
    return html.Div([_letter(row) for row in rows])


def _letter(row: Letter) -> Any:
    if row.redriven_at and not row.asked:
        then: list[Any] = [
            "sent again ",
            marks.moment(row.redriven_at, "wall"),
            " ago",
            f" for {row.asked_by}" if row.asked_by else "",
        ]
    elif row.asked:
        then = [f"asked for by {row.asked_by}, a worker sends it"]
    else:
        then = ["waiting"]
    place = f"partition {row.partition}, offset {formats.count(row.offset)}, {formats.plural(row.size, 'byte')}"
    more = " …" if row.size > len(row.payload) else ""
    return html.Div(
        [
            html.Div([marks.moment(row.received_at, "wall"), f" ago · {place} · ", *then], className="meta"),
            html.Div(row.error),
            html.Pre(as_text(row.payload) + more),
        ],
        className="letter",
    )
