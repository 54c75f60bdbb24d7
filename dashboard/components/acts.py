"""What a person can do to an incident: the buttons, the question that they ask, and what was done so far."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import dash_mantine_components as dmc
from dash import html

from dashboard.clientside import attributes
from dashboard.components import marks
from dashboard.rows import EventRow, IncidentRow
from squall.acts import matches


class Act(NamedTuple):
    """An act: its button, its key, and what it asks."""

    label: str
    key: str
    question: str
    field: str
    needed: bool
    """Whether the field must be filled in."""


ACTS: Mapping[str, Act] = {
    "acknowledge": Act(
        "Acknowledge",
        "a",
        "It repeats no more, and still resolves by itself. This cannot be taken back.",
        "A word to the others (may stay empty)",
        False,
    ),
    "silence": Act("Silence", "s", "Nobody is told of this scope meanwhile; incidents still open here.", "Why", True),
    "note": Act("Note", "n", "Everybody who opens the incident reads it.", "Note", True),
    "false": Act("False alarm", "f", "It changes no decision, and counts in the rule's record.", "Why it is false", True),
}
LASTS = {"1 h": timedelta(hours=1), "4 h": timedelta(hours=4), "1 day": timedelta(days=1), "7 days": timedelta(days=7)}
UNDO_S = 10


def act_bar(row: IncidentRow, refused: str) -> Any:
    """The buttons; `refused`: why the person may not act, empty where they may."""
    return html.Div(
        [_button(name, act, refused or _senseless(name, row)) for name, act in ACTS.items()],
        className="act-bar",
        role="group",
        **attributes(aria_label="Acts"),
    )


def _senseless(name: str, row: IncidentRow) -> str:
    if name == "acknowledge" and row.state != "firing":
        return "Only a firing incident can be acknowledged"
    if name == "false" and row.verdict:
        return "It is marked as a false alarm already"
    return ""


def _button(name: str, act: Act, refused: str) -> Any:
    button = dmc.Button(
        act.label,
        id={"act": name},
        size="sm",
        variant="filled" if name == "acknowledge" else "default",
        disabled=bool(refused),
        rightSection=dmc.Kbd(act.key, size="xs"),
        **attributes(data_key=act.key),
    )
    return html.Span(button, title=refused or f"{act.label} (key {act.key})")


def act_words(refused: str) -> dict[str, dict[str, Any]]:
    """What the question of each act says, for the browser; `refused`: why the person may not act, empty where they may."""
    return {name: {**act._asdict(), "lasts": name == "silence", "refused": refused} for name, act in ACTS.items()}


def act_modal() -> Any:
    """The question that an act asks; empty until a button is pressed."""
    return dmc.Modal(
        [
            html.P(id="act-question", className="second"),
            html.Div(
                dmc.SegmentedControl(
                    id="act-lasts", data=list(LASTS), value="4 h", size="sm", **attributes(aria_label="For how long")
                ),
                id="act-lasts-box",
            ),
            dmc.Textarea(id="act-text", label="", autosize=True, minRows=2, maxRows=8, **{"data-autofocus": True}),
            html.P(id="act-error", className="trouble", role="alert"),
            html.Div(
                [
                    dmc.Button("Cancel", id="act-no", variant="default"),
                    dmc.Button("Do it", id="act-yes"),
                ],
                className="actions",
            ),
        ],
        id="act-modal",
        title="",
        centered=True,
        opened=False,
    )


def done_line(words: str, undo: dict[str, str] | None) -> Any:
    """What was just done; with `undo`, a button that takes it back, for ten seconds."""
    parts: list[Any] = [html.Span(words)]
    if undo:
        parts.append(
            dmc.Button("Undo", id={"undo": undo["what"], "key": undo["key"], "at": "line"}, size="xs", variant="default")
        )
    return html.Div(parts, className="done-line undoable" if undo else "done-line", key=f"{words} {undo}")


def standing(row: IncidentRow, events: Sequence[EventRow], silences: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Who has done what that is still in force."""
    lines: list[Any] = []
    if row.state == "acknowledged" and (event := _last(events, "acknowledged")):
        lines.append(["✓ Acknowledged by ", html.Strong(event.actor), ", ", marks.moment(event.recorded_at, "wall"), " ago"])
    if row.verdict and (event := _last(events, "marked_false")):
        why = f": “{event.detail['text']}”" if event.detail.get("text") else ""
        lines.append(["✗ Marked as a false alarm by ", html.Strong(event.actor), why])
    for one in silences:
        if one["active"] and matches(one["pattern"], row.scope):
            end = dmc.Button(
                "End", id={"undo": "silence", "key": str(one["id"]), "at": "standing"}, size="compact-xs", variant="default"
            )
            words = [
                "Silenced until ",
                marks.moment(one["until"]),
                " by ",
                html.Strong(one["author"]),
                f": “{one['reason']}” ",
                end,
            ]
            lines.append(words)
    return [html.P(line, className="standing") for line in lines]


def _last(events: Sequence[EventRow], kind: str) -> EventRow | None:
    return next((event for event in reversed(events) if event.kind == kind), None)
