"""The gate's verdict as a page that stands alone: what was compared, with plots."""

from __future__ import annotations

from html import escape

from pipelines.learning.gate import Compared, Verdict

GOOD, BAD, PLAIN = "#0072b2", "#d55e00", "#555555"
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


def page(verdict: Verdict) -> str:
    """HTML with its scripts inside; it loads nothing."""
    word = "promoted" if verdict.promote else "refused"
    title = f"{verdict.challenger} against {verdict.champion}: {word}"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    rows = "".join(_row(one) for one in (verdict.main, *verdict.slices))
    small = ", ".join(f"{escape(name)} ({count})" for name, count in sorted(verdict.too_small.items())) or "none"
    terms = verdict.terms
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<ul>{reasons}</ul>
<p>Judged on data set {escape(verdict.dataset) or "SQUALL_DATA_DIR"}. Differences are of the share of rows that are right, with
95 % intervals of a paired bootstrap over stories ({terms.draws:,} draws). A slice refuses where the loss exceeds
{terms.margin:.0%} beyond chance (one-sided, Holm, {terms.level:.0%} over all slices), or {terms.limit:.0%} as seen.</p>
{_figure(verdict)}
<table><thead><tr><th>rows</th><th>number</th><th>champion</th><th>challenger</th><th>difference</th><th>95 % interval</th>
<th>p</th></tr></thead><tbody>{rows}</tbody></table>
<p>Too few rows to judge by: {small}.</p>
</body></html>
"""


def _row(one: Compared) -> str:
    shares = (f"{one.champion:.1%}", f"{one.challenger:.1%}", f"{one.difference:+.2%}")
    numbers = (f"{one.rows:,}", *shares, f"{one.low:+.2%} to {one.high:+.2%}", f"{one.p:.4f}")
    return f"<tr><td>{escape(one.name)}</td>{''.join(f'<td>{number}</td>' for number in numbers)}</tr>"


def _figure(verdict: Verdict) -> str:
    import plotly.graph_objects as go

    found = [verdict.main, *verdict.slices][::-1]
    colors = [GOOD if one.low > 0 else BAD if one.high < 0 else PLAIN for one in found]
    points = go.Scatter(
        x=[one.difference for one in found],
        y=[one.name for one in found],
        mode="markers",
        marker={"color": colors, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.difference for one in found],
            "arrayminus": [one.difference - one.low for one in found],
            "color": PLAIN,
            "thickness": 1,
        },
        hovertemplate="%{y}: %{x:+.2%}<extra></extra>",
    )
    figure = go.Figure(points)
    figure.add_vline(x=0, line_color=PLAIN, line_width=1)
    figure.add_vline(x=-verdict.terms.margin, line_color=BAD, line_width=1, line_dash="dash")
    figure.update_layout(
        height=160 + 26 * len(found),
        template="plotly_white",
        margin={"l": 10, "r": 10, "t": 10, "b": 40},
        xaxis={"tickformat": "+.1%", "title": "challenger less champion, share right"},
        yaxis={"automargin": True},
    )
    html: str = figure.to_html(full_html=False, include_plotlyjs=True, div_id="slices")
    return html
