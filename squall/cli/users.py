"""`squall users`: who may use the dashboard, and what they changed."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.errors import UsageError
from squall.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer(
    help="Who may use the dashboard. A viewer looks, an analyst also acts and labels, an admin may do everything.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="name to log in with; small letters")]
Role = Annotated[str, typer.Option(help="viewer, analyst or admin")]
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from the first line of the standard input")]
Generate = Annotated[bool, typer.Option("--generate", help="make a password and print it, once")]


@app.command()
def add(
    name: Name, role: Role = "viewer", from_stdin: FromStdin = False, generate: Generate = False, namespace: Namespace = ""
) -> None:
    """Add a person who logs in with a password: asked for, read from the standard input, or generated."""
    from squall.accounts import add_account, check_name

    password = _password(from_stdin, generate)
    with _changing(namespace, "user add", check_name(name), role=role) as connection:
        add_account(connection, name, role, password)
    print(f"{check_name(name)} may log in as {role}" + (f", with the password {password}" if generate else ""))


@app.command("list")
def list_(namespace: Namespace = "", as_json: AsJson = False) -> None:
    """Print all accounts."""
    from squall.accounts import accounts
    from squall.cli.reading import reading, when

    with reading(get_settings().in_namespace(namespace)) as connection:
        rows = accounts(connection)
    if as_json:
        print(json.dumps([vars(row) for row in rows], default=_plain))
        return
    if not rows:
        print("nobody may log in yet: squall users add NAME --role admin")
        return
    _table(
        ("name", "role", "logs in by", "made (UTC)", "last log-in", "disabled"),
        [(one.name, one.role, one.by, when(one.created_at), when(one.last_login_at), when(one.disabled_at)) for one in rows],
    )


@app.command()
def passwd(name: Name, from_stdin: FromStdin = False, generate: Generate = False, namespace: Namespace = "") -> None:
    """Set a person's password, and end their log-ins."""
    from squall.accounts import set_password

    password = _password(from_stdin, generate)
    with _changing(namespace, "user passwd", name) as connection:
        set_password(connection, name, password)
    print(f"{name} has a new password" + (f": {password}" if generate else ""))


@app.command()
def role(name: Name, new: Annotated[str, typer.Argument(help="viewer, analyst or admin")], namespace: Namespace = "") -> None:
    """Give a person another role, in force within seconds."""
    from squall.accounts import set_role

    with _changing(namespace, "user role", name, role=new) as connection:
        set_role(connection, name, new)
    print(f"{name} is {new} now")


@app.command()
def disable(name: Name, namespace: Namespace = "") -> None:
    """Keep a person out, and end their log-ins within seconds."""
    from squall.accounts import set_disabled

    with _changing(namespace, "user disable", name) as connection:
        set_disabled(connection, name, True)
    print(f"{name} may not log in any more")


@app.command()
def enable(name: Name, namespace: Namespace = "") -> None:
    """Let a disabled person in again."""
    from squall.accounts import set_disabled

    with _changing(namespace, "user enable", name) as connection:
        set_disabled(connection, name, False)
    print(f"{name} may log in again")


@app.command()
def audit(
    most: Annotated[int, typer.Option(min=1, max=10_000, help="lines at most")] = 50,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Print who changed what and who logged in, the newest first."""
    from sqlalchemy import text

    from squall.cli.reading import reading, when

    sql = "SELECT at, actor, act, subject, detail, address FROM audit ORDER BY id DESC LIMIT :most"
    with reading(get_settings().in_namespace(namespace)) as connection:
        rows = [dict(row) for row in connection.execute(text(sql), {"most": most}).mappings()]
    if as_json:
        print(json.dumps(rows, default=_plain))
        return
    _table(
        ("time (UTC)", "who", "what", "of", "more", "from"),
        [
            (
                when(row["at"]),
                row["actor"],
                row["act"],
                row["subject"],
                json.dumps(row["detail"]),
                row["address"] or "command line",
            )
            for row in rows
        ],
    )


@contextmanager
def _changing(namespace: str, act: str, subject: str, **detail: Any) -> Iterator["Connection"]:
    import getpass

    from squall.accounts import write_audit
    from squall.db.engine import make_engine
    from squall.db.readback import require_schema
    from squall.embedded import running

    settings = get_settings().in_namespace(namespace)
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        try:
            with engine.begin() as connection:
                require_schema(connection, settings)
                yield connection
                write_audit(connection, f"{getpass.getuser()} (command line)", act, subject.strip().lower(), detail)
        finally:
            engine.dispose()


def _password(from_stdin: bool, generate: bool) -> str:
    from squall.accounts import generate_password

    if from_stdin and generate:
        raise UsageError("--password-stdin and --generate exclude each other")
    if generate:
        return generate_password()
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for a password: give --password-stdin or --generate")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(soft_wrap=True, highlight=False).print(table)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
