"""The grid of scored news."""

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag

from dashboard.components.marks import mood_class
from dashboard.formats import FALL, share, web_link
from dashboard.rows import MILLION, NewsRow
from dashboard.scopes import Names, scope_path

TALL = {"height": "var(--tall)", "width": "100%"}
"""The style sheet says how tall; components of Dash write a height of their own otherwise."""
GRID = {
    "theme": {"function": "squallTheme(agGrid)"},
    "animateRows": False,
    "suppressCellFocus": False,
    "suppressDragLeaveHidesColumns": True,
    "enableCellTextSelection": True,
    "suppressColumnMoveAnimation": True,
    "tooltipShowDelay": 300,
}


def grid_options(size: str, **more: Any) -> dict[str, Any]:
    """Options that all grids share; narrow pages have rows of two lines."""
    heights = {"rowHeight": 56, "headerHeight": 0} if size == "narrow" else {"rowHeight": 32, "headerHeight": 32}
    return {**GRID, **heights, **more}


def news_rows(rows: Sequence[NewsRow], names: Names) -> list[dict[str, Any]]:
    """Rows of the grid; times are instants, written in the viewer's zone by the browser."""
    return [
        {
            "id": row.mention_id,
            "at": row.at.isoformat(),
            "company": names.company(row.company_id),
            "href": scope_path(f"company:{row.company_id}" if row.company_id else "market"),
            "sentiment": round(row.sentiment, 2),
            "mood": mood_class(row.sentiment),
            "title": row.title,
            "url": web_link(row.url),
            "topic": names.topic(row.topic),
            "novelty": row.novelty,
            "relevance": row.relevance,
            "source": row.source,
            "fall": "" if row.impact is None else share(row.impact / MILLION),
            "remark": remark(row),
        }
        for row in rows
    ]


def remark(row: NewsRow) -> str:
    """What a person should know of the item beside its numbers."""
    parts = [
        "its minute had been decided when it arrived" if row.late else "",
        "published long before it was fetched" if row.delayed else "",
        f"one of {row.articles} articles of this story" if row.articles > 1 else "",
        f"scored by {row.model_version}",
    ]
    words = "; ".join(part for part in parts if part)
    return words[:1].upper() + words[1:]


def news_grid(name: str, rows: Sequence[NewsRow], names: Names, size: str, *, with_company: bool) -> Any:
    """The grid, newest first."""
    return dag.AgGrid(
        id=name,
        className="grid grid-news",
        style=TALL,
        rowData=news_rows(rows, names),
        getRowId="params.data.id",
        columnDefs=_narrow() if size == "narrow" else _columns(with_company, size),
        defaultColDef={"resizable": True, "sortable": True, "suppressHeaderMenuButton": True, "filter": False},
        dashGridOptions=grid_options(size, localeText={"noRowsToShow": "No scored news in this range"}),
    )


def _narrow() -> list[dict[str, Any]]:
    return [{"field": "title", "headerName": "News", "cellRenderer": "NewsLines", "flex": 1, "cellClass": "two-lines"}]


def _columns(with_company: bool, size: str) -> list[dict[str, Any]]:
    number = {"type": "rightAligned", "width": 78}
    words = {"flex": 1.5}
    columns = [
        {
            "field": "at",
            "headerName": "Time",
            "width": 114,
            "valueFormatter": {"function": "squallTime(params.value)"},
            "tooltipValueGetter": {"function": "squallFullTime(params.value)"},
            "cellClass": "num",
        },
        {
            "field": "sentiment",
            "headerName": "Sentiment",
            "headerTooltip": "P(positive) − P(negative), −1 to +1",
            "cellRenderer": "Mood",
            **number,
            "width": 98,
        },
        {"field": "company", "headerName": "Company", **words, "minWidth": 104, "maxWidth": 180, "cellRenderer": "ScopeLink"},
        {
            "field": "title",
            "headerName": "Headline",
            "minWidth": 240,
            "flex": 4,
            "cellRenderer": "NewsLink",
            "tooltipField": "title",
        },
        {"field": "topic", "headerName": "Topic", "flex": 2, "minWidth": 124, "maxWidth": 220, "tooltipField": "topic"},
        {
            "field": "novelty",
            "headerName": "Novelty",
            "headerTooltip": "100 for the first article of a story, 50 for the second, …",
            **number,
        },
        {
            "field": "relevance",
            "headerName": "Relevance",
            "headerTooltip": "How much the text is about the company, 0 to 100",
            **number,
            "width": 96,
        },
        {"field": "fall", "headerName": "Fall risk", "headerTooltip": FALL, **number, "width": 88, "sortable": False},
        {"field": "source", "headerName": "Source", **words, "minWidth": 104, "maxWidth": 220, "tooltipField": "remark"},
    ]
    hidden = {"fall"} if with_company else {"company"}
    if size == "medium":
        hidden |= {"relevance", "novelty"}
    return [column for column in columns if column["field"] not in hidden]
