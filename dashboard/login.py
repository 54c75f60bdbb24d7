"""Logging in and out: the page, the limits, the audit."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, make_response, redirect, render_template_string, request, session
from flask_login import current_user, login_user, logout_user
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from dashboard.access import Logins, Person, person
from dashboard.server import advice
from squall.accounts import begin_session, end_session, find_session, password_fits, rehash, write_audit
from squall.settings import Settings

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in · Squall</title>
<link rel="stylesheet" href="/squall/tokens.css">
<link rel="stylesheet" href="/assets/login.css">
<link rel="icon" type="image/svg+xml" href="/assets/icons/favicon.svg">
<script src="/assets/boot.js"></script>
</head>
<body>
<main class="login">
<h1><span class="logo" aria-hidden="true"></span>Log in to Squall</h1>
{% if error %}<p class="error" role="alert" id="error">{{ error }}</p>{% endif %}
<form method="post" action="/login">
<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
<input type="hidden" name="next" value="{{ next }}">
<label for="name">Name</label>
<input id="name" name="name" value="{{ name }}" autocomplete="username" autocapitalize="none" spellcheck="false" required
 maxlength="64"{% if error %} aria-describedby="error"{% endif %}{% if not name %} autofocus{% endif %}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256"
 {%- if name %} autofocus{% endif %}>
<button type="submit">Log in</button>
</form>
{% if oidc %}<p class="or"><a class="other" href="/login/oidc?next={{ next|urlencode }}">Log in by {{ oidc }}</a></p>{% endif %}
<p class="hint">Lost your password? An administrator sets a new one: <code>squall users passwd NAME</code></p>
</main>
</body>
</html>
"""
WRONG = "Name and password do not fit."
OLD = "The form was too old. Log in once more."
LIMITS: tuple[tuple[str, RateLimitItem], ...] = (
    ("{address} {name}", parse("5/minute")),
    ("{address}", parse("20/minute")),
    ("{name}", parse("50/hour")),
)
"""Attempts to log in: with one name from one address, from one address, with one name from anywhere."""


class Attempts:
    """Counts attempts to log in, in this process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def wait_s(self, address: str, name: str) -> int:
        """Count one; returns 0 if it is within all limits, else after how many seconds the next one is heard."""
        import time

        waits = [0]
        for key, limit in LIMITS:
            where = key.format(address=address, name=name)
            if not self._limiter.hit(limit, where):
                waits.append(int(self._limiter.get_window_stats(limit, where).reset_time - time.time()) + 1)
        return max(waits)

    def forget(self, address: str, name: str) -> None:
        """Somebody who got in begins anew."""
        self._limiter.clear(LIMITS[0][1], LIMITS[0][0].format(address=address, name=name))


def local_path(wish: str | None) -> str:
    """A path of this site to go on to; the first page for anything else."""
    wish = wish or "/"
    parts = urlsplit(wish)
    safe = wish.startswith("/") and not wish.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wish if safe and wish.isprintable() and not parts.path.startswith(("/login", "/logout")) else "/"


def enter(connection: Connection, logins: Logins, name: str, length: timedelta, how: str) -> None:
    """Begin the log-in of a person who has been recognised, with a new cookie."""
    token = begin_session(connection, name, length)
    found = find_session(connection, token)
    write_audit(connection, name, "login", name, {"how": how}, request.remote_addr or "")
    if found is None:
        raise LookupError(name)
    logins.forget(token)
    session.clear()
    session.permanent = True
    login_user(Person(found.name, found.role, token))


def show(error: str = "", *, settings: Settings, name: str = "", onward: str = "/", status: int = 200) -> Response:
    """The page."""
    oidc = settings.oidc.label if settings.oidc.issuer else ""
    html = render_template_string(PAGE, error=error, name=name, next=onward, oidc=oidc)
    return make_response(html, status, {"Cache-Control": "no-store"})


def add_login(server: Flask, settings: Settings, writer: Engine, logins: Logins) -> None:
    """Add the routes `/login` and `/logout`."""
    attempts = Attempts()
    length = timedelta(hours=settings.dashboard.session_h)

    @server.route("/login", methods=["GET", "POST"], endpoint="login")
    def login() -> Any:
        onward = local_path(request.values.get("next"))
        if request.method == "GET":
            if current_user.is_authenticated:
                return redirect(onward)
            return show(OLD if "again" in request.args else "", settings=settings, onward=onward)
        name = request.form.get("name", "").strip().lower()[:64]
        address = request.remote_addr or ""

        def refuse(words: str, status: int) -> Response:
            return show(words, settings=settings, name=name, onward=onward, status=status)

        if wait := attempts.wait_s(address, name):
            answer = refuse(f"Too many attempts. Try again in {wait} s.", 429)
            answer.headers["Retry-After"] = str(wait)
            return answer
        try:
            with writer.begin() as connection:
                if not password_fits(connection, name, request.form.get("password", "")):
                    write_audit(connection, name, "login refused", name, {}, address)
                    return refuse(WRONG, 401)
                rehash(connection, name, request.form["password"])
                enter(connection, logins, name, length, "password")
        except SQLAlchemyError as error:
            return refuse(advice(error), 503)
        attempts.forget(address, name)
        return redirect(onward, code=303)

    @server.post("/logout", endpoint="logout")
    def logout() -> Any:
        who = person()
        if who and who.id:
            with writer.begin() as connection:
                end_session(connection, who.id)
                write_audit(connection, who.name, "logout", who.name, {}, request.remote_addr or "")
            logins.forget(who.id)
        logout_user()
        session.clear()
        return redirect("/login", code=303)
