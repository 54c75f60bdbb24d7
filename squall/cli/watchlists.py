"""`squall watchlists`: named companies with weights, which rules can go by."""

import csv
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from squall.errors import UsageError
from squall.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer(help="Named companies with weights, for rules to go by.", no_args_is_help=True)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
Name = Annotated[str, typer.Argument(help="name of the list, such as my-portfolio")]
NAME = r"[a-z][a-z0-9-]{0,40}"


@app.command()
def add(
    name: Name,
    companies: Annotated[list[str], typer.Argument(help="ids, names or tickers, with a weight if you like: boeing=2 IBM")],
    namespace: Namespace = "",
) -> None:
    """Add companies to a list, or change their weights; the list is made where it is not there."""
    pairs = [company.rpartition("=") if "=" in company else (company, "", "1") for company in companies]
    _put(name, [(company, weight, company) for company, _, weight in pairs], namespace, only=False)


@app.command("import")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="CSV with a column `company` (id, name or ticker) and, if you like, `weight`")],
    namespace: Namespace = "",
) -> None:
    """Make a list of what a file holds; companies that it does not name are no longer on it."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            if "company" not in (reader.fieldnames or ()):
                raise UsageError(f"{file}:1: no column `company`")
            rows = [(row["company"] or "", row.get("weight") or "1", f"{file}:{reader.line_num}") for row in reader]
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file}: no CSV in UTF-8: {error}") from None
    if not rows:
        raise UsageError(f"{file}: no companies in it")
    _put(name, rows, namespace, only=True)


@app.command("list")
def list_(namespace: Namespace = "") -> None:
    """Print the lists and how many companies are on them."""
    from squall.cli.reading import reading
    from squall.db.rules import read_lists

    with reading(get_settings().in_namespace(namespace)) as connection:
        lists = read_lists(connection)
    for name, members in sorted(lists.items()):
        print(f"{name}: {len(members)}")
    if not lists:
        print("no watch-lists: `squall watchlists add NAME COMPANY …` makes one")


@app.command()
def show(name: Name, namespace: Namespace = "") -> None:
    """Print the companies of a list with their weights."""
    from squall.cli.reading import reading
    from squall.db.readback import read_names
    from squall.db.rules import read_lists

    with reading(get_settings().in_namespace(namespace)) as connection:
        members, (names, _) = read_lists(connection).get(name), read_names(connection)
    if members is None:
        raise UsageError(f"no watch-list {name!r}")
    for company, weight in members.items():
        print(f"{weight:g}  {names.get(company, company)} ({company})")


@app.command()
def remove(
    name: Name,
    companies: Annotated[list[str] | None, typer.Argument(help="companies to take off; none: remove the list")] = None,
    namespace: Namespace = "",
) -> None:
    """Take companies off a list, or remove a list that no rule goes by."""
    from squall.cli.reading import actor, writing
    from squall.db.rules import remove_list, remove_members

    with writing(get_settings().in_namespace(namespace)) as connection:
        if companies:
            remove_members(connection, name, [_company(connection, one, one) for one in companies], actor())
        else:
            remove_list(connection, name)


def _put(name: str, wanted: list[tuple[str, str, str]], namespace: str, *, only: bool) -> None:
    from squall.cli.reading import actor, writing
    from squall.db.rules import put_members, read_lists

    if not re.fullmatch(NAME, name):
        raise UsageError(f"{name!r}: name a list by a lower-case letter, then letters, digits and dashes")
    with writing(get_settings().in_namespace(namespace)) as connection:
        members = {_company(connection, company, place): _weight(weight, place) for company, weight, place in wanted}
        put_members(connection, name, members, actor(), only=only)
        count = len(read_lists(connection)[name])
    print(f"{name}: {count} companies")


def _company(connection: "Connection", wanted: str, place: str) -> str:
    from squall.db.readback import find_companies

    found = find_companies(connection, wanted.strip())
    if len(found) > 1:
        raise UsageError(f"{place}: {wanted!r} may be {' or '.join(sorted(found))}: give the id")
    return found[0]


def _weight(text: str, place: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise UsageError(f"{place}: weight {text!r} is no number above 0")
    return weight
