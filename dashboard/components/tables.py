"""Small tables and figures in tiles, for what needs no grid."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.context import viewer

Head = str | tuple[str, str]


def table(heads: Sequence[Head], rows: Sequence[Sequence[Any]], name: str = "") -> Any:
    """A table. A head that begins with `>` is that of numbers, which stand right; a pair adds a hint."""
    named = [head if isinstance(head, tuple) else (head, "") for head in heads]
    right = ["r num" if head.startswith(">") else "" for head, _ in named]
    return html.Div(
        html.Table(
            [
                html.Thead(
                    html.Tr(
                        [
                            html.Th(head.removeprefix(">"), className=side, title=hint or None, scope="col")
                            for (head, hint), side in zip(named, right, strict=True)
                        ]
                    )
                ),
                html.Tbody(
                    [html.Tr([html.Td(cell, className=side) for cell, side in zip(row, right, strict=True)]) for row in rows]
                ),
            ],
            className=f"plain {name}",
        ),
        className="wide-table",
        tabIndex=0 if viewer().size == "narrow" else None,
    )


def tiles(figures: Sequence[tuple[str, Any, str]]) -> Any:
    """Figures with a label and a hint each."""
    return html.Dl([html.Div([html.Dt(label), html.Dd(value)], title=hint) for label, value, hint in figures], className="tiles")
