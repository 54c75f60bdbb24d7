"""Who may do what: the application itself on a real database, asked as a browser would ask."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from dashboard import access
from dashboard.app import create_app
from dashboard.context import Context
from dashboard.login import local_path
from dashboard.queries import Reader
from dashboard.server import Link
from models.explainer import Explainer
from squall import accounts
from squall.db.engine import make_engine
from squall.settings import DashboardSettings, Settings, SettingsError
from tests.browser import serve
from tests.waiting import wait_until

PASSWORD = "correct horse battery"
CALLBACK = "/_dash-update-component"


@pytest.fixture(scope="module")
def people(world: Engine) -> Engine:
    with world.begin() as connection:
        for role in accounts.ROLES:
            accounts.add_account(connection, f"one-{role}", role, PASSWORD)
    return world


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), namespace="demo")


@pytest.fixture(scope="module")
def app(settings: Settings, people: Engine, postgres: serve.Database) -> Dash:
    return create_app(settings, postgres.url)


LogIn = Callable[[str], FlaskClient]


@pytest.fixture(scope="module")
def log_in(app: Dash) -> LogIn:
    numbers = itertools.count(1)

    def enter(name: str) -> FlaskClient:
        client: FlaskClient = app.server.test_client()
        assert attempt(client, name, PASSWORD, address=f"10.0.0.{next(numbers)}").status_code == 303
        client.get("/", headers={"Accept": "text/html"})
        return client

    return enter


def token(client: FlaskClient) -> str:
    cookie = client.get_cookie("squall_token_demo")
    return cookie.value if cookie else ""


def attempt(client: FlaskClient, name: str, password: str, onward: str = "/", address: str = "127.0.0.1") -> Any:
    client.get("/login")
    form = {"name": name, "password": password, "next": onward, "csrf_token": token(client)}
    return client.post("/login", data=form, environ_overrides={"REMOTE_ADDR": address})


def call(client: FlaskClient, output: str, **headers: str) -> Any:
    body = {"output": output, "outputs": [], "inputs": [], "changedPropIds": [], "state": []}
    return client.post(CALLBACK, json=body, headers={"X-CSRFToken": token(client), **headers})


def audit(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT actor, act, subject FROM audit ORDER BY id"))
        return [(row.actor, row.act, row.subject) for row in rows]


def test_nobody_gets_anything_but_the_log_in(app: Dash) -> None:
    client = app.server.test_client()
    values = {"path": "incidents", "package_name": "dash", "fingerprinted_path": "x.js", "chart_id": "x", "filename": "x"}
    client.get("/login")
    seen = 0
    for rule in app.server.url_map.iter_rules():
        if rule.endpoint in access.PUBLIC:
            continue
        address = rule.rule
        for name in rule.arguments:
            address = "/".join(values[name] if name in part else part for part in address.split("/"))
        for method in rule.methods or ():
            if method == "OPTIONS":
                continue
            seen += 1
            answer = client.open(address, method=method, headers={"X-CSRFToken": token(client)})
            assert answer.status_code == 401, (method, address)
    assert seen > 15
    answer = client.get("/incidents?sel=1", headers={"Accept": "text/html"})
    assert answer.headers["Location"] == "/login?next=%2Fincidents%3Fsel%3D1"
    assert len(app.callback_map) > 8
    for output in app.callback_map:
        assert call(client, output).status_code == 401


def test_callbacks_that_change_things_ask_for_their_role(app: Dash, log_in: LogIn) -> None:
    viewer, analyst = log_in("one-viewer"), log_in("one-analyst")
    marked = {output for output, one in app.callback_map.items() if hasattr(one.get("callback"), "needs")}
    for output in marked:
        refused = call(viewer, output)
        assert refused.status_code == 403
        assert "one-viewer is a viewer" in refused.text
        assert call(analyst, output).status_code != 403
    for output in ("invented.children", ""):
        assert call(analyst, output).status_code == 403
    assert viewer.post(CALLBACK, json=[1], headers={"X-CSRFToken": token(viewer)}).status_code == 403


def test_pages_cannot_write_and_the_one_door_asks_and_writes_the_audit(
    app: Dash, people: Engine, settings: Settings, postgres: serve.Database
) -> None:
    reading = make_engine(settings, postgres.url, read_only=True)
    with pytest.raises(SQLAlchemyError, match="read-only"), reading.begin() as connection:
        connection.execute(text("INSERT INTO company (id, name) VALUES ('x', 'X')"))
    context = Context(Reader(reading, replay=True), Link(), "demo", people, Explainer(settings))
    change = text("INSERT INTO company (id, name) VALUES ('made', 'Made')")
    from flask_login import login_user

    with app.server.test_request_context("/"):
        login_user(access.Person("one-viewer", "viewer", "t"))
        with pytest.raises(access.Forbidden, match="analyst"), context.changing("incident", "i1", "note") as connection:
            connection.execute(change)
    with app.server.test_request_context("/", environ_overrides={"REMOTE_ADDR": "10.1.2.3"}):
        login_user(access.Person("one-analyst", "analyst", "t"))
        with context.changing("incident", "i1", "note", words=3) as connection:
            connection.execute(change)
    with people.begin() as connection:
        row = connection.execute(text("SELECT * FROM audit WHERE subject = 'i1'")).mappings().one()
        assert connection.execute(text("DELETE FROM company WHERE id = 'made'")).rowcount == 1
    assert (row["actor"], row["act"], row["detail"], row["address"]) == ("one-analyst", "incident note", {"words": 3}, "10.1.2.3")
    reading.dispose()


def test_requests_without_token_or_from_another_site_are_refused(log_in: LogIn) -> None:
    client = log_in("one-admin")
    good = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    output = "invented.children"
    assert "no such callback" in call(client, output, **good).text
    assert call(client, output, **{"X-CSRFToken": ""}).status_code == 400
    assert call(client, output, **{"X-CSRFToken": "guess"}).status_code == 400
    assert "another site" in call(client, output, Origin="https://evil.example").text
    assert "another site" in call(client, output, Origin="null").text
    assert "another site" in call(client, output, **{"Sec-Fetch-Site": "same-site"}).text
    assert client.post("/logout").status_code == 400
    assert client.get("/_dash-layout").status_code == 200


def test_cookie_is_guarded_and_dies_with_the_log_out(app: Dash, log_in: LogIn, people: Engine) -> None:
    client = log_in("one-viewer")
    answer = attempt(app.server.test_client(), "one-viewer", PASSWORD)
    header = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("squall_session_demo="))
    assert all(word in header for word in ("HttpOnly", "SameSite=Lax", "Expires="))
    thief = app.server.test_client()
    thief.set_cookie("squall_session_demo", client.get_cookie("squall_session_demo").value)  # type: ignore[union-attr]
    assert thief.get("/_dash-layout").status_code == 200
    assert client.post("/logout", headers={"X-CSRFToken": token(client)}).headers["Location"] == "/login"
    assert thief.get("/_dash-layout").status_code == 401
    assert client.get("/_dash-layout").status_code == 401
    assert {("one-viewer", "login", "one-viewer"), ("one-viewer", "logout", "one-viewer")} <= set(audit(people))


def test_an_admin_reads_everybodys_changes_and_others_their_own(log_in: LogIn) -> None:
    def told(name: str) -> str:
        client = log_in(name)
        body = {
            "output": "audit-list.children",
            "outputs": {"id": "audit-list", "property": "children"},
            "inputs": [{"id": "audit-kind", "property": "value", "value": "People"}, {"id": "rev-incidents", "property": "data"}],
            "changedPropIds": ["audit-kind.value"],
        }
        answer = client.post("/_dash-update-component", json=body, headers={"X-CSRFToken": token(client)})
        return str(answer.get_data(as_text=True))

    viewer, admin = told("one-viewer"), told("one-admin")
    assert "one-viewer" in viewer
    assert "one-admin" not in viewer
    assert "one-viewer" in admin
    assert "one-admin" in admin


def test_expired_disabled_and_demoted_take_effect_within_seconds(log_in: LogIn, people: Engine) -> None:
    with people.begin() as connection:
        for name in ("leaver", "sleeper"):
            accounts.add_account(connection, name, "analyst", PASSWORD)
    leaver, sleeper = log_in("leaver"), log_in("sleeper")
    assert leaver.get("/_dash-layout").status_code == 200
    with people.begin() as connection:
        accounts.set_disabled(connection, "leaver", True)
        connection.execute(text("UPDATE login_session SET expires_at = now() WHERE user_name = 'sleeper'"))
    for client in (leaver, sleeper):
        wait_until(lambda client=client: client.get("/_dash-layout").status_code != 200, "the end of a session", 30)  # type: ignore[misc]
    assert attempt(leaver, "leaver", PASSWORD).status_code == 401


def test_guessing_is_slowed_down_for_the_guesser_only(app: Dash, people: Engine) -> None:
    client = app.server.test_client()
    answers = [attempt(client, "one-admin", f"guess {number}", address="10.9.9.9") for number in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
    assert "Too many attempts" in answers[-1].text
    assert attempt(client, "one-admin", PASSWORD, address="10.9.9.9").status_code == 429
    assert attempt(app.server.test_client(), "one-admin", PASSWORD, address="10.9.9.8").status_code == 303
    unknown = attempt(app.server.test_client(), "nobody", PASSWORD, address="10.9.9.7")
    assert "Name and password do not fit" in unknown.text
    assert ("one-admin", "login refused", "one-admin") in audit(people)


@pytest.mark.parametrize(
    "wish",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\t//evil.example", "/a\nb", "", None,
     "/login", "/logout"],
)  # fmt: skip
def test_log_in_goes_on_only_within_the_site(wish: str | None) -> None:
    assert local_path(wish) == "/"
    assert local_path("/incidents?sel=1") == "/incidents?sel=1"


def test_headers_and_names_on_the_log_in_page(app: Dash) -> None:
    client = app.server.test_client()
    answer = attempt(client, '"><script>alert(1)</script>', "x", onward='/"><script>', address="10.9.9.6")
    assert "<script>alert" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"


def test_secret_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = access.secret_key(settings)
    assert len(first) == 64
    assert access.secret_key(settings) == first
    assert (tmp_path / "dashboard.secret").stat().st_mode & 0o777 == 0o600
    assert access.secret_key(Settings(home=tmp_path / "other")) != first
    assert [entry.name for entry in tmp_path.glob("dashboard.*")] == ["dashboard.secret"]


def test_log_in_can_be_off_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from squall.settings import get_settings

    monkeypatch.setenv("SQUALL_DASHBOARD__LOGIN", "false")
    monkeypatch.setenv("SQUALL_DASHBOARD__HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match="loopback"):
        get_settings.__wrapped__()
    assert DashboardSettings(login=False).host == "127.0.0.1"


def test_log_in_off_answers_no_foreign_name(people: Engine, postgres: serve.Database, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"dashboard": DashboardSettings(login=False)}), postgres.url)
    client = app.server.test_client()
    assert client.get("/_dash-layout", base_url="http://127.0.0.1:8050").status_code == 200
    assert client.get("/_dash-layout", base_url="http://evil.example:8050").status_code == 400
