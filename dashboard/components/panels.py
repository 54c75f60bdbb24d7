"""Frames of panels, and what they show when they have nothing to show."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.clientside import attributes


def panel(title: str, body: Any, *, name: str, aside: Any = None, note: Any = "") -> Any:
    """A panel with a title; `aside` stands right of the title, `note` says in what unit."""
    head = [html.H2(title), html.Span(note, className="note")]
    return html.Section(
        [
            html.Header([*head, html.Div(aside, className="aside")] if aside is not None else head),
            html.Div(body, className="body"),
        ],
        className=f"panel panel-{name}",
        **attributes(aria_label=title),
    )


def stacks(*columns: Sequence[Any]) -> list[Any]:
    """Columns of panels, each closed up by itself; on narrow pages one column."""
    return [html.Div(list(panels), className="stack") for panels in columns]


def empty(what: str, next_step: Any) -> Any:
    """Why there is nothing, and what to do."""
    return html.Div([html.P(what, className="what"), html.P(next_step, className="next")], className="empty")


def code(words: str) -> Any:
    """A command."""
    return html.Code(words)


def page(children: Sequence[Any], *, name: str, title: str, again: str = "", ticks: bool = False) -> Any:
    """A whole page.

    Args:
        title: of the browser's tab.
        again: the revision with whose change the page is asked for anew.
        ticks: it reads every few seconds what has no revision.
    """
    about = attributes(data_title=title, data_again=again, data_ticks="yes" if ticks else "")
    return html.Div(list(children), className=f"page page-{name}", **about)


def failed(reason: str) -> Any:
    """A page that could not be read; it is asked for again as soon as the database answers."""
    body = html.Div([html.H1("Nothing to show yet"), html.P(reason)], className="empty")
    return html.Div([body], className="page page-failed", **attributes(data_title="No database", data_again="up"))
