"""What watch decides from: the cursor of decided minutes, the watermark, the mood of minutes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from squall.scopes import Kind
from streams.logic.incidents import at_minute, minute_number
from streams.logic.mood import Sums
from streams.logic.surge import HOUR

CURSOR = "watch"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

# Scoring takes this lock shared while it writes mood, watch takes it alone while it decides. Row locks would not do: a steady
# stream of shared ones can keep the other waiting for ever, while advisory locks are granted in the order of asking.
_LOCK = "hashtextextended(current_schema() || ' minutes', 0)"

_KINDS: dict[Kind, str] = {
    "company": "(scope LIKE 'company:%%' AND strpos(scope, '/') = 0)",
    "company/topic": "scope LIKE 'company:%%/topic:%%'",
    "sector": "scope LIKE 'sector:%%'",
    "topic": "scope LIKE 'topic:%%'",
    "market": "scope = 'market'",
}
_SUMS = ", ".join(Sums._fields)

Minutes = dict[int, dict[str, Sums]]


def hold_minutes(connection: Connection) -> datetime:
    """The last decided minute, which stays the last until the transaction ends. Many may hold it at a time."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
    return read_cursor(connection)


def stop_writers(connection: Connection) -> None:
    """Wait for those who hold the minutes, and keep others from it until the transaction ends."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def read_cursor(connection: Connection) -> datetime:
    """The last decided minute; `NEVER` where there is none."""
    at = connection.exec_driver_sql("SELECT at FROM cursor WHERE name = %(name)s", {"name": CURSOR}).scalar()
    return at or NEVER


def claim_cursor(connection: Connection) -> datetime | None:
    """The last decided minute, for this transaction alone to move; None while another does."""
    connection.exec_driver_sql(
        "INSERT INTO cursor (name, at) VALUES (%(name)s, %(at)s) ON CONFLICT DO NOTHING", {"name": CURSOR, "at": NEVER}
    )
    query = "SELECT at FROM cursor WHERE name = %(name)s FOR UPDATE SKIP LOCKED"
    at: datetime | None = connection.exec_driver_sql(query, {"name": CURSOR}).scalar()
    return at


def move_cursor(connection: Connection, at: datetime) -> None:
    """Note that all minutes up to `at` are decided."""
    query = "UPDATE cursor SET at = %(at)s, moved_at = now() WHERE name = %(name)s"
    connection.exec_driver_sql(query, {"name": CURSOR, "at": at})


def read_watermark(connection: Connection, partitions: int) -> datetime | None:
    """Up to when everything has come through; None until each partition has said something of each other's."""
    query = "SELECT min(at), count(*) FROM watermark WHERE news_partition < %(n)s AND mentions_partition < %(n)s"
    at, pairs = connection.exec_driver_sql(query, {"n": partitions}).one()
    return at if pairs == partitions * partitions else None


def _where(kinds: Iterable[Kind]) -> str:
    # A row from which everything was withdrawn in time is as one that never was.
    return f"NOT late AND mentions > 0 AND ({' OR '.join(_KINDS[kind] for kind in kinds)})"


def read_minutes(
    connection: Connection, kinds: Iterable[Kind], after: datetime, until: datetime, rows: int
) -> tuple[Minutes, bool]:
    """Sums by minute and scope in (after, until], whole minutes of about `rows` rows at most; and whether that is all of them."""
    query = f"""
        SELECT minute, scope, {_SUMS} FROM mood WHERE minute > %(after)s AND minute <= %(until)s AND {_where(kinds)}
        ORDER BY minute FETCH FIRST %(rows)s ROWS WITH TIES
    """
    minutes: Minutes = {}
    count = 0
    for minute, scope, *sums in connection.exec_driver_sql(query, {"after": after, "until": until, "rows": rows}):
        minutes.setdefault(minute_number(minute), {})[scope] = Sums(*sums)
        count += 1
    return minutes, count < rows


class Past(NamedTuple):
    """What a detector is rebuilt from; see `WindowDetector.rebuild`."""

    since: int | None
    hours: dict[str, dict[int, int]]
    minutes: Minutes


def read_past(connection: Connection, kinds: Iterable[Kind], until: datetime, lookback: int, recent: int) -> Past:
    """The decided past: `recent` minutes as they are, the `lookback` minutes as hours before them."""
    last = minute_number(until)
    border = at_minute(max(0, (last - recent) // HOUR * HOUR))
    where = _where(kinds)
    since = connection.exec_driver_sql(
        f"SELECT min(minute) FROM mood WHERE minute <= %(until)s AND {where}", {"until": until}
    ).scalar()
    hours: dict[str, dict[int, int]] = {}
    query = f"""
        SELECT scope, floor(extract(epoch FROM minute) / 3600)::bigint, sum(negative_weight)::bigint FROM mood
        WHERE minute >= %(low)s AND minute < %(border)s AND minute <= %(until)s AND {where} GROUP BY 1, 2
    """
    span = {"low": at_minute(max(0, last - lookback)), "border": border, "until": until}
    for scope, hour, mass in connection.exec_driver_sql(query, span):
        hours.setdefault(scope, {})[hour] = mass
    minutes, _ = read_minutes(connection, kinds, border - timedelta(minutes=1), until, 2**31 - 1)
    return Past(None if since is None else minute_number(since), hours, minutes)
