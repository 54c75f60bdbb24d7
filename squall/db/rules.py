"""The rules in force, and the watch-lists that they go by. A version is in force from an event minute until the next one's.

A change counts from the minute after the last decided one, and the watch-lists are copied into the version: what was decided can
be decided again from what stands here.
"""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from squall.acts import decided_until
from squall.errors import UserError
from squall.rules import Lists, RuleSet, lists_of, version_of
from squall.rules_file import parse_rules
from squall.settings import Settings

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
PRODUCT = "squall"
MINUTE = timedelta(minutes=1)


class InForce(NamedTuple):
    """A version of the rules."""

    id: int
    version: str
    body: str
    rules: RuleSet
    lists: dict[str, dict[str, float]]
    effective_at: datetime
    author: str
    applied_at: datetime


class ListError(UserError):
    """A watch-list or a member of it that is not there."""


def shipped_rules() -> str:
    """The text of the rules that ship."""
    return files("squall").joinpath("data/rules.yml").read_text(encoding="utf-8")


def first_rules(settings: Settings) -> tuple[str, str]:
    """The text of the rules that a namespace begins with, and what errors call it."""
    path = settings.rules_file
    if path is None:
        return shipped_rules(), "rules.yml"
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except OSError as error:
        raise UserError(f"SQUALL_RULES_FILE={path}: {error.strerror}") from None


_IN_FORCE = """
SELECT id, version, body, lists, effective_at, author, applied_at FROM rule_set
WHERE effective_at <= %(at)s ORDER BY effective_at DESC, id DESC LIMIT 1
"""


def rules_at(connection: Connection, at: datetime) -> InForce | None:
    """The version in force in a minute; None where none has ever been applied."""
    row = connection.exec_driver_sql(_IN_FORCE, {"at": at}).one_or_none()
    return None if row is None else InForce(row[0], row[1], row[2], parse_rules(row[2]), *row[3:])


def next_change(connection: Connection, after: datetime) -> datetime | None:
    """The next minute from which another version is in force."""
    query = "SELECT min(effective_at) FROM rule_set WHERE effective_at > %(after)s"
    at: datetime | None = connection.exec_driver_sql(query, {"after": after}).scalar()
    return at


def newest_rules(connection: Connection) -> InForce | None:
    """The version that was applied last."""
    return rules_at(connection, datetime.max.replace(tzinfo=UTC))


def list_versions(connection: Connection) -> list[InForce]:
    """All versions, the newest first."""
    query = "SELECT id, version, body, lists, effective_at, author, applied_at FROM rule_set ORDER BY effective_at DESC, id DESC"
    return [InForce(row[0], row[1], row[2], parse_rules(row[2]), *row[3:]) for row in connection.exec_driver_sql(query)]


def begin_rules(connection: Connection, settings: Settings) -> None:
    """Put the first rules in force, where there are none."""
    text, source = first_rules(settings)
    rules = parse_rules(text, source)
    lists = _used(rules, read_lists(connection))
    _insert(connection, rules, text, lists, ALWAYS, PRODUCT)


def apply_rules(connection: Connection, text: str, source: str, author: str) -> datetime:
    """Put rules in force from the minute after the last decided one; returns that minute.

    Raises:
        RulesError: the text is no good.
        ListError: it names a watch-list that is not there.
    """
    rules = parse_rules(text, source)
    lists = read_lists(connection)
    if missing := sorted(lists_of(rules) - set(lists)):
        raise ListError(f"{source}: no watch-list {missing[0]!r}: `squall watchlists add {missing[0]} COMPANY …` makes it")
    decided = decided_until(connection)
    at = ALWAYS if decided is None else decided + MINUTE
    _insert(connection, rules, text, _used(rules, lists), at, author)
    return at


def read_lists(connection: Connection) -> dict[str, dict[str, float]]:
    """All watch-lists: weight by company by name."""
    lists: dict[str, dict[str, float]] = {name: {} for name in connection.exec_driver_sql("SELECT name FROM watchlist").scalars()}
    query = "SELECT watchlist, company_id, weight FROM watchlist_member ORDER BY watchlist, company_id"
    for name, company, weight in connection.exec_driver_sql(query):
        lists[name][company] = weight
    return lists


def borrow_lists(connection: Connection, text: str, source: str, schema: str) -> None:
    """Take over the watch-lists that rules name from another namespace of the database, as they stand there now.

    Members that are no companies here are left out, and lists that are not there either.

    Raises:
        RulesError: the text is no good.
    """
    names = sorted(lists_of(parse_rules(text, source)))
    there = connection.exec_driver_sql("SELECT to_regclass(%(table)s)", {"table": f"{schema}.watchlist_member"}).scalar()
    if not names or there is None:
        return
    for query in (
        f"INSERT INTO watchlist (name) SELECT name FROM {schema}.watchlist WHERE name = ANY(%(names)s) ON CONFLICT DO NOTHING",
        f"""INSERT INTO watchlist_member (watchlist, company_id, weight)
        SELECT m.watchlist, m.company_id, m.weight FROM {schema}.watchlist_member m JOIN company c ON c.id = m.company_id
        WHERE m.watchlist = ANY(%(names)s)
        ON CONFLICT (watchlist, company_id) DO UPDATE SET weight = excluded.weight""",
    ):
        connection.exec_driver_sql(query, {"names": names})


def put_members(connection: Connection, name: str, members: dict[str, float], author: str, *, only: bool = False) -> None:
    """Add companies to a watch-list, or change their weights; the list is made where it is not there.

    Args:
        only: remove those that are not among them.
    """
    connection.exec_driver_sql("INSERT INTO watchlist (name) VALUES (%(name)s) ON CONFLICT DO NOTHING", {"name": name})
    if only:
        connection.exec_driver_sql("DELETE FROM watchlist_member WHERE watchlist = %(name)s", {"name": name})
    query = """
        INSERT INTO watchlist_member VALUES (%(name)s, %(company)s, %(weight)s)
        ON CONFLICT (watchlist, company_id) DO UPDATE SET weight = excluded.weight
    """
    for company, weight in members.items():
        connection.exec_driver_sql(query, {"name": name, "company": company, "weight": weight})
    _follow_lists(connection, author)


def remove_members(connection: Connection, name: str, companies: list[str], author: str) -> None:
    """Remove companies from a watch-list.

    Raises:
        ListError: the list, or a company in it, is not there.
    """
    members = read_lists(connection).get(name)
    if members is None:
        raise ListError(f"no watch-list {name!r}")
    if missing := [company for company in companies if company not in members]:
        raise ListError(f"{missing[0]} is not on watch-list {name!r}")
    query = "DELETE FROM watchlist_member WHERE watchlist = %(name)s AND company_id = ANY(%(companies)s)"
    connection.exec_driver_sql(query, {"name": name, "companies": companies})
    _follow_lists(connection, author)


def remove_list(connection: Connection, name: str) -> None:
    """Remove a watch-list.

    Raises:
        ListError: it is not there, or a rule in force goes by it.
    """
    newest = newest_rules(connection)
    if newest is not None and name in lists_of(newest.rules):
        raise ListError(f"the rules in force go by watch-list {name!r}: apply others first")
    if not connection.exec_driver_sql("DELETE FROM watchlist WHERE name = %(name)s", {"name": name}).rowcount:
        raise ListError(f"no watch-list {name!r}")


def _follow_lists(connection: Connection, author: str) -> None:
    """Where a list has changed that the newest rules go by, put a version with the changed list in force."""
    newest = newest_rules(connection)
    if newest is None:
        return
    lists = _used(newest.rules, read_lists(connection))
    if lists != newest.lists:
        decided = decided_until(connection)
        _insert(connection, newest.rules, newest.body, lists, ALWAYS if decided is None else decided + MINUTE, author)


def _used(rules: RuleSet, lists: Lists) -> dict[str, dict[str, float]]:
    return {name: dict(lists[name]) for name in sorted(lists_of(rules)) if name in lists}


def _insert(connection: Connection, rules: RuleSet, body: str, lists: Lists, at: datetime, author: str) -> None:
    query = """
        INSERT INTO rule_set (version, body, lists, effective_at, author)
        VALUES (%(version)s, %(body)s, %(lists)s::jsonb, %(at)s, %(author)s)
    """
    values = {"version": version_of(rules, lists), "body": body, "lists": msgspec.json.encode(lists).decode()}
    connection.exec_driver_sql(query, values | {"at": at, "author": author})
