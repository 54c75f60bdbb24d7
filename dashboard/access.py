"""Who may do what: the gate before every request, roles, and the one way in which the pages change anything.

Closed by default: a route that is not public needs a log-in, the pages' connections cannot write, and what writes goes
through `changing`, which asks for the act's role and writes the audit.
"""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from dash import Dash
from flask import Flask, Response, has_request_context, jsonify, redirect, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.middleware.proxy_fix import ProxyFix

from squall.accounts import ROLES, Login, find_session, token_hash, write_audit
from squall.embedded.state import Home
from squall.errors import UserError
from squall.settings import LOOPBACK, Settings

ACTS: Mapping[str, str] = {"incident": "analyst", "label": "analyst", "redrive": "analyst", "watchlist": "analyst"}
"""What can be done, and the least role that it asks for."""
ASSETS, SCRIPTS = "_dash_assets.static", "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>"
PUBLIC = frozenset({"login", "oidc", "oidc_answer", "healthz", "metrics", "tokens", ASSETS, "/_favicon.ico"})
"""Endpoints that need no log-in; `metrics` asks for a token of its own."""
CALLBACKS = "/_dash-update-component"
ICONS = "image/svg+xml"
FRESH_S = 2.0
STALE = timedelta(minutes=15)
"""While the database is away, a log-in that was in force goes on being so for this long."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Forbidden(UserError):  # noqa: N818 - it says what the person may not do
    """The person may not act; the message says why."""


class Person(UserMixin):  # type: ignore[misc]
    """Who makes the request. Its id is the token of the log-in, not the name."""

    def __init__(self, name: str, role: str, token: str = "") -> None:
        self.id = token
        self.name = name
        self.role = role

    def may(self, act: str) -> bool:
        """Whether the role is enough for an act."""
        return ROLES.index(self.role) >= ROLES.index(ACTS[act])


LOCAL = Person("local", "admin")
"""Whoever sits at the machine, where the log-in is off."""


def person() -> Person | None:
    """Who makes the request; None outside of one, or before the log-in."""
    if not has_request_context() or not current_user.is_authenticated:
        return None
    who: Person = current_user._get_current_object()
    return who


def needs(act: str) -> Callable[[Function], Function]:
    """Mark a callback's function, beneath `@app.callback`: the gate lets in only those who may do the act."""
    if act not in ACTS:
        raise KeyError(f"no act {act!r}: dashboard.access.ACTS names all")

    def mark(function: Function) -> Function:
        function.__dict__["needs"] = act
        return function

    return mark


@contextmanager
def changing(writer: Engine, act: str, subject: str, what: str, detail: Mapping[str, Any]) -> Iterator[Connection]:
    """A transaction in which the person who makes the request changes something; it ends with the line of the audit.

    Raises:
        Forbidden: the person may not.
    """
    who = person()
    if who is None or not who.may(act):
        raise Forbidden(why_not(act))
    with writer.begin() as connection:
        yield connection
        write_audit(connection, who.name, f"{act} {what}".strip(), subject, detail, request.remote_addr or "")


def why_not(act: str) -> str:
    """What a person reads who may not do an act."""
    who = person()
    if who is None:
        return "Log in first."
    return f"This needs the role {ACTS[act]}; {who.name} is {'an' if who.role[0] == 'a' else 'a'} {who.role}."


class Logins:
    """The log-ins in force, asked anew from the database every two seconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Login, float]] = {}

    def find(self, token: str) -> Login | None:
        """The log-in of a token; with the database away, as it was known last."""
        key, now = token_hash(token), time.monotonic()
        with self._lock:
            known, asked = self._known.get(key, (None, 0.0))
        if known and known.expires_at <= datetime.now(UTC):
            return None
        if known and now - asked < FRESH_S:
            return known
        try:
            with self._engine.connect() as connection:
                found = find_session(connection, token)
        except SQLAlchemyError:
            if known and now - asked < STALE.total_seconds():
                return known
            raise
        with self._lock:
            for old in [one for one, (_, at) in self._known.items() if now - at > STALE.total_seconds()]:
                del self._known[old]
            self._known.pop(key, None)
            if found:
                self._known[key] = found, now
        return found

    def forget(self, token: str) -> None:
        """Know it no more: it was ended."""
        with self._lock:
            self._known.pop(token_hash(token), None)


def secret_key(settings: Settings) -> str:
    """What signs the cookies: as set, else made once and kept in the home, readable by its owner only.

    Raises:
        UserError: the home cannot be written.
    """
    if settings.dashboard.secret:
        return settings.dashboard.secret.get_secret_value()
    path = Home(settings).make().path / "dashboard.secret"
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        if not path.exists():
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise UserError(f"{path} cannot be used ({error.strerror}): set SQUALL_DASHBOARD__SECRET") from None


def cookie(settings: Settings, name: str) -> str:
    """A cookie's name. A browser does not tell the ports of a host apart, and live and demo may run on one."""
    return f"squall_{name}_{settings.namespace}".rstrip("_")


class Sessions(SecureCookieSessionInterface):
    """Sessions that leave the components' scripts alone: with a cookie's `Vary` browsers would load megabytes on every page."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie, except onto a script."""
        if request.endpoint != SCRIPTS:
            super().save_session(app, session, response)


def protect(app: Dash, settings: Settings, logins: Logins) -> None:
    """Put the gate before everything that the server answers."""
    server: Flask = app.server
    dashboard = settings.dashboard
    server.config.update(
        SECRET_KEY=secret_key(settings),
        SESSION_COOKIE_NAME=cookie(settings, "session"),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=dashboard.proxied,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=dashboard.session_h),
        WTF_CSRF_TIME_LIMIT=None,
        MAX_CONTENT_LENGTH=4 * 1024 * 1024,
    )
    server.session_interface = Sessions()
    if dashboard.proxied:
        server.wsgi_app = ProxyFix(server.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    if not dashboard.login:
        # a site that resolves to this machine must not read what needs no log-in
        server.config["TRUSTED_HOSTS"] = [f"[{host}]" if ":" in host else host for host in sorted(LOOPBACK)]
    manager = LoginManager(server)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(token: str) -> Person | None:
        found = logins.find(token) if dashboard.login else None
        return Person(found.name, found.role, token) if found else None

    @manager.request_loader  # type: ignore[untyped-decorator]
    def nobody(_request: Any) -> Person | None:
        return None if dashboard.login else LOCAL

    server.before_request(_same_site)
    CSRFProtect(server)
    server.before_request(lambda: _gate(app))
    server.register_error_handler(CSRFError, _no_token)

    @server.after_request
    def hand_out_token(response: Response) -> Response:
        if response.mimetype == "text/html":
            # Dash sends it back as the header X-CSRFToken
            response.set_cookie(cookie(settings, "token"), generate_csrf(), samesite="Strict", secure=dashboard.proxied)
        if request.endpoint == ASSETS and "m" in request.args:
            # The address names the version, as it does for scripts, of which Dash says so itself.
            response.headers["Cache-Control"] = "max-age=31536000, immutable"
        elif request.endpoint == ASSETS and response.mimetype == ICONS:
            response.headers["Cache-Control"] = "max-age=86400"
        elif request.endpoint not in {SCRIPTS, *PUBLIC}:
            response.headers.setdefault("Cache-Control", "no-store")
        if dashboard.proxied:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response


def _same_site() -> Any:
    """Refuse what another site's page sends."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return None
    origin = request.headers.get("Origin")
    foreign = bool(origin) and urlsplit(origin).netloc != request.host
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return jsonify(error="This request came from another site."), 403
    return None


def _gate(app: Dash) -> Any:
    if request.endpoint in PUBLIC:
        return None
    who = person()
    if who is None:
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return redirect(f"/login?next={quote(request.full_path.rstrip('?'), safe='')}")
        return jsonify(error="Log in first."), 401
    if request.endpoint == CALLBACKS:
        body = request.get_json(silent=True)
        called = app.callback_map.get(str(body.get("output"))) if isinstance(body, dict) else None
        if called is None:
            return jsonify(error="There is no such callback."), 403
        act = getattr(called.get("callback"), "needs", None)
        if act is not None and not who.may(act):
            return jsonify(error=why_not(act)), 403
    return None


def _no_token(error: CSRFError) -> Any:
    if request.endpoint == "login":
        return redirect("/login?again=1")
    return jsonify(error=f"{error.description} Load the page anew."), 400
