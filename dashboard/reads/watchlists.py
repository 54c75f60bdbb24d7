"""Watch-lists: who is on them, and changing them. They are shared by everybody who works with the namespace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from dashboard.queries import Reader


@dataclass(frozen=True)
class ListRow:
    """A watch-list with the weights of its companies."""

    name: str
    weights: Mapping[str, float]


def watchlists(reader: Reader) -> list[ListRow]:
    """All, by name."""
    sql = """
    SELECT w.name, coalesce(jsonb_object_agg(m.company_id, m.weight) FILTER (WHERE m.company_id IS NOT NULL), '{}') AS weights
    FROM watchlist w LEFT JOIN watchlist_member m ON m.watchlist = w.name GROUP BY w.name ORDER BY w.name LIMIT 500
    """
    return reader.rows(ListRow, sql)


def known_companies(reader: Reader) -> dict[str, str]:
    """Id by lower-case name, ticker and id; a name goes before a ticker."""
    known = {row["ticker"].lower(): row["company_id"] for row in reader.dicts("SELECT ticker, company_id FROM listing")}
    for row in reader.dicts("SELECT id, name FROM company"):
        known |= {row["id"].lower(): row["id"], row["name"].lower(): row["id"]}
    return known


def replace(connection: Connection, name: str, weights: Mapping[str, float]) -> None:
    """Give a list exactly these members; makes it where there is none."""
    connection.execute(text("INSERT INTO watchlist (name) VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name})
    connection.execute(text("DELETE FROM watchlist_member WHERE watchlist = :name"), {"name": name})
    rows: list[dict[str, Any]] = [{"name": name, "company": key, "weight": weight} for key, weight in weights.items()]
    if rows:
        sql = "INSERT INTO watchlist_member (watchlist, company_id, weight) VALUES (:name, :company, :weight)"
        connection.execute(text(sql), rows)


def remove(connection: Connection, name: str) -> None:
    """Delete a list."""
    connection.execute(text("DELETE FROM watchlist WHERE name = :name"), {"name": name})
