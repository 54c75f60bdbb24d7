"""All incidents, open and resolved, and one of them in full."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from dashboard import formats
from dashboard.access import why_not
from dashboard.clientside import attributes, clientside
from dashboard.components import marks
from dashboard.components.acts import act_bar, act_modal, act_words, standing
from dashboard.components.around import around_panel
from dashboard.components.incidents import evidence_list, inputs_table, timeline, waits
from dashboard.components.news import TALL, grid_options
from dashboard.components.panels import empty, page, panel
from dashboard.context import Context, asked, limit_to, may, viewer
from dashboard.reads.neighbours import nearest_before
from dashboard.rows import IncidentRow
from dashboard.scopes import Names
from dashboard.theme import GLYPHS, SEVERITIES, STATES


def render(context: Context, search: str | None) -> Any:
    """Grid and detail: of the one that the address names, else on wide pages of the newest open one, before what is pending."""
    rows = context.reader.incidents(only=limit_to(context), brief=True)
    names = context.reader.names()
    if not rows:
        hint = "An incident opens when a company's negative news leaves its own past behind. It will appear here by itself."
        body = empty("There has been no incident yet.", hint)
        return page([html.H1("Incidents"), body], name="incidents", title="Incidents", again="incidents")
    size = viewer().size
    chosen = asked(search, "sel") or ("" if size == "narrow" else _first(rows).id)
    heading = html.Div(
        [html.H1("Incidents"), html.Span(_counts(rows), id="incident-counts", className="second")], className="page-head"
    )
    return page(
        [
            dcc.Store(id="sel", data=chosen),
            dcc.Store(id="act-kind"),
            dcc.Store(id="acted"),
            dcc.Store(id="act-words", data=act_words("" if may("incident") else why_not("incident"))),
            act_modal(),
            heading,
            html.Div(id="act-done", className="act-done", role="status"),
            html.Div(
                [
                    panel("All incidents", [_filters(search), _grid(rows, names, size, chosen)], name="list"),
                    html.Div(_detail(context, chosen), id="incident-detail", className="detail"),
                ],
                id="incident-columns",
                className="split has-sel" if chosen else "split",
            ),
        ],
        name="incidents",
        title="Incidents",
    )


def register(app: Dash, context: Context) -> None:
    """Keep the grid and the detail current, and follow the selection."""

    @app.callback(
        Output("incident-grid", "rowData"),
        Output("incident-counts", "children"),
        Input("rev-incidents", "data"),
        prevent_initial_call=True,
    )
    def grid(_revision: str) -> tuple[list[dict[str, Any]], str]:
        rows = context.reader.incidents(only=limit_to(context), brief=True)
        return incident_rows(rows, context.reader.names()), _counts(rows)

    @app.callback(
        Output("incident-detail", "children"),
        Input("sel", "data"),
        Input("rev-incidents", "data"),
        Input("acted", "data"),
        prevent_initial_call=True,
    )
    def detail(chosen: str | None, _revision: str, _acted: str | None) -> Any:
        return _detail(context, chosen or "")

    clientside(
        app,
        "select",
        Output("sel", "data"),
        Output("incident-columns", "className"),
        Input("incident-grid", "selectedRows"),
        State("sel", "data"),
    )
    clientside(
        app,
        "filterIncidents",
        Output("incident-grid", "filterModel"),
        Input("incident-state", "value"),
        Input("incident-severity", "value"),
        Input("incident-words", "value"),
        first=True,
    )
    clientside(app, "csv", Input("incident-csv", "n_clicks"))


def incident_rows(rows: Sequence[IncidentRow], names: Names) -> list[dict[str, Any]]:
    """Rows of the grid."""
    return [
        {
            "id": row.id,
            "severity": row.severity.capitalize(),
            "rank": SEVERITIES.index(row.severity) if row.severity in SEVERITIES else len(SEVERITIES),
            "glyph": GLYPHS.get(row.severity, "○"),
            "state": STATES.get(row.state, row.state.capitalize()),
            "open": row.open,
            "scope": names.scope(row.scope),
            "surprise": round(row.surprise if row.open else row.peak_surprise, 1),
            "threshold": row.threshold,
            "opened": row.opened_at.isoformat(),
            "lasted": _minutes(row.opened_at, row.resolved_at),
            "summary": row.summary,
        }
        for row in rows
    ]


def _minutes(first: datetime, last: datetime | None) -> int | None:
    return None if last is None else int((last - first).total_seconds() // 60)


def _first(rows: Sequence[IncidentRow]) -> IncidentRow:
    open_ones = [row for row in rows if row.open]
    return next((row for row in open_ones if row.state != "pending"), (open_ones or rows)[0])


def _counts(rows: Sequence[IncidentRow]) -> str:
    number, pending = sum(row.open for row in rows), sum(row.state == "pending" for row in rows)
    told = [f"{number - pending} open", *([f"{pending} pending"] if pending else []), f"{len(rows) - number} resolved"]
    return ", ".join(told)


def _filters(search: str | None) -> Any:
    return html.Div(
        [
            dmc.SegmentedControl(
                id="incident-state",
                data=["All", "Open", "Resolved"],
                value=asked(search, "state") or "All",
                size="xs",
                **attributes(aria_label="State"),
            ),
            dmc.MultiSelect(
                id="incident-severity",
                data=[{"value": name.capitalize(), "label": name.capitalize()} for name in SEVERITIES],
                value=[word for word in asked(search, "sev").split(",") if word],
                placeholder="Any severity",
                size="xs",
                clearable=True,
                w=150,
                **attributes(aria_label="Severity"),
            ),
            dmc.TextInput(
                id="incident-words",
                value=asked(search, "q"),
                placeholder="Filter by word",
                size="xs",
                w=124,
                debounce=200,
                **attributes(aria_label="Filter by word"),
            ),
            dmc.Button("CSV", id="incident-csv", variant="default", size="xs", **attributes(aria_label="Export the grid as CSV")),
        ],
        className="filters",
    )


def _grid(rows: Sequence[IncidentRow], names: Names, size: str, chosen: str) -> Any:
    number = {"type": "rightAligned", "width": 82}
    wide = [
        {
            "field": "severity",
            "headerName": "Severity",
            "cellRenderer": "Severity",
            "width": 104,
            "filter": True,
            "comparator": {"function": "squallBySeverity(valueA, valueB, nodeA, nodeB)"},
        },
        {"field": "scope", "headerName": "Scope", "minWidth": 110, "flex": 3, "filter": True, "tooltipField": "scope"},
        {"field": "state", "headerName": "State", "width": 130, "filter": True, "cellRenderer": "State"},
        {
            "field": "surprise",
            "headerName": "Surprise",
            "headerTooltip": "Now where it is open, at its peak where it is resolved: log10 of the evidence / the alarm line",
            **number,
            "valueFormatter": {"function": "squallSurprise(params)"},
        },
        {
            "field": "opened",
            "headerName": "Opened",
            "minWidth": 108,
            "maxWidth": 150,
            "flex": 2,
            "sort": "desc",
            "cellClass": "num",
            "valueFormatter": {"function": "squallTime(params.value)"},
            "tooltipValueGetter": {"function": "squallFullTime(params.value)"},
        },
        {"field": "lasted", "headerName": "Lasted", **number, "valueFormatter": {"function": "squallLasted(params.value)"}},
        {
            "field": "summary",
            "headerName": "Summary",
            "minWidth": 240,
            "flex": 6,
            "tooltipField": "summary",
            "valueFormatter": {"function": "squallWhy(params)"},
            "hide": size != "huge",
        },
    ]
    narrow = [
        {
            "field": "scope",
            "headerName": "Incident",
            "cellRenderer": "IncidentLines",
            "flex": 1,
            "cellClass": "two-lines",
            "filter": True,
        },
        {"field": "severity", "hide": True, "filter": True},
        {"field": "state", "hide": True, "filter": True},
        {"field": "opened", "hide": True, "sort": "desc"},
    ]
    return dag.AgGrid(
        id="incident-grid",
        className="grid grid-incidents",
        style=TALL,
        rowData=incident_rows(rows, names),
        getRowId="params.data.id",
        columnDefs=narrow if size == "narrow" else wide,
        defaultColDef={"resizable": True, "sortable": True, "suppressHeaderMenuButton": True, "suppressHeaderFilterButton": True},
        selectedRows={"ids": [chosen]} if chosen else [],
        dashGridOptions=grid_options(
            size,
            rowSelection={"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            localeText={"noRowsToShow": "No incident fits these filters: clear them"},
        ),
    )


def _detail(context: Context, chosen: str) -> Any:
    if not chosen:
        return empty("No incident is chosen.", "Choose one in the list to see what it rests on.")
    row = context.reader.incident(chosen)
    if row is None:
        return empty("This incident is not in the database.", dcc.Link("See all incidents", href="/incidents"))
    names = context.reader.names()
    events = context.reader.events(row.id)
    nearest = nearest_before(context.reader, row.id, row.fired_at) if row.fired_at else ()
    then = "fired" if row.fired_at else "opened"
    facts = [
        ("Surprise / alarm line", marks.surprise(row)),
        ("At its peak", html.Span(f"{row.peak_surprise:.1f}", className="num")),
        ("Opened", marks.moment(row.opened_at)),
        ("Fired", marks.moment(row.fired_at) if row.fired_at else "Not yet" if row.open else "Never"),
        ("Resolved", marks.moment(row.resolved_at) if row.resolved_at else "Still open"),
        ("Rule", formats.listed([row.rule.replace("-", " ")])),
    ]
    return [
        dmc.Button("Back to the list", id="incident-back", variant="default", size="xs", className="back"),
        html.Section(
            [
                html.Header(
                    [marks.severity(row.severity), html.H2(marks.scope_link(row.scope, names)), marks.state(row)],
                    className="detail-head",
                ),
                act_bar(row, "" if may("incident") else why_not("incident")),
                *standing(row, events, context.reader.silences()),
                html.P(row.summary, className="summary"),
                *waits(row),
                html.Dl(
                    [part for name, value in facts for part in (html.Div([html.Dt(name), html.Dd(value)]),)], className="facts"
                ),
            ],
            className="panel detail-panel",
        ),
        panel("Evidence", evidence_list(row.evidence), name="evidence", note=f"as it was when it {then}, heaviest first"),
        panel(
            f"Why it {then}",
            inputs_table(row.inputs) if row.inputs else empty("What it was decided from is not kept.", ""),
            name="inputs",
            note="frozen then",
        ),
        *around_panel(context.reader.around(row.id), names, nearest),
        panel("Timeline", timeline(events), name="timeline", note="event time"),
    ]
