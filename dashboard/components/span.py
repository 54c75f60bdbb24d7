"""The range of a page: presets, an end that follows the clock or stands still, and what moves both."""

import json
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.clientside import HIDDEN, attributes
from dashboard.context import asked
from dashboard.ranges import PRESETS, instant


def span_control(name: str, preset: str, search: str | None, *, label: str = "Range", size: str = "xs") -> Any:
    """A control `name` whose value is a preset, beside a store `until` with the range's end; None: it follows the clock."""
    until = instant(asked(search, "to"))
    milliseconds = {key: int(span.total_seconds() * 1000) for key, span in PRESETS.items()}
    return html.Div(
        [
            dcc.Store(id="until", data=until.isoformat() if until else None),
            _button("‹", "[", "Earlier ([)"),
            dmc.SegmentedControl(id=name, data=list(PRESETS), value=preset, size=size, **attributes(aria_label=label)),
            _button("›", "]", "Later (])"),
            _button("Follow", ".", "The range ends now again (.)", "follow"),
        ],
        className="span-control",
        **attributes(data_span=name, data_spans=json.dumps(milliseconds)),
    )


def _button(words: str, key: str, title: str, name: str = "") -> Any:
    return html.Button(
        html.Span(words, **({} if name else HIDDEN)),
        type="button",
        className=f"span-step {name}".strip(),
        title=title,
        **attributes(data_shift=key, **({} if name else {"aria_label": title})),
    )
