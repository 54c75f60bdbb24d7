"""Sessions of all companies for `lead_lag`, and its findings in the table."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import nan

from sqlalchemy import Connection, delete, insert

from pipelines.backtest.prices import Prices
from pipelines.backtest.read import read_closes
from pipelines.maintenance.lead_lag import Finding, Session
from squall.db.rule_tables import LeadLag

# A session's tone is that of what came after the last close and before its own; over a gap in the bars nothing is told.
_TONES = """
SELECT b.company_id, b.available_at, sum(m.positive - m.negative)::float8 / sum(m.items)
FROM (
    SELECT company_id, available_at, lag(available_at) OVER (PARTITION BY company_id ORDER BY available_at) AS before
    FROM bar WHERE interval = '1d'
) AS b
JOIN mood m ON m.scope = 'company:' || b.company_id AND m.minute >= b.before AND m.minute < b.available_at AND NOT m.late
WHERE b.available_at >= %(first)s AND b.available_at < %(end)s AND b.available_at - b.before < interval '7 days'
GROUP BY b.company_id, b.available_at HAVING sum(m.items) > 0
"""


def read_sessions(connection: Connection, first: datetime, end: datetime) -> dict[str, list[Session]]:
    """Sessions of [first, end), from the first to the last with news, by company that any article names; ascending."""
    span = {"first": first, "end": end}
    tones = {(company, at.astimezone(UTC)): tone for company, at, tone in connection.exec_driver_sql(_TONES, span)}
    prices = Prices(read_closes(connection))
    heard = [at for _, at in tones]
    return {
        company: [
            Session(at, move, tones.get((company, at), nan))
            for at, move in prices.adjusted_returns(company)
            if min(heard) <= at <= max(heard)
        ]
        for company in sorted({company for company, _ in tones})
    }


def replace_findings(connection: Connection, findings: Sequence[Finding]) -> None:
    """Put the findings in the place of those of the last run."""
    connection.execute(delete(LeadLag))
    if findings:
        rows = [one._asdict() for one in findings]
        connection.execute(insert(LeadLag), [{"company_id": row.pop("company"), **row} for row in rows])
