"""What was known around an incident when it fired: price and chart, who else was in its stories, and past ones like it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dash import dcc, html

from dashboard import formats
from dashboard.clientside import HIDDEN
from dashboard.components import marks
from dashboard.components.panels import panel
from dashboard.scopes import Names

AFTER = (("1h", "1 h"), ("1d", "1 day"), ("5d", "5 days"))


def around_panel(context: Mapping[str, Any], names: Names, nearest: Sequence[Mapping[str, Any]] = ()) -> list[Any]:
    """The panel; none for an incident that has not fired, or had nothing around it.

    Args:
        nearest: past incidents that mean the same, in place of those with the same words.
    """
    parts = [*_price(context.get("price")), *_chart(context.get("chart")), *_risk(context), *_others(context.get("others") or ())]
    parts += _similar(nearest or context.get("similar") or (), names)
    return [panel("Around it", parts, name="context", note="as it was when it fired")] if parts else []


def _price(price: Mapping[str, Any] | None) -> list[Any]:
    if not price:
        return []
    moved = "" if price["change"] is None else f", {formats.move(price['change'])} on the bar before"
    known = marks.moment(datetime.fromisoformat(price["known_at"]))
    return [_line("Price then", [html.Span(f"{price['close']:,.2f}{moved}", className="num"), ", known ", known])]


def _chart(chart: Mapping[str, Any] | None) -> list[Any]:
    if not chart:
        return []
    image = html.Img(src=f"/squall/chart/{chart['id']}", alt="The newest chart that had come by then", className="received")
    told = [html.P(chart["words"], className="note")] if chart.get("words") else []
    end = marks.moment(datetime.fromisoformat(chart["end"]))
    return [_line("Chart then", [html.Div(["up to ", end]), image, *told])]


def _risk(context: Mapping[str, Any]) -> list[Any]:
    """How likely a fall of the price was by the evidence, and how far text, price and chart moved that, where a model said so."""
    impact, modalities = context.get("impact"), context.get("modalities") or {}
    lines = []
    if impact is not None:
        lines.append(_line("Risk of a fall", html.Span(formats.share(impact), className="num", title=formats.FALL)))
    told = {name: value for name, value in modalities.items() if isinstance(value, int | float)}
    if told:
        hint = "Shapley shares: how far each moved the model's logit of a fall"
        words = ", ".join(f"{name} {formats.signed(value)}" for name, value in told.items())
        lines.append(_line("Moved by", [html.Span(words, className="num", title=hint), _bar(told)]))
    return lines


def _bar(told: Mapping[str, float]) -> Any:
    """The sizes of the shares beside each other."""
    parts = [html.Span(className=f"part part-{name}", style={"flexGrow": abs(value)}) for name, value in told.items()]
    return html.Div(parts, className="parts", **HIDDEN)


def _others(others: Any) -> list[Any]:
    links = [
        [dcc.Link(one["name"], href=f"/company/{one['company']}"), f" ({formats.plural(one['stories'], 'story', 'stories')})"]
        for one in others
    ]
    told = [part for number, link in enumerate(links) for part in ([", "] if number else []) + link]
    return [_line("Also in its stories", told)] if told else []


def _similar(similar: Any, names: Names) -> list[Any]:
    rows = [
        html.Li(
            [
                dcc.Link([names.scope(one["scope"]), " ", marks.moment(datetime.fromisoformat(one["fired_at"]))], href=_at(one)),
                html.Span(f" {_likeness(one)}; ", className="second"),
                html.Span(_moved(one.get("after")), className="num"),
            ]
        )
        for one in similar
    ]
    return [_line("Like it before", html.Ul(rows, className="says"))] if rows else []


def _likeness(one: Mapping[str, Any]) -> str:
    """How alike it is: by the meaning of its stories, or by their words, as frozen."""
    return f"closeness {one['closeness']:.2f}" if "closeness" in one else f"{round(100 * one['likeness'])} % of its words"


def _at(one: Mapping[str, Any]) -> str:
    return f"/incidents?sel={one['incident']}"


def _moved(after: Mapping[str, Any] | None) -> str:
    told = [f"{words} {formats.move(after[key])}" for key, words in AFTER if after and after.get(key) is not None]
    return f"then the price: {', '.join(told)}" if told else "what the price did then is not known"


def _line(head: str, body: Any) -> Any:
    return html.Div([html.Span(head, className="second"), html.Div(body)], className="around-line")
