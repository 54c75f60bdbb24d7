"""`squall users` as a person calls it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from squall.accounts import password_fits
from squall.db import migrate
from squall.db.engine import make_engine
from squall.embedded import running
from squall.settings import Settings

Users = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        migrate.upgrade(engine, settings)
        engine.dispose()
        yield services.database_url


@pytest.fixture
def users(url: str) -> Users:
    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "squall", "users", *arguments],
            input=stdin,
            env={**os.environ, "SQUALL_DATABASE__URL": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_people_are_added_listed_given_passwords_and_kept_out(users: Users, url: str) -> None:
    assert "nobody may log in yet" in users("list").stdout
    made = users("add", "Ana", "--role", "admin", "--generate")
    password = made.stdout.split()[-1]
    assert made.stdout.startswith("ana may log in as admin")
    assert users("add", "bo", "--password-stdin", stdin="a long enough one\n").returncode == 0
    engine = make_engine(Settings(), url)
    with engine.connect() as connection:
        assert password_fits(connection, "ana", password)
        assert password_fits(connection, "bo", "a long enough one")
        assert not password_fits(connection, "bo", password)
    assert users("passwd", "bo", "--password-stdin", stdin="another long one\n").returncode == 0
    assert users("disable", "bo").returncode == 0
    rows = {row["name"]: row for row in json.loads(users("list", "--json").stdout)}
    assert (rows["ana"]["role"], rows["bo"]["role"], bool(rows["bo"]["disabled_at"])) == ("admin", "viewer", True)
    with engine.connect() as connection:
        assert not password_fits(connection, "bo", "another long one")
    engine.dispose()
    acts = [(row["act"], row["subject"]) for row in json.loads(users("audit", "--json").stdout)]
    assert acts == [("user disable", "bo"), ("user passwd", "bo"), ("user add", "bo"), ("user add", "ana")]


@pytest.mark.parametrize(
    ("arguments", "stdin", "says", "code"),
    [
        (("add", "cy", "--password-stdin"), "short\n", "12 to 256 characters", 1),
        (("add", "c y", "--generate"), "", "cannot be a name", 1),
        (("add", "cy", "--role", "king", "--generate"), "", "viewer, analyst, admin", 1),
        (("add", "cy"), "", "--password-stdin or --generate", 2),
        (("disable", "nobody"), "", "no account 'nobody'", 1),
    ],
)
def test_mistakes_end_in_one_line(users: Users, arguments: tuple[str, ...], stdin: str, says: str, code: int) -> None:
    ended = users(*arguments, stdin=stdin)
    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1)
    assert says in ended.stderr


def test_last_administrator_stays(users: Users) -> None:
    users("add", "dana", "--role", "admin", "--generate")
    names = [row["name"] for row in json.loads(users("list", "--json").stdout) if row["role"] == "admin"]
    for name in names[:-1]:
        assert users("disable", name).returncode == 0
    assert "last administrator" in users("disable", names[-1]).stderr
    assert "last administrator" in users("role", names[-1], "viewer").stderr
