"""Whether a company's mood has led its price, or its price the mood, as `squall leadlag` found it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dash import html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import code, empty, panel
from dashboard.components.tables import Head, table
from dashboard.queries import Reader

LEVEL = 0.05
"""Share of false ones among what is found."""
SIDES = {"mood": ("Mood", "price"), "price": ("Price", "mood")}
CAUSE = "What came first need not be the cause."


@dataclass(frozen=True)
class Lead:
    """One test: whether `leads` has told the other `lag` sessions later; `q`: its p among all companies' and lags'."""

    leads: str
    lag: int
    sessions: int
    coefficient: float
    q: float
    confirmed: bool
    last: datetime


def leads_of(reader: Reader, company_id: str) -> list[Lead]:
    """The tests of the last run, the surest first; none where the company had too few sessions with news."""
    sql = """
    SELECT leads, lag, sessions, coefficient, q, confirmed, last FROM lead_lag
    WHERE company_id = :id ORDER BY q, confirmed DESC, leads, lag
    """
    return reader.rows(Lead, sql, id=company_id)


def lead_lag_panel(rows: Sequence[Lead]) -> Any:
    """What was found, and of each direction the surest lag."""
    if not rows:
        hint = [
            "No test of this company is stored: it takes 60 sessions with news and prices. To ask: ",
            code("squall leadlag"),
        ]
        return panel("Lead and lag", empty("Nothing is known of who leads.", hint), name="leads")
    found = [row for row in rows if row.q <= LEVEL]
    says = [html.Li(_words(row)) for row in found] or [html.Li("Neither has led the other by more than chance.")]
    best = [next((row for row in rows if row.leads == leads), None) for leads in SIDES]
    lines = [
        [
            f"{SIDES[row.leads][0]} → {SIDES[row.leads][1]}",
            row.lag,
            formats.signed(row.coefficient, 3),
            f"{row.q:.2g}",
            row.sessions,
        ]
        for row in best
        if row
    ]
    heads: list[Head] = [
        "Surest lag",
        (">Sessions", "So many sessions earlier"),
        (">Effect", "Change of the follower's value a unit of the leader's"),
        (">q", f"Chance that this is none, with all companies' tests together; found at {LEVEL:g} or less"),
        (">Of", "Sessions that were tested"),
    ]
    note = html.Span(["up to ", marks.moment(rows[0].last, "day"), f". {CAUSE}"])
    return panel("Lead and lag", [html.Ul(says, className="says"), table(heads, lines, "matrix")], name="leads", note=note)


def _words(row: Lead) -> str:
    leader, follower = SIDES[row.leads]
    sign = "the same" if row.coefficient > 0 else "the opposite"
    sure = "seen again in later sessions" if row.confirmed else "not seen again in later sessions: a hint"
    return f"{leader} has led {follower} by {formats.plural(row.lag, 'session')}, with {sign} sign; {sure}."
