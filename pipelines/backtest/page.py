"""A backtest's figures as one HTML page that needs nothing from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path

import plotly.graph_objects as go

from pipelines.backtest.prices import HORIZONS
from pipelines.backtest.report import Judged, Report, Tally
from squall.durations import lasting

VERDICTS = {True: ("followed by a fall", "#c0392b"), False: ("false", "#7f8c8d"), None: ("not judged", "#2e86c1")}
STYLE = """
:root { color-scheme: light }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1c2733; background: #fff }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dfe4ea; vertical-align: top }
.figures td:first-child { width: 24rem; color: #4b5966 }
.wide { overflow-x: auto }
"""


def write_page(found: Report, path: Path, title: str) -> None:
    """Write the page; its charts' script stands in it."""
    path.write_text(page(found, title), encoding="utf-8")


def page(found: Report, title: str) -> str:
    """The page as HTML."""
    charts = [_timeline(found.alerts), _delays(found.alerts), _moves(found.alerts)] if found.alerts else []
    parts = [
        chart.to_html(full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False})
        for number, chart in enumerate(charts)
    ]
    figures = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows(found))
    head = "".join(f"<th scope='col'>{name}</th>" for name in ALERT_COLUMNS)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in alert_row(one)) + "</tr>" for one in found.alerts)
    table = f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    alerts = table if found.alerts else "<p>None.</p>"
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><table class='figures'>{figures}</table>"
        f"<p>{escape(found.definition)}</p>{''.join(parts)}<h2>Alerts</h2>{alerts}</body></html>"
    )


def rows(found: Report) -> list[tuple[str, str]]:
    """The figures, each with its words."""
    low, high = found.followed_interval
    judged = found.followed + found.false
    share = "–" if found.followed_share is None else f"{found.followed_share:.0%} of {judged} (95 %: {low:.0%} to {high:.0%})"
    chance = "–" if found.chance_share is None else f"{found.chance_share:.1%} of {found.chance_sessions} company-sessions"
    delay = lasting(found.median_delay_minutes and found.median_delay_minutes * 60)
    return [
        ("From, to (UTC)", f"{_time(found.first)}, {_time(found.end)}"),
        ("Companies named, company-days", f"{found.companies}, {found.company_days:g}"),
        ("Alerts", _outcome(found)),
        *((f"of rule {rule}", _outcome(tally)) for rule, tally in found.by_rule.items() if len(found.by_rule) > 1),
        ("Followed by a fall, of those judged", share),
        ("The same by chance", chance),
        ("False alerts a company-day", f"{found.false_a_company_day:.2g} ({found.false_a_day:g} a day over all)"),
        ("First item of a surge to its alert, median", delay),
        *(
            (f"Mean move {name} after the alert", f"{percent(found.mean_after[name])} ({found.counted_after[name]} alerts)")
            for name in HORIZONS
        ),
    ]


def _outcome(one: Report | Tally) -> str:
    count = len(one.alerts) if isinstance(one, Report) else one.alerts
    return f"{count}: {one.followed} followed by a fall, {one.false} false, {one.unjudged} not judged"


ALERT_COLUMNS = ("fired (UTC)", "scope", "rule", "severity", "delay", "lowest close", "verdict", *HORIZONS, "summary")


def alert_row(one: Judged) -> list[str]:
    """An alert as the tables show it."""
    verdict = VERDICTS[one.followed][0]
    fall = "–" if one.fall is None else f"{one.fall:.1f} σ"
    moves = [percent(one.after[name]) for name in HORIZONS]
    return [
        _time(one.fired), one.name, one.rule, one.severity, lasting(one.delay_minutes * 60), fall, verdict, *moves, one.summary,
    ]  # fmt: skip


def percent(move: float | None) -> str:
    """A fraction as people read it; a dash where there is none."""
    return "–" if move is None else f"{move:+.1%}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _timeline(alerts: Sequence[Judged]) -> go.Figure:
    figure = go.Figure()
    for verdict, (words, colour) in VERDICTS.items():
        some = [one for one in alerts if one.followed is verdict]
        if some:
            figure.add_scatter(
                x=[one.fired for one in some],
                y=[escape(one.name) for one in some],
                text=[escape(one.summary) for one in some],
                mode="markers",
                name=words,
                marker={"color": colour, "size": 10, "symbol": "circle" if verdict else "diamond-open"},
                hovertemplate="%{x|%Y-%m-%d %H:%M}<br>%{text}<extra></extra>",
            )
    height = 220 + 22 * len({one.name for one in alerts})
    return _styled(figure, "Alerts", height=height)


def _delays(alerts: Sequence[Judged]) -> go.Figure:
    figure = go.Figure(go.Histogram(x=[one.delay_minutes / 60 for one in alerts], marker={"color": "#2e86c1"}))
    figure.update_xaxes(title_text="hours from the first item of the surge to the alert")
    figure.update_yaxes(title_text="alerts")
    return _styled(figure, "How long it took")


def _moves(alerts: Sequence[Judged]) -> go.Figure:
    figure = go.Figure()
    for name in HORIZONS:
        some = [(one, move) for one in alerts if (move := one.after[name]) is not None]
        figure.add_box(
            y=[100 * move for _, move in some],
            name=name,
            text=[f"{escape(one.name)} {_time(one.fired)}" for one, _ in some],
            boxpoints="all",
            marker={"color": "#c0392b"},
        )
    figure.update_yaxes(title_text="move since the alert, %", zeroline=True)
    return _styled(figure, "What the price did after the alert")


def _styled(figure: go.Figure, title: str, height: int = 340) -> go.Figure:
    return figure.update_layout(title=title, template="plotly_white", height=height, margin={"l": 60, "r": 20, "t": 50, "b": 50})
