"""Log-in by OpenID Connect, against a provider that runs here."""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from flask import Flask, jsonify, redirect, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from sqlalchemy import Engine, text
from werkzeug.serving import make_server

from dashboard.app import create_app
from squall import accounts
from squall.settings import OidcSettings, Settings
from tests.browser import serve


class Provider:
    """Logs in whoever comes, with the claims that the test sets; keeps to PKCE."""

    def __init__(self) -> None:
        self.key = self.signs = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, dict[str, str]] = {}
        app = Flask("provider")
        app.add_url_rule("/.well-known/openid-configuration", view_func=self.about)
        app.add_url_rule("/keys", view_func=self.keys)
        app.add_url_rule("/authorize", view_func=self.authorize)
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def about(self) -> Any:
        return jsonify(
            issuer=self.address,
            authorization_endpoint=f"{self.address}/authorize",
            token_endpoint=f"{self.address}/token",
            jwks_uri=f"{self.address}/keys",
            id_token_signing_alg_values_supported=["RS256"],
        )

    def keys(self) -> Any:
        return jsonify(KeySet([self.key]).as_dict(private=False))

    def authorize(self) -> Any:
        code = f"code-{len(self.asked)}"
        self.asked[code] = dict(request.args)
        return redirect(f"{request.args['redirect_uri']}?{urlencode({'code': code, 'state': request.args['state']})}")

    def token(self) -> Any:
        asked = self.asked.pop(request.form["code"])
        digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {"iss": self.address, "aud": asked["client_id"], "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.claims, self.signs)
        return jsonify(access_token="a", token_type="Bearer", id_token=token)


@pytest.fixture
def provider() -> Iterator[Provider]:
    one = Provider()
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


@pytest.fixture
def client(provider: Provider, world: Engine, postgres: serve.Database, tmp_path: Path) -> FlaskClient:
    oidc = OidcSettings(issuer=provider.address, client_id="squall", label="Harbour ID", role_claim="groups")
    settings = Settings(home=tmp_path, namespace="demo", oidc=oidc)
    visitor: FlaskClient = create_app(settings, postgres.url).server.test_client()
    return visitor


def go(client: FlaskClient, *, state: str | None = None) -> Any:
    begun = client.get("/login/oidc?next=/incidents")
    back = httpx.get(begun.headers["Location"]).headers["Location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    return client.get(f"/login/oidc/answer?{urlencode(query | ({'state': state} if state else {}))}")


def role(world: Engine, name: str) -> str | None:
    with world.connect() as connection:
        found: str | None = connection.execute(text("SELECT role FROM user_account WHERE name = :name"), {"name": name}).scalar()
    return found


def test_who_the_provider_knows_gets_in_with_the_role_of_the_claim(
    client: FlaskClient, provider: Provider, world: Engine
) -> None:
    assert "Log in by Harbour ID" in client.get("/login").text
    provider.claims = {"sub": "4711", "preferred_username": "Ines", "groups": ["staff", "analyst", "viewer"]}
    assert go(client).headers["Location"] == "/incidents"
    assert client.get("/_dash-layout").status_code == 200
    assert role(world, "ines") == "analyst"
    provider.claims |= {"preferred_username": "renamed", "groups": "viewer"}
    assert go(client).status_code == 302
    assert (role(world, "ines"), role(world, "renamed")) == ("viewer", None)
    with world.begin() as connection:
        accounts.set_disabled(connection, "ines", True)
        assert not accounts.password_fits(connection, "ines", "")
    assert "disabled" in go(client).text


def test_names_of_others_and_people_without_role_are_refused(client: FlaskClient, provider: Provider, world: Engine) -> None:
    with world.begin() as connection:
        accounts.add_account(connection, "owner", "admin", "correct horse battery")
    provider.claims = {"sub": "1", "preferred_username": "owner", "groups": ["admin"]}
    answer = go(client)
    assert (answer.status_code, client.get("/_dash-layout").status_code) == (403, 401)
    assert "belongs to another account" in answer.text
    provider.claims = {"sub": "2", "preferred_username": "guest", "groups": ["staff"]}
    assert "no role here" in go(client).text
    assert role(world, "guest") is None


@pytest.mark.parametrize(
    "forged",
    [{"nonce": "another"}, {"aud": "another"}, {"exp": 1}, {"iss": "https://evil.example"}, {"key": True}, {"state": "x"}],
)
def test_answers_that_do_not_hold_let_nobody_in(client: FlaskClient, provider: Provider, forged: dict[str, Any]) -> None:
    provider.claims = {"sub": "9", "preferred_username": "forger", "groups": "admin"}
    if "key" in forged:
        provider.signs = RSAKey.generate_key(2048, {"kid": "one"})
    provider.claims |= {name: value for name, value in forged.items() if name not in {"key", "state"}}
    answer = go(client, state=forged.get("state"))
    assert answer.status_code == 401
    assert "did not log you in" in answer.text
    assert client.get("/_dash-layout").status_code == 401


def test_provider_that_is_away_is_told(client: FlaskClient, provider: Provider) -> None:
    provider.server.shutdown()
    provider.server.server_close()
    answer = client.get("/login/oidc")
    assert answer.status_code == 502
    assert "does not answer" in answer.text
