"""Small tables and figures in tiles, for what needs no grid."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.clientside import attributes
from dashboard.context import viewer

Head = str | tuple[str, str]
SIDE_BY_SIDE = 3
SMALL = ("matrix", "movers")
"""Tables of numbers alone, which have room on every page."""


def table(heads: Sequence[Head], rows: Sequence[Sequence[Any]], name: str = "") -> Any:
    """A table. A head that begins with `>` is that of numbers, which stand right; a pair adds a hint.

    On narrow pages a row of more than `SIDE_BY_SIDE` cells stands as lines, each with its head.
    """
    stacked = viewer().size == "narrow" and len(heads) > SIDE_BY_SIDE and name not in SMALL
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
                    [
                        html.Tr(
                            [
                                html.Td(cell, className=side, **attributes(data_head=head.removeprefix(">")))
                                for cell, side, (head, _) in zip(row, right, named, strict=True)
                                if not (stacked and cell in ("", None))
                            ]
                        )
                        for row in rows
                    ]
                ),
            ],
            className=f"plain {name} stacked" if stacked else f"plain {name}",
        ),
        className="wide-table",
        tabIndex=None if stacked else 0,
    )


def tiles(figures: Sequence[tuple[str, Any, str]]) -> Any:
    """Figures with a label and a hint each."""
    return html.Dl([html.Div([html.Dt(label), html.Dd(value)], title=hint) for label, value, hint in figures], className="tiles")
