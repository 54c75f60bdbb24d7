"""Small marks: times, severity, state, sentiment, links."""

from datetime import datetime
from typing import Any, Literal

from dash import dcc, html

from dashboard import formats
from dashboard.clientside import HIDDEN, attributes
from dashboard.rows import IncidentRow
from dashboard.scopes import Names, scope_path
from dashboard.theme import GLYPHS, STATES

Kind = Literal["at", "age", "hour", "day", "wall"]


def moment(at: datetime | None, kind: Kind = "at") -> Any:
    """An instant, written by the browser in the viewer's zone: `14 Nov 09:32`, or how long ago: as of the pages' `now`, or of
    the time of day (`wall`), which differ in a replay."""
    if at is None:
        return html.Span(formats.UNKNOWN, title="Time not known")
    return html.Time(dateTime=at.isoformat(), className="t", **attributes(data_kind=kind))


def severity(name: str) -> Any:
    """Glyph and word of a severity."""
    glyph = html.Span(GLYPHS.get(name, "○"), className="glyph", **HIDDEN)
    return html.Span([glyph, name.capitalize()], className=f"sev sev-{name if name in GLYPHS else 'info'}")


def state(row: IncidentRow) -> Any:
    """Word of an incident's state."""
    return html.Span(STATES.get(row.state, row.state.capitalize()), className=f"state state-{row.state}")


def sentiment(value: float | None) -> Any:
    """A sentiment with its sign, on the colour of its step."""
    if value is None:
        return html.Span(formats.UNKNOWN, title="Not scored")
    return html.Span(formats.signed(value), className=f"mood {mood_class(value)}", title="Sentiment from −1 to +1")


def mood_class(value: float) -> str:
    """CSS class of the step that a sentiment falls on."""
    return f"m{formats.mood_step(value):+d}".replace("+", "p").replace("-", "n")


def scope_link(scope: str, names: Names) -> Any:
    """Name of a scope, as a link to its page."""
    return dcc.Link(names.scope(scope), href=scope_path(scope), className="scope")


def headline(title: str, url: str) -> Any:
    """A headline, as a link where it has a web address."""
    address = formats.web_link(url)
    if not address:
        return html.Span(title, className="headline", title="This item came without a web address")
    return html.A(title, href=address, target="_blank", rel="noopener noreferrer", className="headline")


def surprise(row: IncidentRow) -> Any:
    """Evidence against the alarm line."""
    return html.Span(
        [html.Strong(formats.surprise(row.surprise, None).split(" / ")[0]), f" / {row.threshold:.1f}"],
        className="num",
        title="Surprise: log10 of the evidence for a surge / the alarm line of the rule",
    )
