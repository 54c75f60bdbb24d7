"""Who may use the dashboard: accounts, passwords, log-ins, and the audit of what was changed.

Every function works on a connection in the schema of its namespace; the caller commits.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from squall.errors import UserError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

ROLES = ("viewer", "analyst", "admin")
"""Each may do what those before it may."""
FIRST = "admin"
NAME = r"[a-z0-9][a-z0-9._@+-]{0,63}"
SHORTEST, LONGEST = 12, 256


class AccountError(UserError):
    """An account that cannot be as asked for; the message says why."""


@dataclass(frozen=True)
class Account:
    """A person's account as lists show it."""

    name: str
    role: str
    by: str
    """`password` or `oidc`."""
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None


@dataclass(frozen=True)
class Login:
    """A log-in that is in force."""

    name: str
    role: str
    expires_at: datetime


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    """A hash of no one's password: an unknown name takes as long as a known one."""
    return _hasher().hash(secrets.token_hex())


def generate_password() -> str:
    """Twenty letters and digits in groups of five, none that look alike: 99 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def check_name(name: str) -> str:
    """The name as it is stored.

    Raises:
        AccountError: it cannot be one.
    """
    name = name.strip().lower()
    if not re.fullmatch(NAME, name):
        raise AccountError(f"{name!r} cannot be a name: use up to 64 lower-case letters, digits and . _ @ + -")
    return name


def hash_password(password: str) -> str:
    """Argon2id with the library's parameters.

    Raises:
        AccountError: the password is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"a password has {SHORTEST} to {LONGEST} characters, this one {len(password)}")
    return _hasher().hash(password)


def add_account(connection: Connection, name: str, role: str, password: str) -> None:
    """Make an account.

    Raises:
        AccountError: there is one of this name, or name, role or password cannot be.
    """
    if role not in ROLES:
        raise AccountError(f"{role!r} is no role: choose {', '.join(ROLES)}")
    sql = "INSERT INTO user_account (name, role, password_hash) VALUES (:name, :role, :hash) ON CONFLICT DO NOTHING"
    values = {"name": check_name(name), "role": role, "hash": hash_password(password)}
    if connection.execute(text(sql), values).rowcount == 0:
        raise AccountError(f"there is an account {values['name']} already")


def add_first(connection: Connection) -> str | None:
    """Where there is no account, make `admin`; returns its password, which nothing else keeps."""
    if connection.execute(text("SELECT 1 FROM user_account LIMIT 1")).first():
        return None
    password = generate_password()
    add_account(connection, FIRST, "admin", password)
    write_audit(connection, "squall", "user add", FIRST, {"role": "admin"})
    return password


def set_password(connection: Connection, name: str, password: str) -> None:
    """Change a password and end the person's log-ins.

    Raises:
        AccountError: there is no such account, or it logs in by OIDC.
    """
    account = _known(connection, name)
    if account.by == "oidc":
        raise AccountError(f"{account.name} logs in by OIDC and has no password here")
    sql = "UPDATE user_account SET password_hash = :hash WHERE name = :name"
    connection.execute(text(sql), {"name": account.name, "hash": hash_password(password)})
    end_all(connection, account.name)


def set_role(connection: Connection, name: str, role: str) -> None:
    """Give another role, in force at once.

    Raises:
        AccountError: there is no such account or role, or no administrator would be left.
    """
    account = _known(connection, name)
    if role not in ROLES:
        raise AccountError(f"{role!r} is no role: choose {', '.join(ROLES)}")
    connection.execute(text("UPDATE user_account SET role = :role WHERE name = :name"), {"role": role, "name": account.name})
    _keep_an_admin(connection, account)


def set_disabled(connection: Connection, name: str, disabled: bool) -> None:
    """Keep a person out and end their log-ins, or let them in again.

    Raises:
        AccountError: there is no such account, or no administrator would be left.
    """
    account = _known(connection, name)
    sql = "UPDATE user_account SET disabled_at = CASE WHEN :disabled THEN coalesce(disabled_at, now()) END WHERE name = :name"
    connection.execute(text(sql), {"name": account.name, "disabled": disabled})
    if disabled:
        end_all(connection, account.name)
        _keep_an_admin(connection, account)


def accounts(connection: Connection) -> list[Account]:
    """All accounts, by name."""
    sql = """
    SELECT name, role, CASE WHEN password_hash IS NULL THEN 'oidc' ELSE 'password' END AS by,
           created_at, last_login_at, disabled_at FROM user_account ORDER BY name
    """
    return [Account(**row) for row in connection.execute(text(sql)).mappings()]


def password_fits(connection: Connection, name: str, password: str) -> bool:
    """Whether an account that is not disabled has this password; takes as long for an unknown name."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    sql = "SELECT password_hash FROM user_account WHERE name = :name AND disabled_at IS NULL"
    found = connection.execute(text(sql), {"name": name}).scalar()
    try:
        return _hasher().verify(found or _nobody(), password[: LONGEST + 1]) and found is not None
    except (Argon2Error, InvalidHashError):
        return False


def rehash(connection: Connection, name: str, password: str) -> None:
    """Store the hash anew where the library's parameters have changed since."""
    found = connection.execute(text("SELECT password_hash FROM user_account WHERE name = :name"), {"name": name}).scalar_one()
    if _hasher().check_needs_rehash(found):
        sql = "UPDATE user_account SET password_hash = :hash WHERE name = :name"
        connection.execute(text(sql), {"name": name, "hash": hash_password(password)})


def account_of_subject(connection: Connection, subject: str, name: str, role: str, role_now: str | None) -> str:
    """The account of a person whom an OIDC provider knows, made where there is none; returns its name.

    Args:
        subject: issuer and subject, which never change.
        role: of an account that is made now.
        role_now: the role that the provider names at this log-in; None: it names none.

    Raises:
        AccountError: the account is disabled, or the name is another one's.
    """
    sql = "SELECT name, disabled_at FROM user_account WHERE subject = :subject"
    found = connection.execute(text(sql), {"subject": subject}).first()
    if found is None:
        sql = "INSERT INTO user_account (name, role, subject) VALUES (:name, :role, :subject) ON CONFLICT (name) DO NOTHING"
        values = {"name": check_name(name), "role": role_now or role, "subject": subject}
        if connection.execute(text(sql), values).rowcount == 0:
            raise AccountError(f"the name {values['name']} belongs to another account")
        write_audit(connection, "oidc", "user add", values["name"], {"role": values["role"]})
        return str(values["name"])
    if found.disabled_at:
        raise AccountError("this account is disabled")
    if role_now:
        connection.execute(
            text("UPDATE user_account SET role = :role WHERE name = :name"), {"role": role_now, "name": found.name}
        )
    return str(found.name)


def begin_session(connection: Connection, name: str, length: timedelta) -> str:
    """Note a log-in; returns the token that only the browser keeps."""
    token = secrets.token_urlsafe(32)
    connection.execute(text("DELETE FROM login_session WHERE expires_at < now()"))
    sql = "INSERT INTO login_session (token_hash, user_name, expires_at) VALUES (:hash, :name, now() + :length)"
    connection.execute(text(sql), {"hash": token_hash(token), "name": name, "length": length})
    connection.execute(text("UPDATE user_account SET last_login_at = now() WHERE name = :name"), {"name": name})
    return token


def find_session(connection: Connection, token: str) -> Login | None:
    """The log-in of a token, if it is still in force."""
    sql = """
    SELECT u.name, u.role, s.expires_at FROM login_session s JOIN user_account u ON u.name = s.user_name
    WHERE s.token_hash = :hash AND s.expires_at > now() AND u.disabled_at IS NULL
    """
    found = connection.execute(text(sql), {"hash": token_hash(token)}).mappings().first()
    return Login(**found) if found else None


def end_session(connection: Connection, token: str) -> None:
    """End a log-in."""
    connection.execute(text("DELETE FROM login_session WHERE token_hash = :hash"), {"hash": token_hash(token)})


def end_all(connection: Connection, name: str) -> None:
    """End all log-ins of a person."""
    connection.execute(text("DELETE FROM login_session WHERE user_name = :name"), {"name": name})


def token_hash(token: str) -> str:
    """What is stored of a token; it is random, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def write_audit(
    connection: Connection, actor: str, act: str, subject: str, detail: Mapping[str, Any] | None = None, address: str = ""
) -> None:
    """Note a change in the transaction that makes it."""
    sql = """
    INSERT INTO audit (actor, act, subject, detail, address)
    VALUES (:actor, :act, :subject, CAST(:detail AS jsonb), :address)
    """
    values = {"actor": actor, "act": act, "subject": subject, "address": address}
    connection.execute(text(sql), {**values, "detail": json.dumps(detail or {}, default=str)})


def _known(connection: Connection, name: str) -> Account:
    found = next((one for one in accounts(connection) if one.name == name.strip().lower()), None)
    if found is None:
        raise AccountError(f"there is no account {name!r}: `squall users list` shows all")
    return found


def _keep_an_admin(connection: Connection, changed: Account) -> None:
    sql = "SELECT 1 FROM user_account WHERE role = 'admin' AND disabled_at IS NULL LIMIT 1"
    if changed.role == "admin" and changed.disabled_at is None and connection.execute(text(sql)).first() is None:
        raise AccountError(f"{changed.name} is the last administrator: make another one first")
